"""Which files a run is about. Every file under the folders given is listed once: as a candidate, or with a reason.

Rules, which `prepare --help` tells in other words:
- The identity is the folder of the first level under the folder given; files at any depth below belong to it. Files
  directly in the folder given have no identity.
- Links are followed; each real file and each real folder is taken once, under its own name rather than a link's.
- Hidden folders (.git, .thumbnails) are not entered.

Names are handled as bytes and sorted as bytes, so neither the folder's order nor the locale changes the result.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_facenet.errors import InputError

from .rows import Rejection, decode, encode

_MOST_NOTES = 20


@dataclass(frozen=True)
class Entry:
    """One file to look at."""

    path: bytes
    """As the operating system takes it."""
    name: str
    """Relative to the photos' root, with "/"."""
    identity: str
    """"" = unlabelled."""


@dataclass(frozen=True)
class Listing:
    """Everything found, sorted by the bytes of the names."""

    entries: tuple[Entry, ...]
    refused: tuple[Rejection, ...]
    """Broken links, pipes, folders that cannot be read."""
    notes: tuple[str, ...]
    again: tuple[str, ...] = ()
    """Second names of files and folders that are taken under another one."""


def walk(roots: Sequence[Path], leave_out: Path | None = None) -> Listing:
    """List the files of folders (or single files).

    Args:
        leave_out: a folder not to enter: the crop set being written.
    Raises:
        InputError: a root does not exist.
    """
    walker = _Walker(left_out=_key(os.stat(leave_out)) if leave_out is not None and leave_out.is_dir() else None)
    outer = walker.outermost(roots)
    base = _base(outer)
    for root in outer:
        prefix = os.path.relpath(root, base).replace(os.fsencode(os.sep), b"/")
        walker.start(root, b"" if prefix == b"." else prefix)
    walker.settle()
    walker.follow_links()
    entries = sorted(walker.entries, key=lambda e: encode(e.name))
    notes = [*walker.notes(), *_collisions(e.name for e in entries)]
    refused = sorted(walker.refused, key=lambda r: encode(r.photo))
    return Listing(tuple(entries), tuple(refused), tuple(notes), tuple(sorted(walker.again, key=encode)))


@dataclass
class _Place:
    """A folder or file on the way, and the identity fixed by the first level above it (None: not yet)."""

    path: bytes
    name: bytes
    identity: bytes | None

    def child(self, name: bytes, is_folder: bool) -> _Place:
        below = self.name + b"/" + name if self.name else name
        identity = self.identity
        if identity is None and is_folder:
            identity = name
        return _Place(os.path.join(self.path, name), below, identity)


@dataclass
class _Walker:
    left_out: tuple[int, ...] | None = None
    entries: list[Entry] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    folders: set[tuple[int, ...]] = field(default_factory=set)
    files: set[tuple[int, ...]] = field(default_factory=set)
    pending: list[tuple[_Place, os.stat_result]] = field(default_factory=list)
    links: list[_Place] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    followed: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)

    def outermost(self, roots: Sequence[Path]) -> list[bytes]:
        """Absolute paths of the roots, without those that lie inside another one."""
        if not roots:
            raise InputError("No folder of photos was given.")
        paths = list(dict.fromkeys(os.path.abspath(os.fsencode(root)) for root in roots))
        for path in paths:
            if not os.path.exists(path):
                raise InputError(f"There is no folder {os.fsdecode(path)}.")
        real = {path: os.path.realpath(path) for path in paths}
        kept: list[bytes] = []
        for path in sorted(paths, key=lambda p: (len(real[p]), p)):
            holder = next((k for k in kept if _holds(real[k], real[path])), None)
            if holder is None:
                kept.append(path)
            else:
                self.inside.append(f"{os.fsdecode(path)} lies inside {os.fsdecode(holder)} and is read with it.")
        return sorted(kept)

    def start(self, root: bytes, name: bytes) -> None:
        if os.path.isdir(root):
            self.enter(_Place(root, name, None))
        else:
            self.take(_Place(root, name or os.path.basename(root), None), os.stat(root))

    def enter(self, start: _Place) -> None:
        """List a folder and all below it, links put aside for later."""
        waiting = [start]
        while waiting:
            place = waiting.pop()
            try:
                about = os.stat(place.path)
                if _key(about) == self.left_out or not self._first_time(self.folders, about, place.name):
                    continue
                with os.scandir(place.path) as found:
                    items = sorted(found, key=lambda item: item.name)
            except OSError as error:
                self.refuse(place, f"The folder cannot be read: {error.strerror}.")
                continue
            for item in items:
                self._sort(place, item, waiting)

    def _sort(self, place: _Place, item: os.DirEntry[bytes], waiting: list[_Place]) -> None:
        try:
            is_link, is_folder = item.is_symlink(), item.is_dir(follow_symlinks=False)
            here = place.child(item.name, is_folder)
            if is_link:
                self.links.append(here)
            elif is_folder and item.name.startswith(b"."):
                self.hidden.append(decode(here.name))
            elif is_folder:
                waiting.append(here)
            else:
                self.take(here, os.stat(here.path))
        except OSError as error:
            self.refuse(place.child(item.name, False), f"The file cannot be read: {error.strerror}.")

    def follow_links(self) -> None:
        """Links come last, so that a file is known by its own name where it has one among the folders given."""
        while self.links:
            waiting, self.links = sorted(self.links, key=lambda p: p.name), []
            for place in waiting:
                self.settle()
                try:
                    target = os.stat(place.path)
                except OSError as error:
                    self.refuse(place, f"A broken link: {error.strerror}.")
                    continue
                self.followed.append(decode(place.name))
                if stat.S_ISDIR(target.st_mode):
                    identity = place.name.rsplit(b"/", 1)[-1] if place.identity is None else place.identity
                    self.enter(_Place(place.path, place.name, identity))
                else:
                    self.take(place, target)
        self.settle()

    def take(self, place: _Place, about: os.stat_result) -> None:
        if stat.S_ISREG(about.st_mode):
            self.pending.append((place, about))
        else:
            self.refuse(place, "Not a regular file (a pipe, socket or device).")

    def settle(self) -> None:
        """Enter what was taken, in the order of names: of two hard links the first name counts."""
        for place, about in sorted(self.pending, key=lambda item: item[0].name):
            if self._first_time(self.files, about, place.name):
                self.entries.append(Entry(place.path, decode(place.name), decode(place.identity or b"")))
        self.pending.clear()

    def refuse(self, place: _Place, reason: str) -> None:
        self.refused.append(Rejection(decode(place.name), reason))

    def notes(self) -> list[str]:
        notes = list(self.inside)
        if self.hidden:
            notes.append(f"Hidden folders not entered: {_some(self.hidden)}.")
        if self.followed:
            notes.append(f"Links are followed: {_some(self.followed)}.")
        if self.again:
            notes.append(
                f"Links and second names of what was taken already, each real file is taken once: {_some(self.again)}."
            )
        return notes

    def _first_time(self, seen: set[tuple[int, ...]], about: os.stat_result, name: bytes) -> bool:
        key = _key(about)
        if about.st_ino and key in seen:
            self.again.append(decode(name) or ".")
            return False
        seen.add(key)
        return True


def _base(roots: Sequence[bytes]) -> bytes:
    try:
        base = os.path.commonpath(roots)
    except ValueError as error:  # Windows
        raise InputError("The folders of photos lie on different drives. Prepare them one by one.") from error
    return os.path.dirname(base) if os.path.isfile(base) else base


def _key(about: os.stat_result) -> tuple[int, ...]:
    return (about.st_dev, about.st_ino)


def _holds(outer: bytes, inner: bytes) -> bool:
    return inner == outer or inner.startswith(outer.rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep))


def _collisions(names: Iterable[str]) -> list[str]:
    """Names, of folders too, that are one name on Windows and macOS: they differ by case or by Unicode form only."""
    groups: dict[str, set[str]] = {}
    for name in names:
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
            groups.setdefault(folded, set()).add(path)
    found = [sorted(group, key=encode) for _, group in sorted(groups.items()) if len(group) > 1]
    notes = [f"One name on Windows and macOS, kept apart here: {', '.join(map(ascii, group))}." for group in found]
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = [f"… and {len(notes) - _MOST_NOTES} more names that collide on Windows and macOS."]
    return notes


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, sorted(names, key=encode)[:5]))
    return f"{shown} ({len(names)} in all)" if len(names) > 5 else shown
