"""OUT: whether it may be written, a new one built beside it, and the swap.

A run builds `.NAME.edge-facenet-new` beside OUT and renames it into place, so that OUT is at any moment the old one or
the new one. What stood there gives way only where nothing is lost: it is ours, nobody put or changed a file in it, and
every photo in it is still among those looked at.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edge_facenet import files
from edge_facenet.errors import EdgeFacenetError, OutputError
from edge_facenet.schema import doc

from .album import Shot

MARK, TOOL, SCHEMA_VERSION = "clusters.json", "edge-facenet cluster", 1
_ADVICE = "Move it away, or give a new folder; nothing was changed."
_JUNK = {".ds_store", "thumbs.db", "desktop.ini"}  # what file managers leave behind
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


@dataclass(frozen=True)
class Link:
    """A photo's place in OUT."""

    where: str = doc('relative to OUT, with "/"')
    shot: Shot = doc("the photo")


@dataclass(frozen=True)
class Content:
    """All of a new OUT."""

    links: Sequence[Link] = doc("photos")
    pages: dict[str, bytes] = doc("other files, by their path relative to OUT")
    mark: dict[str, Any] = doc("what clusters.json says; the list of files is added")
    seen: frozenset[str] = doc("sha256 of every photo that was read")
    copies: bool = doc("copy, rather than make hard links", False)


def check_place(out: Path, source: Path) -> None:
    """Whether OUT may be written: nothing there, an empty folder, or a result of an earlier run.

    Raises:
        OutputError: it may not; nothing was changed.
    """
    real, photos = Path(os.path.realpath(out)), Path(os.path.realpath(source))
    if real == photos or real in photos.parents:
        raise OutputError(f"{out} holds the photos themselves. Give another folder for the result.")
    with _reported(out):
        _recover(real)
        if not os.path.lexists(real):
            return
        if not real.is_dir():
            raise OutputError(f"{out} is a file. Give a new folder.")
        names = sorted(os.listdir(real))
        if names and _previous(real) is None:
            raise OutputError(
                f"{out} holds something else ({names[0]!r}, {len(names)} in all), not a result of {TOOL}. Give a new folder."
            )


def publish(out: Path, content: Content) -> int:
    """Build OUT and put it into place.

    Returns:
        how many photos are hard links; the others are copies.
    Raises:
        OutputError: not writable, disk full, a photo changed since it was looked at, or something in the old OUT would
            be lost; OUT is as it was.
    """
    real = Path(os.path.realpath(out))
    _check_kept(real, content)
    with _reported(out), _stage(real) as stage:
        linked = sum([_put(stage, link, content.copies) for link in content.links])
        listed: dict[str, Any] = {
            link.where: {"sha256": link.shot.sha256, "size": link.shot.size, "mtime_ns": link.shot.mtime_ns}
            for link in content.links
        }
        for name, data in content.pages.items():
            files.write_bytes(stage / name, data)
            listed[name] = {"sha256": files.sha256(data)}
        mark = {"tool": TOOL, "schema": SCHEMA_VERSION, **content.mark, "files": listed}
        # file names need not be valid text: as escapes they survive
        files.write_bytes(stage / MARK, (json.dumps(mark, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())
        _check_kept(real, content)  # again: looking took its time
        _swap(stage, real)
    return linked


def _previous(folder: Path) -> dict[str, Any] | None:
    """What an earlier run says it wrote, by relative path; None when the folder is none of ours."""
    try:
        mark = json.loads((folder / MARK).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(mark, dict) and mark.get("tool") == TOOL and isinstance(mark.get("files"), dict)
    return dict(mark["files"]) if ours else None


def _check_kept(real: Path, content: Content) -> None:
    """Nothing of the old OUT is lost by removing it."""
    inodes = set()
    for link in content.links:
        with contextlib.suppress(OSError):
            if real in Path(os.fsdecode(os.path.realpath(link.shot.path))).parents:
                raise OutputError(
                    f"The photo {link.shot.name!r} is a link into {real}. Give another folder for the result."
                )
            about = os.stat(link.shot.path)
            inodes.add((about.st_dev, about.st_ino))
    if not real.is_dir() or not os.listdir(real):
        return
    known = _previous(real)
    if known is None:
        raise OutputError(f"{real} is no result of {TOOL} any more. Give a new folder; nothing was changed.")
    ours = {place.as_posix() for where in known for place in PurePosixPath(where).parents}
    for folder, folders, names in os.walk(real):
        for name in folders:
            path = Path(folder) / name
            if path.is_symlink() or path.relative_to(real).as_posix() not in ours:
                raise OutputError(f"{path} was not written by {TOOL}. {_ADVICE}")
        for name in names:
            path = Path(folder) / name
            where = path.relative_to(real).as_posix()
            if where != MARK and name.lower() not in _JUNK:
                _check_file(path, where, known.get(where), content.seen, inodes)


def _check_file(path: Path, where: str, entry: Any, seen: frozenset[str], inodes: set[tuple[int, int]]) -> None:
    if not isinstance(entry, dict):
        raise OutputError(f"{path} was not written by {TOOL}. {_ADVICE}")
    about = os.stat(path)
    if (about.st_dev, about.st_ino) in inodes:
        return
    same = entry.get("size") == about.st_size and entry.get("mtime_ns") == about.st_mtime_ns
    digest = entry.get("sha256") if same else files.sha256(path)
    if "size" not in entry:
        if digest != entry.get("sha256"):
            raise OutputError(f"{path} was changed by hand. {_ADVICE}")
    elif digest not in seen:
        raise OutputError(f"{path} is the only one left of this photo: it is not among those looked at. {_ADVICE}")


@contextlib.contextmanager
def _stage(real: Path) -> Iterator[Path]:
    """A folder beside OUT, held against a second run; gone at the end unless it became OUT."""
    stage = _beside(real, "new")
    real.parent.mkdir(parents=True, exist_ok=True)
    stage.mkdir(mode=0o700, exist_ok=True)  # faces and names: the owner's alone, until the owner says otherwise
    if real.is_dir():
        stage.chmod(stat.S_IMODE(real.stat().st_mode))
    handle = _lock(stage)
    try:
        for left in stage.iterdir():  # of a run that was killed
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if handle >= 0:
            os.close(handle)


def _swap(stage: Path, real: Path) -> None:
    old = _beside(real, "old")
    if os.path.lexists(real):
        os.rename(real, old)
    os.rename(stage, real)
    shutil.rmtree(old, ignore_errors=True)  # what is left of it goes with the next run


def _recover(real: Path) -> None:
    """After a kill between the two renames the old OUT is put back; what a kill left of an old one is removed."""
    old = _beside(real, "old")
    if not old.is_dir():
        return
    if os.path.lexists(real):
        shutil.rmtree(old)
    else:
        os.rename(old, real)


def _beside(real: Path, what: str) -> Path:
    if not real.name:
        raise OutputError(f"{real} cannot be a result. Give a new folder.")
    return real.parent / f".{real.name}.edge-facenet-{what}"


def _put(stage: Path, link: Link, copies: bool) -> bool:
    """One photo into the new OUT; whether it is a hard link."""
    target = os.path.join(os.fsencode(stage), link.where.encode("utf-8", "surrogateescape"))
    source = os.path.realpath(link.shot.path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    linked = not copies and _linked(source, target)
    if not linked:
        shutil.copy2(source, target)
    about = os.stat(source)
    if (about.st_size, about.st_mtime_ns) != (link.shot.size, link.shot.mtime_ns):
        raise OutputError(f"The photo {link.shot.name!r} was changed while the album was looked at. Run it again.")
    return linked


def _linked(source: bytes, target: bytes) -> bool:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        raise
    return True


def _lock(stage: Path) -> int:
    try:
        return files.lock_folder(stage)
    except BlockingIOError as error:
        raise OutputError(f"Another {TOOL} is writing beside {stage.parent}. Wait until it has finished.") from error


@contextlib.contextmanager
def _reported(out: Path) -> Iterator[None]:
    try:
        yield
    except EdgeFacenetError:
        raise
    except OSError as error:
        named = f" ({os.fsdecode(error.filename)})" if error.filename is not None else ""
        raise OutputError(
            f"Cannot write {out}: {error.strerror or error}{named}. What was there before is untouched."
        ) from error
