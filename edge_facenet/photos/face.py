"""One face of a photo, as detector and mesh found it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .align import Floats
from .mesh import PRESENT

ALONE = 0.75
"""A face that the mesh does not confirm counts above this score. Phantoms beside the subject of 2,000 portraits (an ear, an
eye, a collar) had 0.51 to 0.61, those in textures without a face 0.51 to 0.68, one 0.77."""


@dataclass(frozen=True)
class Face:
    """One face of a photo."""

    score: float
    """Of the detector, 0..1."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom, px of the pixels looked at; may reach over the edge."""
    points: Floats
    """(5, 2) px, in the template's order."""
    presence: float
    """Of the mesh, 0..1; below 0.5 the points are the detector's own."""
    turns: int = 0
    """Quarter turns anti-clockwise that bring the photo upright."""
    yaw: float | None = None
    """Degrees the face looks to the picture's right; None where the mesh sees no face."""
    pitch: float | None = None
    """Degrees the face looks up; None where the mesh sees no face."""

    @property
    def side(self) -> float:
        """The box's longer side, px."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def tilt(self) -> float:
        """Degrees between the eye line and level in the photo as turned, -180..180."""
        line = self.points[1] - self.points[0]
        return float((np.degrees(np.arctan2(line[1], line[0])) - 90 * self.turns + 180) % 360 - 180)

    @property
    def is_face(self) -> bool:
        """The detector is sure, or the mesh confirms what it is not sure of."""
        return self.score > PRESENT or self.presence >= PRESENT

    @property
    def is_sure(self) -> bool:
        """The mesh confirms it, or the detector is too sure for a phantom (a profile, which the mesh does not see)."""
        return self.presence >= PRESENT or self.score >= ALONE
