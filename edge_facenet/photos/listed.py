"""A CSV that lists photos: `path,identity`, one line each, instead of a folder's layout.

Paths are relative to the CSV's folder, or absolute; an empty identity (or no such column) is a photo without a name. Every
path listed is taken, hard links and links too: whoever lists them means them.
"""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edge_facenet.errors import InputError

from .rows import Rejection, encode
from .walk import Entry, Listing

SUFFIX = ".csv"
_PATH, _IDENTITY = "path", "identity"


def read_listing(table: Path) -> Listing:
    """The photos that a CSV lists, sorted by the bytes of their names.

    Raises:
        InputError: it cannot be read, has no column `path`, or gives one path two identities.
    """
    identities: dict[str, str] = {}
    for line, path, identity in _lines(table):
        if identities.setdefault(path, identity) != identity:
            raise InputError(
                f"{table}, line {line}: {path!r} is {identity!r} here and {identities[path]!r} above. Give one of them."
            )
    entries, refused = [], []
    for path in sorted(identities, key=encode):
        place = os.path.join(os.fsencode(table.absolute().parent), encode(path))
        if reason := _fault(place):
            refused.append(Rejection(path, reason))
        else:
            entries.append(Entry(place, path, identities[path]))
    return Listing(tuple(entries), tuple(refused), (f"Listed in {table.name}.",))


def _lines(table: Path) -> Iterator[tuple[int, str, str]]:
    """Line, path and identity of each row."""
    try:
        with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            if _PATH not in (reader.fieldnames or ()):
                raise InputError(f"{table} has no column {_PATH}. Its first line must be: {_PATH},{_IDENTITY}")
            for row in reader:
                path = row[_PATH]
                if not path or "\0" in path:
                    raise InputError(f"{table}, line {reader.line_num}: there is no path.")
                yield reader.line_num, path, row.get(_IDENTITY) or ""
    except OSError as error:
        raise InputError(f"Cannot read {table}: {error.strerror}.") from error
    except csv.Error as error:
        raise InputError(f"{table} is not a CSV: {error}.") from error


def _fault(place: bytes) -> str | None:
    """Why a path is no file that could be read."""
    try:
        mode = os.stat(place).st_mode
    except OSError as error:
        return f"The file cannot be read: {error.strerror}."
    return None if stat.S_ISREG(mode) else "Not a regular file."
