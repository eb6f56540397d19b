"""The folder of a crop set: whether it may be written to, by whom, the journal's lines, and the last step of sealing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_facenet import files
from edge_facenet.errors import InputError, OutputError

from .sealed import DUPLICATES, GROWING, INDEX, REJECTED, SEAL, Layout, read_seal

JOURNAL = "journal.jsonl"


def check_place(folder: Path) -> None:
    """A crop set may go here: nothing there, an empty folder, or a crop set.

    Raises:
        OutputError: a file, or a folder that holds something else.
    """
    with as_output_error(folder):
        if not folder.exists() and not folder.is_symlink():
            return
        if not folder.is_dir():
            raise OutputError(f"{folder} is not a folder. Give a folder for the crop set.")
        names = sorted(os.listdir(folder))
        if names and SEAL not in names and GROWING not in names:
            raise OutputError(
                f"{folder} holds something else ({names[0]!r}, {len(names)} in all) and no crop set. Give a new folder."
            )
        if SEAL in names:
            try:
                read_seal(folder)
            except InputError as error:
                raise OutputError(f"{error} Nothing was changed.") from error


def check_same(folder: Path, layout: Layout, settings: dict[str, Any]) -> None:
    """A finished crop set gives way to one made alike, and to no other.

    Raises:
        OutputError: the one here was made with another layout or other settings.
    """
    if not (folder / SEAL).is_file():
        return
    seal, _ = read_seal(folder)
    if seal.layout != layout or seal.settings != settings:
        raise OutputError(
            f"{folder} holds a crop set made with other settings ({seal.layout.size} px) or by another version. Give "
            "another folder, or delete it first."
        )


def finish_move(folder: Path) -> None:
    """Move a sealed `.growing` up, `prepare.json` last; nothing to do when it is not sealed."""
    work = folder / GROWING
    if not (work / SEAL).is_file():
        return
    with as_output_error(folder):
        names = [s.file for s in read_seal(work)[0].shards]
        if (folder / SEAL).exists():  # nothing has been moved yet: this table is the older crop set's
            (folder / DUPLICATES).unlink(missing_ok=True)
            (folder / SEAL).unlink()
        for old in folder.glob("crops-*.npy"):
            if old.name not in names:
                old.unlink()
        for name in (*names, INDEX, REJECTED, DUPLICATES):
            with contextlib.suppress(
                FileNotFoundError
            ):  # moved already, before a crash; not every crop set has the last
                os.replace(work / name, folder / name)
        (work / JOURNAL).unlink(missing_ok=True)
        os.replace(work / SEAL, folder / SEAL)
        shutil.rmtree(work)


@contextlib.contextmanager
def as_output_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"Cannot write the crop set {folder}: {error.strerror or error}. What was done so far is kept; mend this and "
            "run the same command again."
        ) from error


def lock(folder: Path) -> int:
    """Hold `folder` against a second writer until the returned handle is closed (-1 where locks are not to be had).

    Raises:
        OutputError: another process holds it.
    """
    try:
        return files.lock_folder(folder)
    except BlockingIOError as error:
        raise OutputError(
            f"Another edge-facenet prepare is writing to {folder}. Wait until it has finished."
        ) from error


def entry_of(line: bytes) -> dict[str, Any] | None:
    """A whole line of the journal, or None for a torn one."""
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def write_all(handle: int, content: bytes) -> None:
    """Write, in as many steps as it takes."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
