"""One photo to one crop, or to the reason why not."""

from __future__ import annotations

import dataclasses
import os
import stat
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_facenet import files
from edge_facenet.errors import InputError, PhotoError
from edge_facenet.schema import doc, to_json

from .align import BORDER, Pixels, outside, scale_of, similarity, target, warp
from .choose import MEANING, Policy, chosen, real
from .decode import Limits, Photo, decode, too_large
from .face import Face
from .faces import LEVEL_DEGREES, FaceFinder
from .models import CATALOGUE, FAR
from .quality import Quality, QualityRules, judge, measured
from .rows import CropRow, Points, Rejection
from .sealed import Layout
from .tiles import small_faces
from .walk import Entry

REVISION = 1
"""Raised when the same photos would give other crops; crop sets of another revision are not continued."""
_NEARLY_BLACK, _NEARLY_WHITE = 10.0, 245.0
_SIZE = "size:"


@dataclass(frozen=True)
class Rules:
    """What decides how photos become crops."""

    layout: Layout = doc("how crops are cut", Layout())
    limits: Limits = doc("what a photo may be", Limits())
    most_cut: float = doc("largest share of the face's inner part that may lie outside its photo, 0..1", 0.2)
    faces: Policy = doc("which of a photo's faces are cut", "subject")
    quality: QualityRules | None = doc("what a face must be like to be kept; None = everything is kept", None)

    def settings(self, small: bool = True) -> dict[str, Any]:
        """For `prepare.json`.

        Args:
            small: whether small faces are looked for (the full-range detector is set up).
        """
        models = (*CATALOGUE, FAR) if small else CATALOGUE
        return {
            "revision": REVISION,
            "limits": to_json(self.limits),
            "outside the photo": BORDER,
            "most of the face outside the photo": self.most_cut,
            "face": MEANING[self.faces],
            "small faces": "looked for where the whole photo shows none surely" if small else "not looked for",
            "turned": "90, 180, 270 degrees are tried where the photo is not surely upright",
            "level within degrees": LEVEL_DEGREES,
            "transparency": "on white",
            "brightened": False,
            "quality": "everything is kept" if self.quality is None else to_json(self.quality),
            "face models": {model.name: model.sha256 for model in models},
        }


@dataclass(frozen=True)
class Found:
    """A crop and its row (its number is given by the writer)."""

    row: CropRow
    crop: Pixels


def read(path: bytes, limits: Limits) -> tuple[bytes | None, str]:
    """A file's bytes and their sha256.

    Returns:
        (None, "size:N") for a file above the limit, which is not read: `unread` says so.
    Raises:
        OSError: it cannot be read.
    """
    # A pipe put in a file's place since the folder was listed must not block.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as stream:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(0, "not a regular file")
        if about.st_size > limits.bytes:
            return None, f"{_SIZE}{about.st_size}"
        data = stream.read(limits.bytes + 1)
    return data, files.sha256(data)


def unread(digest: str, limits: Limits) -> str:
    """What is said of a file that `read` left unread, by what it gave as its digest."""
    return too_large(int(digest.removeprefix(_SIZE)), limits)


def examine(entry: Entry, finder: FaceFinder, rules: Rules) -> Found | Rejection:
    """As `examine_all`, under a policy that takes one face."""
    result = examine_all(entry, finder, rules)
    return result if isinstance(result, Rejection) else result[0]


def examine_all(entry: Entry, finder: FaceFinder, rules: Rules) -> tuple[Found, ...] | Rejection:
    """Read, decode, find, align. Whatever is wrong with a photo ends as a `Rejection`, never as an exception.

    Returns:
        the crops of one photo, several only under the policy "all".
    """
    try:
        data, digest = read(entry.path, rules.limits)
    except OSError as error:
        return Rejection(entry.name, f"The file cannot be read: {error.strerror}.")
    if data is None:
        return Rejection(entry.name, unread(digest, rules.limits), None, digest)
    try:
        photo = decode(data, rules.limits)
    except PhotoError as error:
        return Rejection(entry.name, str(error), None, "" if error.again else digest)
    result = cut_all(photo, finder, rules)
    if isinstance(result, str):
        return Rejection(entry.name, result, round(photo.luminance, 1), digest)
    named = entry.identity if rules.faces != "all" or result[0].row.faces == 1 else ""
    return tuple(
        Found(dataclasses.replace(found.row, identity=named, source=entry.name, sha256=digest), found.crop)
        for found in result
    )


def cut(photo: Photo, finder: FaceFinder, rules: Rules) -> Found | str:
    """The crop of the one face that the policy takes, or why there is none."""
    result = cut_all(photo, finder, rules)
    return result if isinstance(result, str) else result[0]


def cut_all(photo: Photo, finder: FaceFinder, rules: Rules) -> tuple[Found, ...] | str:
    """The crops of the faces that the policy takes, at least one, or why there is none."""
    try:
        faces, count = _faces(photo, finder, rules)
    except InputError as error:
        return str(error)
    if not faces:
        return f"No face found ({_light(photo.luminance)})."
    taken = chosen(faces, photo.pixels.shape, rules.faces)
    if not taken:
        return f"{len(faces)} faces: {_boxes(faces, photo.shrunk)}. One is allowed (--faces reject)."
    found: list[Found] = []
    reasons: list[str] = []
    for face in taken:
        result = _cut(photo, face, rules)
        if isinstance(result, str):
            reasons.append(result)
        else:
            number = faces.index(face) + 1
            found.append(dataclasses.replace(result, row=dataclasses.replace(result.row, faces=count, face=number)))
    return tuple(found) or reasons[0]


def _faces(photo: Photo, finder: FaceFinder, rules: Rules) -> tuple[list[Face], int]:
    """Faces to choose among, the subject first, and how many the photo shows."""
    if rules.faces == "subject":
        return finder.find(photo.pixels, most=1)
    found, _ = finder.find(photo.pixels)
    faces = real(found) or found[:1]
    if rules.faces in ("all", "reject") and all(face.turns == 0 for face in faces):
        faces += small_faces(photo.pixels, finder, faces)
    return faces, len(faces)


def _cut(photo: Photo, face: Face, rules: Rules) -> Found | str:
    size, margin = rules.layout.size, rules.layout.margin
    try:
        matrix = similarity(face.points, target(size, margin))
    except InputError as error:
        return str(error)
    if abs(face.tilt) > LEVEL_DEGREES:
        return f"The face lies at {face.tilt:.0f} degrees, the limit is {LEVEL_DEGREES:g}."
    share, cut_off = outside(matrix, photo.pixels.shape, size, margin)
    if cut_off > rules.most_cut:
        return f"{cut_off:.0%} of the face lies outside the photo, the limit is {rules.most_cut:.0%}."
    crop = warp(photo.pixels, matrix, size)
    inner = slice(margin, size - margin)
    quality = measured(face, crop[inner, inner], cut_off)
    if rules.quality is not None and (reasons := judge(quality, rules.quality)):
        return f"Not good enough: {'; '.join(reasons)}."
    scale = round(scale_of(matrix) / photo.shrunk, 4)
    row = _row(face, quality, photo.shrunk)
    return Found(dataclasses.replace(row, scale=scale, outside=round(share, 4), cut_off=round(cut_off, 4)), crop)


def _row(face: Face, quality: Quality, shrunk: int) -> CropRow:
    return CropRow(
        row=0,
        identity="",
        source="",
        score=quality.score,
        points=_points(np.round(face.points * shrunk, 3).tolist()),
        presence=quality.presence,
        turned=90 * face.turns,
        face_px=quality.face_px,
        blur=quality.blur,
        luminance=quality.luminance,
        roll=quality.roll,
        yaw=quality.yaw,
        pitch=quality.pitch,
    )


def _boxes(faces: list[Face], shrunk: int) -> str:
    """Boxes as people read them: left,top–right,bottom, px of the photo."""
    shown = ["{},{}–{},{}".format(*(round(v * shrunk) for v in face.box)) for face in faces[:3]]
    return "; ".join(shown) + ("; …" if len(faces) > 3 else "")


def _points(points: list[list[float]]) -> Points:
    a, b, c, d, e = ((float(x), float(y)) for x, y in points)
    return (a, b, c, d, e)


def _light(luminance: float) -> str:
    what = ": nearly black" if luminance < _NEARLY_BLACK else ": nearly white" if luminance > _NEARLY_WHITE else ""
    return f"mean luminance {luminance:.1f} of 255{what}"
