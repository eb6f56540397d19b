"""From a folder to every face in its photos: looked at through the path that enrolment and identification take."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge_facenet.embedder import Embedder
from edge_facenet.errors import InputError, PhotoError
from edge_facenet.photos.align import Pixels, similarity, target, warp
from edge_facenet.photos.aligner import LIMITS, Aligner, FoundFace
from edge_facenet.photos.cropset import Rejection
from edge_facenet.photos.decode import Limits, Photo, decode
from edge_facenet.photos.examine import read, unread
from edge_facenet.photos.quality import Quality, QualityRules, judge
from edge_facenet.photos.walk import Entry, walk
from edge_facenet.schema import doc

OnProgress = Callable[[int, int], None]
THUMB, _THUMB_MARGIN, _THUMB_QUALITY = 96, 12, 80


@dataclass(frozen=True)
class Shot:
    """A photo that was read."""

    name: str = doc('relative to the folder, with "/"')
    path: bytes = doc("as the operating system takes it")
    sha256: str = doc("of its bytes")
    size: int = doc("bytes")
    mtime_ns: int = doc("when it was last written, ns")


@dataclass(frozen=True, eq=False)
class Face:
    """A face of a photo."""

    shot: int = doc("photo, its place in the album")
    number: int = doc("1 = the photo's subject, the largest and most central face")
    box: tuple[float, float, float, float] = doc("left, top, right, bottom, px of the photo after EXIF rotation")
    quality: Quality = doc("what was measured on it")
    reasons: tuple[str, ...] = doc("why it is not good enough to found a group; empty when it is")
    thumb: bytes = doc("JPEG, upright")


@dataclass(frozen=True, eq=False)
class Album:
    """All faces of a folder, by the names of the photos."""

    shots: tuple[Shot, ...] = doc("photos with a face")
    faces: tuple[Face, ...] = doc("(n,)")
    embeddings: npt.NDArray[np.float32] = doc("(n, d) unit rows")
    rejected: tuple[Rejection, ...] = doc("files without a face that could be used, and why")
    notes: tuple[str, ...] = doc("what a person should know about these photos (links, colliding names)")

    @property
    def files(self) -> int:
        """Files looked at."""
        return len(self.shots) + len(self.rejected)


@dataclass(frozen=True)
class Eyes:
    """What a photo is looked at with."""

    aligner: Aligner
    embedder: Embedder
    rules: QualityRules = QualityRules()
    limits: Limits = LIMITS


def look(folder: Path, eyes: Eyes, leave_out: Path, on_progress: OnProgress | None = None) -> Album:
    """Every face of every photo below a folder.

    Args:
        leave_out: a folder not to enter: the one being written.
        on_progress: (files done, all).
    Raises:
        InputError: no such folder, or not a single file in it.
    """
    listing = walk([folder], leave_out)
    if not listing.entries and not listing.refused:
        raise InputError(f"There are no photos in {folder}.")
    shots, faces, rows, rejected = list[Shot](), list[Face](), list[npt.NDArray[np.float32]](), list(listing.refused)
    for done, entry in enumerate(listing.entries, 1):
        seen = _see(entry, eyes)
        if isinstance(seen, Rejection):
            rejected.append(seen)
        else:
            shot, found, embeddings = seen
            faces += [_face(len(shots), k, one, thumb, eyes.rules) for k, (one, thumb) in enumerate(found, 1)]
            rows.append(embeddings)
            shots.append(shot)
        if on_progress is not None:
            on_progress(done, len(listing.entries))
    embedded = np.concatenate(rows) if rows else np.empty((0, eyes.embedder.manifest.dimension), np.float32)
    rejected.sort(key=lambda one: one.photo)
    return Album(tuple(shots), tuple(faces), embedded, tuple(rejected), listing.notes)


Seen = tuple[Shot, list[tuple[FoundFace, bytes]], npt.NDArray[np.float32]]


def _see(entry: Entry, eyes: Eyes) -> Seen | Rejection:
    """Read, decode, find, embed. Whatever is wrong with a photo ends as a `Rejection`."""
    try:
        about = os.stat(entry.path)
        data, digest = read(entry.path, eyes.limits)
    except OSError as error:
        return Rejection(entry.name, f"The file cannot be read: {error.strerror}.")
    if data is None:
        return Rejection(entry.name, unread(digest, eyes.limits), None, digest)
    light = None
    try:
        photo = decode(data, eyes.limits)
        light = round(photo.luminance, 1)
        found = eyes.aligner.faces(photo, eyes.embedder.manifest.margin)
        if not found:
            raise PhotoError(f"No face found (mean luminance {light} of 255).")
        embeddings = eyes.embedder.embed(np.stack([one.crop for one in found]))
    except InputError as error:
        return Rejection(entry.name, str(error), light, digest)
    shot = Shot(entry.name, entry.path, digest, about.st_size, about.st_mtime_ns)
    return shot, [(one, _thumb(photo, one)) for one in found], embeddings


def _face(shot: int, number: int, found: FoundFace, thumb: bytes, rules: QualityRules) -> Face:
    return Face(shot, number, found.box, found.quality, judge(found.quality, rules), thumb)


def _thumb(photo: Photo, found: FoundFace) -> bytes:
    """The face upright, with a little more around it than the network sees."""
    points = np.array(found.points) / photo.shrunk
    small: Pixels = warp(photo.pixels, similarity(points, target(THUMB, _THUMB_MARGIN)), THUMB)
    _, coded = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _THUMB_QUALITY])
    return coded.tobytes()
