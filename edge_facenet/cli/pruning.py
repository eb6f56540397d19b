"""`enroll --from FOLDER --prune`: what the gallery has of a folder in which it is no more."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from edge_facenet.photos.shots import as_source, source_of
from edge_facenet.recognise import FaceRecognizer


def gone(recognizer: FaceRecognizer, person: int, home: Path, photos: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Somebody's enrolled photos from below a folder of which neither name nor content is there any more, beyond doubt.

    Args:
        photos: source and sha256 of those that are there.
    """
    sources, hashes = {source for source, _ in photos}, {digest for _, digest in photos}
    inside = _below(home)
    known = recognizer.photos_of(person)
    missing = (s for s, h in known if s.startswith(inside) and s not in sources and h not in hashes)
    return tuple(sorted(source for source in missing if _is_gone(source)))


def prune(recognizer: FaceRecognizer, person: int, sources: Collection[str]) -> tuple[int, bool]:
    """Forget these photos; the person, too, when none is left. Gives how many, and whether the person is forgotten."""
    with recognizer.gallery.writing() as session:
        enrolled = [face for face in session.faces(person) if not face.rejected]
        rows = [face for face in enrolled if face.source in sources]
        session.touch(person)
        removed = session.remove(rows)
        if forgotten := len(rows) == len(enrolled):
            session.forget([person])
    return removed, forgotten


def departed(recognizer: FaceRecognizer, folder: Path, names: Collection[str]) -> list[int]:
    """Ids of people with photos that are gone from a sub-folder of `folder` that is none of `names`."""
    inside = _below(folder)
    there = {as_source(name) for name in names}
    found = []
    for person in recognizer.gallery.people():
        sources = [source for source, _ in recognizer.photos_of(person.id) if source.startswith(inside)]
        homes = {source[len(inside) :].partition(os.sep)[0] for source in sources}
        if not homes & there and any(map(_is_gone, sources)):
            found.append(person.id)
    return found


def _is_gone(source: str) -> bool:
    """Whether nothing is at this path, and not merely out of reach: behind a broken link, a locked folder, a failing disk."""
    if os.sep == "/" and "\\" in source:  # perhaps not the path itself, but what stands for bytes that are no text
        return False
    try:
        os.lstat(source)
    except FileNotFoundError:
        return not any(os.path.islink(place) and not os.path.exists(place) for place in Path(source).parents)
    except NotADirectoryError:
        return True
    except OSError:
        return False
    return False


def _below(folder: Path) -> str:
    return source_of(folder) + os.sep
