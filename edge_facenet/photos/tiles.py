"""Small faces of a large photo: looked for in overlapping parts, where they are as large as the detector wants them.

Measured with ORL's faces pasted into textured pictures, 30 a size, by the side of the face's box as a share of the longer
side: on the whole photo 0.16 is found always, 0.1 in 20 to 30 %; with parts, at 640 px 0.1 always and 0.08 in 63 %, at
1,600 px 0.065 in 97 % and 0.05 in 63 %; 0.04 hardly ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from .align import Pixels
from .faces import Face
from .mesh import PRESENT

LEVELS = (0.6, 0.36)
"""Sides of the parts, as shares of the photo's longer side."""
LEAST_SIDE = 256
"""Parts smaller than this, px, show the detector (128 px) little that the whole photo did not."""
_OVERLAP = 0.2
_SURE = 0.6
"""Least score of a face seen in a part alone, whose mesh must see it, too: parts show the detector textures enlarged."""
_SAME = 0.3
"""Share of the smaller box common to two boxes from which on they are one face."""

Box = tuple[float, float, float, float]


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
                found.append(_moved(face, left, top))
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(shared(face.box, other.box) < _SAME for other in (*known, *kept)):
            kept.append(face)
    return sorted(kept, key=lambda face: -_area(face.box))


def parts(photo: Pixels) -> Iterator[tuple[int, int, Pixels]]:
    """Left, top and pixels of each part."""
    height, width = photo.shape[:2]
    for level in LEVELS:
        side = round(level * max(height, width))
        if side < LEAST_SIDE:
            return
        for top in _starts(height, side):
            for left in _starts(width, side):
                yield left, top, photo[top : top + side, left : left + side]


def shared(a: Box, b: Box) -> float:
    """Area common to two boxes as a share of the smaller one, 0..1.

    >>> shared((0, 0, 10, 10), (5, 0, 25, 20))
    0.5
    """
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min(_area(a), _area(b))
    return max(wide, 0.0) * max(high, 0.0) / smaller if smaller > 0 else 0.0


def _starts(length: int, side: int) -> list[int]:
    """Where parts begin along one axis, evenly, each overlapping the next by a fifth of its side at least."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / ((1 - _OVERLAP) * side))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _cut(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a part's edge goes through a face: another part shows it whole, or the whole photo does."""
    return box[0] < 0 or box[1] < 0 or box[2] > shape[1] or box[3] > shape[0]


def _moved(face: Face, left: int, top: int) -> Face:
    box = (face.box[0] + left, face.box[1] + top, face.box[2] + left, face.box[3] + top)
    return dataclasses.replace(face, box=box, points=face.points + np.array([left, top], np.float64))


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
