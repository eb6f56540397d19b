"""The face mesh: 468 points, of which five align the crop better than the detector's own.

Source of the network: MediaPipe's face mesh (Kartynnik et al., 2019), Apache-2.0. The choice of points was made with LFW
in view; all sane choices tie there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_facenet.engines import Engine
from edge_facenet.errors import ManifestError
from edge_facenet.pixels import PixelSpec

from .align import Floats, Pixels, apply, invert, scale_of, warp
from .detect import Detection

POINTS = 468
KNOWN_COUNTS = (468, 478)
"""With or without ten points of the irises, which follow the others."""
EYE_LEFT = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
EYE_RIGHT = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
"""Contours of the eye at the picture's left (the subject's right) and at the picture's right."""
NOSE, MOUTH_LEFT, MOUTH_RIGHT = 4, 61, 291
_OUTER_LEFT, _OUTER_RIGHT = 33, 263
_TOP, _CHIN = 10, 152
NEUTRAL_PITCH = -11.0
"""Pitch, degrees, of the line from forehead to chin where a face looks into the camera: its median on photos out of four
sources (-12.6, -12.2, -11.5, -10.8)."""
PRESENT = 0.5
_ROI, _WIDE_ROI = 1.5, 2.0
"""Side of the square given to the mesh, in box sides."""


@dataclass(frozen=True)
class Mesh:
    """Points of one face."""

    points: Floats
    """(468, 2) px of the photo."""
    presence: float
    """0..1: whether there is a face at all in the square looked at."""
    depth: Floats | None = None
    """(468,) px of the photo, towards the scene: what is nearer to the camera is smaller."""

    def five(self) -> Floats:
        """(5, 2) px, in the template's order."""
        p = self.points
        return np.stack([p[list(EYE_LEFT)].mean(0), p[list(EYE_RIGHT)].mean(0), p[NOSE], p[MOUTH_LEFT], p[MOUTH_RIGHT]])

    def turned(self) -> tuple[float, float] | None:
        """Yaw and pitch, degrees, -180..180: how far the face looks to the picture's right, and up. None without depth.

        Yaw is the slope of the line between the outer corners of the eyes into the depth, pitch that of the line from
        the top of the forehead to the chin less what it has on a face that looks into the camera.
        """
        if self.depth is None:
            return None
        across, down = (self._line(*ends) for ends in ((_OUTER_LEFT, _OUTER_RIGHT), (_TOP, _CHIN)))
        return _degrees(across), -_degrees(down) - NEUTRAL_PITCH

    def _line(self, start: int, end: int) -> tuple[float, float]:
        """Length in the picture, and depth, of the way between two points."""
        assert self.depth is not None
        return float(np.hypot(*(self.points[end] - self.points[start]))), float(self.depth[end] - self.depth[start])


@dataclass(frozen=True)
class Square:
    """Part of a photo to look at, turned so that the eye line is level."""

    centre: Floats
    side: float
    angle: float
    """Radians, of the eye line in the photo."""


class FaceMesh:
    """The mesh network.

    Args:
        engine: graph with 3 x 468 (or 478) coordinates and one presence logit.
        pixels: size, mean and scale from its manifest.
    Raises:
        ManifestError: the graph gives another number of points.
    """

    def __init__(self, engine: Engine, pixels: PixelSpec) -> None:
        self._engine, self._pixels = engine, pixels
        sizes = [int(np.prod(spec.shape)) for spec in engine.outputs]
        counts = [n // 3 for n in sizes if n > 1]
        if 1 not in sizes or len(counts) != 1 or counts[0] not in KNOWN_COUNTS or 3 * counts[0] not in sizes:
            raise ManifestError(
                f"A face mesh has 468 or 478 points and a presence, this one has outputs of {sizes} values."
            )
        self._points_at, self._presence_at = sizes.index(3 * counts[0]), sizes.index(1)

    def locate(self, photo: Pixels, face: Detection) -> Mesh:
        """Points of a detected face: two passes, and retries unrotated and wider where the first sees no face."""
        level = float(np.arctan2(*(face.points[1] - face.points[0])[::-1]))
        found = self.look(photo, Square(face.centre, _ROI * face.side, level))
        if found.presence < PRESENT:
            retries = [Square(face.centre, k * face.side, face.turns * np.pi / 2) for k in (_ROI, _WIDE_ROI)]
            found = max([found, *(self.look(photo, s) for s in retries)], key=lambda m: m.presence)
        if found.presence < PRESENT:
            return found
        again = self.look(photo, around(found))
        return again if again.presence >= found.presence else found

    def look(self, photo: Pixels, square: Square) -> Mesh:
        """One pass over one square."""
        size = self._pixels.size
        matrix = _onto(square, size)
        crop = warp(photo, matrix, size, cv2.BORDER_CONSTANT)
        outputs = self._engine.run([self._pixels.tensor(crop[None])])
        values = outputs[self._points_at].reshape(-1, 3)[:POINTS].astype(np.float64)
        logit = float(np.clip(outputs[self._presence_at].reshape(-1)[0], -80, 80))
        points, depth = apply(invert(matrix), values[:, :2]), values[:, 2] / scale_of(matrix)
        return Mesh(points, 1 / (1 + float(np.exp(-logit))), depth)


def _degrees(line: tuple[float, float]) -> float:
    return float(np.degrees(np.arctan2(line[1], line[0])))


def around(mesh: Mesh) -> Square:
    """The square for a second pass: the points' bounding box along their own eye line."""
    line = mesh.points[_OUTER_RIGHT] - mesh.points[_OUTER_LEFT]
    angle = float(np.arctan2(line[1], line[0]))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    level = mesh.points @ turn.T
    low, high = level.min(0), level.max(0)
    return Square((low + high) / 2 @ turn, _ROI * float((high - low).max()), angle)


def _onto(square: Square, size: int) -> Floats:
    """Photo px to px of the network's input: (2, 3)."""
    scale = size / max(square.side, 1e-6)
    cos, sin = np.cos(square.angle) * scale, np.sin(square.angle) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, size / 2 - turn @ square.centre])
