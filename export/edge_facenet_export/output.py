"""The output folder: fit to be written to before the work, written all at once after it, and free of leftovers.

Every file is made in a folder beside its place; then the models move up, then the manifests, and only then goes what no
manifest names any more. One export at a time does so in one folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_facenet import files, manifest
from edge_facenet.errors import OutputError
from edge_facenet.manifest import Manifest

STAGE = ".exporting"
_TRIES, _PAUSE_S = 300, 0.1  # another export writes for a second or two, with a slow disk for some more
_LONGEST = 255  # bytes of a file's name, on every file system in use


def check_place(out: Path, names: Sequence[str]) -> None:
    """Refuse early what would be refused after minutes of work.

    Args:
        names: of the artifacts, NAME-RECIPE.
    Raises:
        OutputError: `out` is a file, a link that leads nowhere, lies below one, or may not be written to; a name that no
            file can have, or that belongs to something else there.
    """
    absolute = out.absolute()
    existing = next(path for path in (absolute, *absolute.parents) if os.path.lexists(path))
    if not existing.is_dir():
        what = "a link that leads nowhere" if existing.is_symlink() else "a file"
        raise OutputError(f"Cannot write artifacts into {out}: {existing} is {what}. Give a folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(f"Cannot write artifacts into {out}: {existing} may not be written to. Give another folder.")
    known = manifest.named(out)
    for name in names:
        check_name(name)
        target = out / f"{name}.json"
        if os.path.lexists(target) and target.name not in known:
            raise OutputError(f"{target} exists and is not a manifest of this project. Move it away first.")


def check_name(name: str) -> None:
    """Refuse what cannot be the name of an artifact's files.

    Raises:
        OutputError: empty, with a slash or a control character, or too long.
    """
    if Path(name).name != name or not name:
        raise OutputError(f"Cannot write an artifact named {name!r}: a name has no slashes and is not empty.")
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in name):
        raise OutputError(
            f"Cannot write an artifact named {name!r}: it holds a line break or another control character. Give a name without."
        )
    if len(os.fsencode(f"{name}-01234567.tflite")) > _LONGEST:
        raise OutputError(
            f"Cannot write an artifact named {name[:40]!r}…: {len(name)} letters are too many for a file."
        )


def write(out: Path, artifacts: Sequence[tuple[str, bytes, Manifest]]) -> list[Path]:
    """Seal and write artifacts, all of them or none; models that no manifest there names any more go.

    Args:
        out: folder, made when missing.
        artifacts: NAME-RECIPE, the converter's bytes, and what the manifest says.
    Returns:
        the manifests' paths, in the same order.
    Raises:
        OutputError: not writable, full, or another export is writing there; what was there before is untouched.
    """
    names = [name for name, _, _ in artifacts]
    with _held(out) as stage:
        check_place(out, names)  # minutes have passed since it was asked first
        made = [manifest.write(stage, name, graph, described) for name, graph, described in artifacts]
        try:
            for path in [*(stage / manifest.read(path).file for path in made), *made]:
                _move(path, out / path.name)
        finally:
            _tidy(out, names)
    return [out / path.name for path in made]


@contextlib.contextmanager
def _held(out: Path) -> Iterator[Path]:
    """Hold `out` against other exports; the folder to make files in, gone afterwards."""
    stage = out / STAGE
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = _lock(out)
    except OSError as error:
        raise OutputError(
            f"Cannot write artifacts into {out}: {error.strerror or error}. Give another folder."
        ) from error
    try:
        shutil.rmtree(stage, ignore_errors=True)  # a killed export's: no other one is writing now
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if handle >= 0:
            os.close(handle)


def _lock(out: Path) -> int:
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            return files.lock_folder(out)
        time.sleep(_PAUSE_S)
    raise OutputError(f"Another export is writing into {out}. Wait until it has finished, and run this one again.")


def _move(made: Path, target: Path) -> None:
    try:
        if target.exists():
            shutil.copymode(target, made)  # a private file stays private
        os.replace(made, target)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}. Mend this and run it again.") from error


def _tidy(out: Path, names: Sequence[str]) -> None:
    """Remove model files under these names that no manifest names."""
    kept = set(manifest.named(out).values())
    ours = re.compile(rf"(?:{'|'.join(map(re.escape, names))})-[0-9a-f]{{8}}\.(?:tflite|onnx)")
    for file in out.iterdir():
        if ours.fullmatch(file.name) and file.name not in kept and file.is_file() and not file.is_symlink():
            file.unlink(missing_ok=True)
