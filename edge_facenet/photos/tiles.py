"""Small faces of a large photo: looked for in overlapping parts, where they are as large as the detector wants them.

Measured with ORL's faces pasted into textured pictures, 30 a size, by the side of the face's box as a share of the longer
side: on the whole photo 0.16 is found always, 0.1 in 20 to 30 %; with parts, at 640 px 0.1 always and 0.08 in 63 %, at
1,600 px 0.065 in 97 % and 0.05 in 63 %; 0.04 hardly ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .align import Pixels
from .face import Face
from .mesh import PRESENT
from .pieces import Box, apart, area, moved, parts

_SURE = 0.6
"""Least score of a face seen in a part alone, whose mesh must see it, too: parts show the detector textures enlarged."""


class Finder(Protocol):
    """Anything that finds a photo's faces."""

    def find(self, photo: Pixels, most: int | None = None, *, turned: bool = True) -> tuple[list[Face], int]:
        """As `FaceFinder.find`."""
        ...


def small_faces(photo: Pixels, finder: Finder, known: Sequence[Face]) -> list[Face]:
    """Upright faces in parts of a photo that are not among those known, largest first.

    Args:
        photo: (h, w, 3) uint8 RGB.
        known: faces of the whole photo.
    """
    found: list[Face] = []
    for left, top, part in parts(photo):
        for face in finder.find(part, turned=False)[0]:
            if face.score >= _SURE and face.presence >= PRESENT and not _cut(face.box, part.shape):
                found.append(moved(face, left, top))
    kept = apart(sorted(found, key=lambda face: -face.score), known)
    return sorted(kept, key=lambda face: -area(face.box))


def _cut(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a part's edge goes through a face: another part shows it whole, or the whole photo does."""
    return box[0] < 0 or box[1] < 0 or box[2] > shape[1] or box[3] > shape[0]
