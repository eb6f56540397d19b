"""One photo to one crop, or to the reason why not."""

from __future__ import annotations

import dataclasses
import os
import stat
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edge_facenet import files
from edge_facenet.errors import InputError, PhotoError
from edge_facenet.schema import doc, to_json

from .align import BORDER, Pixels, outside, scale_of, similarity, target, warp
from .decode import Limits, Photo, decode
from .faces import LEVEL_DEGREES, Face, FaceFinder
from .models import CATALOGUE
from .rows import CropRow, Points, Rejection
from .sealed import Layout
from .walk import Entry

REVISION = 1
"""Raised when the same photos would give other crops; crop sets of another revision are not continued."""
_NEARLY_BLACK, _NEARLY_WHITE = 10.0, 245.0


@dataclass(frozen=True)
class Rules:
    """What decides how photos become crops."""

    layout: Layout = doc("how crops are cut", Layout())
    limits: Limits = doc("what a photo may be", Limits())
    most_cut: float = doc("largest share of the face's inner part that may lie outside its photo, 0..1", 0.2)

    def settings(self) -> dict[str, Any]:
        """For `prepare.json`."""
        return {
            "revision": REVISION,
            "limits": to_json(self.limits),
            "outside the photo": BORDER,
            "most of the face outside the photo": self.most_cut,
            "face": "largest area x centrality",
            "turned": "90, 180, 270 degrees are tried where the photo is not surely upright",
            "level within degrees": LEVEL_DEGREES,
            "transparency": "on white",
            "brightened": False,
            "face models": {model.name: model.sha256 for model in CATALOGUE},
        }


@dataclass(frozen=True)
class Found:
    """A crop and its row (its number is given by the writer)."""

    row: CropRow
    crop: Pixels


def read(path: bytes, limits: Limits) -> tuple[bytes | None, str]:
    """A file's bytes and their sha256.

    Returns:
        (None, "size:N") for a file above the limit, which is not read.
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
            return None, f"size:{about.st_size}"
        data = stream.read(limits.bytes + 1)
    return data, files.sha256(data)


def examine(entry: Entry, finder: FaceFinder, rules: Rules) -> Found | Rejection:
    """Read, decode, find, align. Whatever is wrong with a photo ends as a `Rejection`, never as an exception."""
    try:
        data, digest = read(entry.path, rules.limits)
    except OSError as error:
        return Rejection(entry.name, f"The file cannot be read: {error.strerror}.")
    if data is None:
        size = int(digest.removeprefix("size:"))
        return Rejection(entry.name, f"The file has {size:,} bytes, the limit is {rules.limits.bytes:,}.", None, digest)
    try:
        photo = decode(data, rules.limits)
    except PhotoError as error:
        again = "pip install" in str(error) or isinstance(error.__cause__, MemoryError)
        return Rejection(entry.name, str(error), None, "" if again else digest)
    result = cut(photo, finder, rules)
    if isinstance(result, str):
        return Rejection(entry.name, result, round(photo.luminance, 1), digest)
    row = dataclasses.replace(result.row, identity=entry.identity, source=entry.name, sha256=digest)
    return Found(row, result.crop)


def cut(photo: Photo, finder: FaceFinder, rules: Rules) -> Found | str:
    """The subject's crop, or why there is none."""
    size = rules.layout.size
    try:
        faces, count = finder.find(photo.pixels, most=1)
        if not faces:
            return f"No face found ({_light(photo.luminance)})."
        face = faces[0]
        matrix = similarity(face.points, target(size, rules.layout.margin))
    except InputError as error:
        return str(error)
    if abs(face.tilt) > LEVEL_DEGREES:
        return f"The face lies at {face.tilt:.0f} degrees, the limit is {LEVEL_DEGREES:g}."
    share, cut_off = outside(matrix, photo.pixels.shape, size, rules.layout.margin)
    if cut_off > rules.most_cut:
        return f"{cut_off:.0%} of the face lies outside the photo, the limit is {rules.most_cut:.0%}."
    crop = warp(photo.pixels, matrix, size)
    row = _row(face, photo, crop, rules.layout.margin)
    scale = round(scale_of(matrix) / photo.shrunk, 4)
    return Found(
        dataclasses.replace(row, faces=count, scale=scale, outside=round(share, 4), cut_off=round(cut_off, 4)), crop
    )


def _row(face: Face, photo: Photo, crop: Pixels, margin: int) -> CropRow:
    inner = slice(margin, crop.shape[0] - margin)
    grey = cv2.cvtColor(crop[inner, inner], cv2.COLOR_RGB2GRAY)
    return CropRow(
        row=0,
        identity="",
        source="",
        score=round(face.score, 4),
        points=_points(np.round(face.points * photo.shrunk, 3).tolist()),
        presence=round(face.presence, 4),
        turned=90 * face.turns,
        face_px=round(float(np.hypot(*(face.points[1] - face.points[0]))) * photo.shrunk, 1),
        blur=round(float(cv2.Laplacian(grey, cv2.CV_64F).var()), 1),
        luminance=round(float(grey.mean()), 1),
    )


def _points(points: list[list[float]]) -> Points:
    a, b, c, d, e = ((float(x), float(y)) for x, y in points)
    return (a, b, c, d, e)


def _light(luminance: float) -> str:
    what = ": nearly black" if luminance < _NEARLY_BLACK else ": nearly white" if luminance > _NEARLY_WHITE else ""
    return f"mean luminance {luminance:.1f} of 255{what}"
