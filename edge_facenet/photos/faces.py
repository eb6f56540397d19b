"""A photo's faces with their five points: detector, mesh, choice among several, and the try with the photo turned."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .align import TEMPLATE, Floats, Pixels, apply, invert, similarity
from .detect import Detection, Finds
from .face import Face
from .far import ROOM, Proposes, closer, far_faces
from .mesh import PRESENT, Mesh
from .pieces import Box, Placed, apart, area

LEVEL_DEGREES = 45.0
"""A stored face's eye line lies within this of level in the photo as turned."""
_SURE_SCORE, _SURE_DEGREES = 0.85, 30.0
"""Above this score, this level, and with a better score than upside down, the photo is taken as upright at once. Measured
on 400 ORL and 300 LFW photos and 100 synthetic faces, each in four orientations: no face was stored turned."""
_BEYOND_DOUBT = 0.9
"""Above this score a level face with a mesh is upright without a look at the photo upside down. Of 7,500 photos and crops of
LFW, CelebA, UTKFace, AAF and jai turned by 180 degrees, tight and with room, none reached 0.89."""
_LARGE = 1 / ROOM
"""A face of this share of the photo's longer side, or more, is not looked at again by itself."""


class Locates(Protocol):
    """Anything that finds a face's points."""

    def locate(self, photo: Pixels, face: Detection) -> Mesh:
        """Points of a detected face."""
        ...


class FaceFinder:
    """Finds faces. Give it other parts with the same interface to test what stands behind.

    Args:
        detector: usually `BlazeFace`.
        mesh: usually `FaceMesh`.
        far: says where small faces may be, usually `BlazeFace` with the full-range network; None = nobody does.
    """

    def __init__(self, detector: Finds, mesh: Locates, far: Proposes | None = None) -> None:
        self._detector, self._mesh, self._far = detector, mesh, far

    @property
    def finds_small(self) -> bool:
        """Whether small faces are looked for."""
        return self._far is not None

    def find(self, photo: Pixels, most: int | None = None, *, turned: bool = True) -> tuple[list[Face], int]:
        """Faces, the photo's subject first: largest area times centrality.

        The photo is looked at as it is; where that shows no face, or one not surely upright, also turned by 90, 180 and
        270 degrees, and the orientation with the highest score + presence among those with a level eye line wins. Where
        that finds nothing sure, small faces are looked for; a small face that seems to lie or to stand on its head is
        looked at again, alone.

        Args:
            photo: (h, w, 3) uint8 RGB.
            most: locate the points of so many faces only.
            turned: whether other orientations and small faces are tried; a camera's frames, upright, need none.
        Returns:
            faces with points, and how many were detected.
        """
        found, count = self._whole(photo, most, turned=turned)
        if not turned or (found and found[0].is_sure and not found[0].turns):
            return found, count
        if found and found[0].is_sure:
            better = self._righted(photo, found)
        else:
            better = far_faces(photo, self._far, self._sure_faces) if self._far else []
        if not better:
            return found, count
        return sorted(better, key=lambda face: -prominence(face, photo.shape))[:most], len(better)

    def _righted(self, photo: Pixels, found: list[Face]) -> list[Face]:
        """Faces that stand otherwise than the photo seemed to: a small one may be seen upside down, and only so."""
        if found[0].side > _LARGE * max(photo.shape[:2]):
            return []
        again = closer(photo, found[0], self._sure_faces)
        if not again or again[0].turns == found[0].turns:
            return []
        return apart(again + [face for other in found[1:] for face in closer(photo, other, self._sure_faces)])

    def _sure_faces(self, part: Pixels) -> list[Face]:
        return [face for face in self._whole(part, None, turned=True)[0] if face.is_sure]

    def _whole(self, photo: Pixels, most: int | None, *, turned: bool) -> tuple[list[Face], int]:
        upright = self._detections(photo, 0)
        first = self._face(photo, upright[0]) if upright else None
        if not turned and not (first and first.is_face):
            return [], 0
        if first and (not turned or self._sure(photo, first)):
            return [first, *(self._face(photo, d) for d in upright[1:most])], len(upright)
        looks = [(first, upright)] if first else []
        for turns in (1, 2, 3):
            if found := self._detections(photo, turns):
                looks.append((self._face(photo, found[0]), found))
        looks = [look for look in looks if look[0].is_face and abs(look[0].tilt) <= LEVEL_DEGREES]
        if not looks:
            return [], 0
        best, found = max(looks, key=lambda look: look[0].score + look[0].presence)
        return [best, *(self._face(photo, d) for d in found[1:most])], len(found)

    def _sure(self, photo: Pixels, face: Face) -> bool:
        if face.score < _SURE_SCORE or face.presence < PRESENT or abs(face.tilt) > _SURE_DEGREES:
            return False
        return face.score >= _BEYOND_DOUBT or all(d.score < face.score for d in self._detector.detect(photo, 2))

    def _detections(self, photo: Pixels, turns: int) -> list[Detection]:
        found = [d for d in self._detector.detect(photo, turns) if np.isfinite([*d.box, *d.points.reshape(-1)]).all()]
        return sorted(found, key=lambda d: -prominence(d, photo.shape))

    def _face(self, photo: Pixels, detection: Detection) -> Face:
        mesh = self._mesh.locate(photo, detection)
        seen = mesh.presence >= PRESENT
        points = mesh.five() if seen else detector_points(detection)
        yaw, pitch = (mesh.turned() if seen else None) or (None, None)
        return Face(detection.score, detection.box, points, mesh.presence, detection.turns, yaw, pitch)


def prominence(face: Placed, shape: tuple[int, ...]) -> float:
    """Area times centrality: picks the subject of a photo, and on LFW the same face as "nearest the centre"."""
    return area(face.box) * max(1 - off_centre(face.box, shape) / (max(shape[0], shape[1]) / 2), 0.05) ** 2


def off_centre(box: Box, shape: tuple[int, ...]) -> float:
    """Px between the centres of a box and of a photo of `shape` (h, w, ...)."""
    return float(np.hypot((box[0] + box[2] - shape[1]) / 2, (box[1] + box[3] - shape[0]) / 2))


def detector_points(face: Detection) -> Floats:
    """Five points where there is no mesh: the mouth's corners are put about its middle as the template has them."""
    seen = face.points[:4]
    middle = TEMPLATE[3:].mean(0)
    matrix = similarity(seen, np.vstack([TEMPLATE[:3], middle]))
    corners = apply(invert(matrix), TEMPLATE[3:]) + (seen[3] - apply(invert(matrix), middle[None])[0])
    return np.vstack([seen[:3], corners])
