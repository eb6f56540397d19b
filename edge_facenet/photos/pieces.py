"""Overlapping parts of a photo, and boxes found in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from .align import Floats, Pixels

LEVELS = (0.6, 0.36)
"""Sides of the parts, as shares of the photo's longer side."""
LEAST_SIDE = 256
"""Parts smaller than this, px, show the short-range detector (128 px) little that the whole photo did not."""
SAME = 0.3
"""Share of the smaller box common to two boxes from which on they are one face."""
_OVERLAP = 0.2

Box = tuple[float, float, float, float]


class Placed(Protocol):
    """A detection or a face."""

    @property
    def box(self) -> Box: ...
    @property
    def points(self) -> Floats: ...


T = TypeVar("T", bound=Placed)


def parts(photo: Pixels, least: int = LEAST_SIDE) -> Iterator[tuple[int, int, Pixels]]:
    """Left, top and pixels of each part, large ones first; none whose side is below `least` px."""
    height, width = photo.shape[:2]
    for level in LEVELS:
        side = round(level * max(height, width))
        if side < least:
            return
        for top in _starts(height, side):
            for left in _starts(width, side):
                yield left, top, photo[top : top + side, left : left + side]


def moved(found: T, left: int, top: int) -> T:
    """What was found in a part, as of the photo."""
    box = (found.box[0] + left, found.box[1] + top, found.box[2] + left, found.box[3] + top)
    return dataclasses.replace(found, box=box, points=found.points + np.array([left, top], np.float64))  # type: ignore[type-var]


def apart(faces: Iterable[T], known: Sequence[Placed] = ()) -> list[T]:
    """Each face once, the first of those that are one, and none that is known."""
    kept: list[T] = []
    taken: list[Placed] = [*known]
    for face in faces:
        if all(shared(face.box, other.box) < SAME for other in taken):
            kept.append(face)
            taken.append(face)
    return kept


def shared(a: Box, b: Box) -> float:
    """Area common to two boxes as a share of the smaller one, 0..1.

    >>> shared((0, 0, 10, 10), (5, 0, 25, 20))
    0.5
    """
    smaller = min(area(a), area(b))
    return common(a, b) / smaller if smaller > 0 else 0.0


def common(a: Box, b: Box) -> float:
    """Area in both boxes, px squared."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(high, 0.0)


def area(box: Box) -> float:
    """Px squared."""
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _starts(length: int, side: int) -> list[int]:
    """Where parts begin along one axis, evenly, each overlapping the next by a fifth of its side at least."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / ((1 - _OVERLAP) * side))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]
