"""How good a face is for recognition: measured, then judged against rules whose limits come from measurements.

The limits were set where the released network begins to fail, on people it was never trained on (91 people of a web
collection, 455 photos against templates of three others, at their own threshold for FAR 1e-3: TAR 72 % as they are), the
photos shrunk, blurred, darkened. ORL's 400 photos pass. Degraded strangers were accepted at 1.7 times the nominal rate at
most (a blur of 1 px), and less the worse they were: a bad photo costs recognition, hardly safety. Enrolment therefore
refuses what identification only remarks on.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import cv2
import numpy as np

from edge_facenet.errors import ConfigError
from edge_facenet.schema import doc

from .align import Floats, Pixels, outside
from .face import Face
from .mesh import PRESENT

__all__ = ["KEEP_ALL", "Quality", "QualityRules", "judge", "measure", "measured", "only"]


@dataclass(frozen=True)
class Quality:
    """What was measured on one face."""

    face_px: float = doc(
        "distance between the eyes, px of the photo as it was read: where that was at reduced size, of those"
    )
    blur: float = doc("variance of the Laplacian of the grey 112-px crop; low = blurred")
    luminance: float = doc("mean luminance of the crop, 0..255")
    yaw: float | None = doc("degrees the face looks to the picture's right; None where the mesh sees no face")
    pitch: float | None = doc("degrees the face looks up; None where the mesh sees no face")
    roll: float = doc("degrees between the eye line and level, clockwise")
    score: float = doc("of the face detector, 0..1")
    presence: float = doc("of the face mesh, 0..1")
    cut_off: float = doc("share of the face, eyes to mouth, that lies outside the photo, 0..1")


@dataclass(frozen=True)
class QualityRules:
    """What a face must be like to be enrolled. `QualityRules(yaw=180, pitch=180)` asks nothing of the pose."""

    face_px: float = doc("least distance between the eyes, px: TAR 70 % at 19 px, 67 at 15, 60 at 12, 31 at 9", 16.0)
    blur: float = doc("least variance of the Laplacian: TAR 71 % at 42, 62 at 21, 44 at 12, 20 at 8", 15.0)
    darkest: float = doc(
        "least mean luminance: with a camera's noise TAR 64 % at 54, 55 at 38, 40 at 27, 15 at 16", 35.0
    )
    brightest: float = doc(
        "largest mean luminance; sound faces reach 191, burnt-out ones are rarely found at all", 210.0
    )
    yaw: float = doc("largest turn to a side, degrees: TAR 74 % below 30, 41 beyond", 35.0)
    pitch: float = doc("largest turn up or down, degrees: TAR 78 % below 10, 64 to 15, 30 beyond (40 faces)", 35.0)
    roll: float = doc("largest tilt, degrees: crops are levelled, so only the detector and the mesh set it", 45.0)
    score: float = doc("least score of the detector: lower ones come from its second try", 0.5)
    presence: float = doc(
        "least presence of the mesh: lower ones are profiles, aligned by the detector's points", PRESENT
    )
    cut_off: float = doc("largest share of the face outside the photo, 0..1; as in `prepare`", 0.2)

    def __post_init__(self) -> None:
        wrong = [name for name, value in vars(self).items() if not math.isfinite(value) or value < 0]
        if wrong:
            raise ConfigError(
                f"A quality limit is a finite number of at least 0; {wrong[0]} is {vars(self)[wrong[0]]:g}."
            )


KEEP_ALL = {"brightest": 255.0, "yaw": 180.0, "pitch": 180.0, "roll": 180.0, "cut_off": 1.0}
"""Limits that refuse nothing; those not named here are 0."""


def only(limits: dict[str, float]) -> QualityRules:
    """Rules of these limits alone: nothing else is refused.

    >>> only({"face_px": 24}).yaw
    180.0
    """
    names = [field.name for field in dataclasses.fields(QualityRules)]
    return QualityRules(**{name: limits.get(name, KEEP_ALL.get(name, 0.0)) for name in names})


def measure(face: Face, crop: Pixels, matrix: Floats, shape: tuple[int, ...]) -> Quality:
    """The quality of a face, in the pixels that its crop is cut from.

    Args:
        crop: (s, s, 3) uint8 RGB, the template without margin.
        matrix: (2, 3), photo px to crop px.
        shape: of the photo, (h, w, ...).
    """
    return measured(face, crop, outside(matrix, shape, crop.shape[0], 0)[1])


def measured(face: Face, crop: Pixels, cut_off: float) -> Quality:
    """The quality of a face of which the share outside the photo is known already."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return Quality(
        face_px=round(float(np.hypot(*(face.points[1] - face.points[0]))), 1),
        blur=round(float(cv2.Laplacian(grey, cv2.CV_64F).var()), 1),
        luminance=round(float(grey.mean()), 1),
        yaw=_tenth(face.yaw),
        pitch=_tenth(face.pitch),
        roll=round(face.tilt, 1),
        score=round(face.score, 4),
        presence=round(face.presence, 4),
        cut_off=round(cut_off, 4),
    )


def judge(quality: Quality, rules: QualityRules = QualityRules()) -> tuple[str, ...]:
    """Why a face is not good enough, each reason with what was found and the limit; empty when it is.

    >>> good = Quality(60, 200, 120, 3, -2, 0, 0.9, 1.0, 0.0)
    >>> judge(good)
    ()
    >>> judge(Quality(8, 200, 120, 50, -2, 0, 0.9, 1.0, 0.0))
    ('too small: 8 px between the eyes, at least 16 needed', 'turned away: 50 degrees to a side, at most 35')
    """
    q, found = quality, list[str]()
    if q.score < rules.score or q.presence < rules.presence:
        found.append(_doubtful(q, rules))
    if q.face_px < rules.face_px:
        found.append(f"too small: {q.face_px:g} px between the eyes, at least {rules.face_px:g} needed")
    if q.blur < rules.blur:
        found.append(f"blurred: sharpness {q.blur:g}, at least {rules.blur:g} needed")
    if q.luminance < rules.darkest:
        found.append(f"too dark: luminance {q.luminance:g} of 255, at least {rules.darkest:g} needed")
    if q.luminance > rules.brightest:
        found.append(f"too bright: luminance {q.luminance:g} of 255, at most {rules.brightest:g}")
    return tuple(found + _pose(q, rules))


def _doubtful(q: Quality, rules: QualityRules) -> str:
    if q.score < rules.score:
        return f"hardly a face: detector's score {q.score:.2f}, at least {rules.score:g} needed"
    return f"in profile or covered: face mesh {q.presence:.2f}, at least {rules.presence:g} needed"


def _pose(q: Quality, rules: QualityRules) -> list[str]:
    found = []
    if q.yaw is not None and abs(q.yaw) > rules.yaw:
        found.append(f"turned away: {abs(q.yaw):g} degrees to a side, at most {rules.yaw:g}")
    if q.pitch is not None and abs(q.pitch) > rules.pitch:
        found.append(f"looks {'up' if q.pitch > 0 else 'down'}: {abs(q.pitch):g} degrees, at most {rules.pitch:g}")
    if abs(q.roll) > rules.roll:
        found.append(f"tilted: {abs(q.roll):g} degrees, at most {rules.roll:g}")
    if q.cut_off > rules.cut_off:
        found.append(f"cut off: {q.cut_off:.0%} of the face lies outside the photo, at most {rules.cut_off:.0%}")
    return found


def _tenth(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
