"""Which of a photo's faces become crops: the policies of `prepare --faces`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from .face import Face
from .faces import off_centre
from .pieces import Box, area, common

Policy: TypeAlias = Literal["subject", "nearest", "largest", "all", "reject"]
MEANING: dict[Policy, str] = {
    "subject": "largest area x centrality",
    "nearest": "nearest the photo's centre",
    "largest": "largest box",
    "all": "every face; in a photo that shows several, none of them has a name",
    "reject": "photos that show several faces are rejected",
}
_NESTED = 0.7
"""Share of a box inside a better face's box from which on both are one face (its eye region found a second time)."""


def real(found: Sequence[Face]) -> list[Face]:
    """Without phantoms and second looks at one face, in the order given."""
    kept: list[Face] = []
    for face in found:
        others = [other for other in found if other is not face and other.score > face.score]
        if face.is_sure and not any(_inside(face.box, other.box) > _NESTED for other in others):
            kept.append(face)
    return kept


def chosen(faces: Sequence[Face], shape: tuple[int, ...], policy: Policy) -> list[Face]:
    """The faces to cut, those of a photo of `shape` (h, w, ...); empty only when there are none, or too many.

    Args:
        faces: the subject first.
    """
    if not faces or policy == "all":
        return list(faces)
    if policy == "reject":
        return list(faces) if len(faces) == 1 else []
    if policy == "nearest":
        return [min(faces, key=lambda face: off_centre(face.box, shape))]
    if policy == "largest":
        return [max(faces, key=lambda face: area(face.box))]
    return [faces[0]]


def _inside(box: Box, other: Box) -> float:
    """Share of a box that lies inside another one, 0..1."""
    return common(box, other) / area(box) if area(box) > 0 else 0.0
