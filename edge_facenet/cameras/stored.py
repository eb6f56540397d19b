"""Frames that lie on a disk: folders of pictures, single pictures, videos."""

from __future__ import annotations

import errno
import math
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge_facenet.errors import InputError, PhotoError
from edge_facenet.photos.decode import decode
from edge_facenet.photos.examine import read, unread
from edge_facenet.photos.sniff import sniff
from edge_facenet.photos.walk import Entry, walk

from .frames import Base, CameraOptions, Event, Frame, owned, rgb

_BGR = (2, 1, 0)
_TEXTLIKE_VIDEO = b"YUV4MPEG2"  # begins with a line of text
_ENOUGH = 0.99
"""Share of the announced frames below which a video counts as cut short; containers announce by duration x rate, which
is a few frames off."""


class FolderSource(Base):
    """The pictures of a folder and of those below it, in natural order: 2.jpg before 10.jpg.

    What cannot be read becomes an event and leaves a gap in the numbers.

    Raises:
        InputError: no file in it.
    """

    def __init__(self, folder: Path, options: CameraOptions) -> None:
        self.name = str(folder)
        self._options = options
        listing = walk([folder])
        self._entries = sorted(listing.entries, key=lambda entry: natural(entry.name))
        self._refused = listing.refused
        self.total = len(self._entries)
        self._closed = False
        if not self._entries:
            raise InputError(f"There is no file in the folder {folder}. Give a folder of pictures.")

    def frames(self) -> Iterator[Frame]:
        """One frame a picture.

        Raises:
            InputError: not one of the files is a picture that can be read.
        """
        for refused in self._refused:
            self._tell(refused.photo, refused.reason)
        some = False
        for number, entry in enumerate(self._entries):
            if self._closed:
                return
            try:
                frame = picture(entry, number, self._options)
            except PhotoError as error:
                self._tell(entry.name, str(error))
                continue
            some = True
            yield frame
        if not some:
            raise InputError(f"None of the {len(self._entries)} files in {self.name} is a picture that can be read.")

    def close(self) -> None:
        """The next frame is not read any more."""
        self._closed = True

    def _tell(self, name: str, reason: str) -> None:
        self._options.on_event(Event("unreadable", f"{name} is skipped: {reason}", name))


class PictureSource(Base):
    """One picture."""

    total: int | None = 1

    def __init__(self, path: Path, options: CameraOptions) -> None:
        self.name = str(path)
        self._path, self._options = path, options

    def frames(self) -> Iterator[Frame]:
        """One frame.

        Raises:
            PhotoError: it cannot be read.
        """
        try:
            yield picture(Entry(bytes(self._path), self._path.name, ""), 0, self._options)
        except PhotoError as error:
            raise PhotoError(f"{self._path}: {error}", again=error.again) from error


class VideoSource(Base):
    """Every frame of a video, in order.

    Args:
        path: the file.
        name: as the user calls it.
        options: limits, rotation, events.
        capture: in place of `cv2.VideoCapture`.
        on_close: called when the file is not needed any more.
    Raises:
        InputError: not a video that this OpenCV reads, or frames above the limit.
    """

    def __init__(
        self,
        path: str,
        name: str,
        options: CameraOptions,
        capture: Callable[..., Any] | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        import cv2

        self.name = name
        self._options, self._on_close = options, on_close
        self._lock = threading.RLock()  # OpenCV crashes where one thread releases what another one reads
        # FFmpeg by name: other backends would take a name with a "%" in it for a pattern of many files.
        self._capture = (capture or cv2.VideoCapture)(path, cv2.CAP_FFMPEG)
        self._closed = not self._capture.isOpened()
        if self._closed:
            self._release()
            raise InputError(f"{name} is not a video that can be read: damaged, or of an unknown kind.")
        self._rate = _positive(self._capture.get(cv2.CAP_PROP_FPS)) or 25.0
        announced = _positive(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.total = round(announced) if announced else None
        self._check_size()

    def _check_size(self) -> None:
        import cv2

        wide, high = (self._capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        limit = self._options.limits.megapixels
        if wide * high > limit * 1e6:
            self._release()
            raise InputError(
                f"The frames of {self.name} have {wide * high / 1e6:,.1f} megapixels, the limit is {limit:g}. "
                "Make the video smaller."
            )

    def frames(self) -> Iterator[Frame]:
        """Raises InputError when not one frame can be decoded; a video that is cut short ends with an event."""
        number, seconds = 0, 0.0
        while (taken := self._taken(number, seconds)) is not None:
            bgr, position = taken
            if (pixels := rgb(bgr, _BGR)) is None:
                continue
            seconds = position
            yield Frame(owned(pixels, self._options), number, seconds, self.name)
            number += 1
        if not self._closed:
            self._judge_end(number)

    def close(self) -> None:
        """Let go of the file. After that `frames` ends."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._release()

    def _taken(self, number: int, before: float) -> tuple[Any, float] | None:
        """The next picture, BGR, and its seconds; None at the end, or once closed."""
        with self._lock:
            if self._closed:
                return None
            good, bgr = self._capture.read()
            return (bgr, self._position(number, before)) if good and bgr is not None else None

    def _position(self, number: int, before: float) -> float:
        """Seconds into the video: the container's own, or by the rate where it has none that grows."""
        import cv2

        position = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        if not math.isfinite(position) or (number and position <= before):
            position = max(before, number / self._rate)
        return position

    def _judge_end(self, number: int) -> None:
        if not number:
            raise InputError(f"Not one frame of {self.name} can be decoded: it is damaged, or its codec is not known.")
        if self.total is not None and number < _ENOUGH * self.total - 1:
            message = f"{self.name} ends after {number} of about {self.total} frames: it is damaged or cut short."
            self._options.on_event(Event("unreadable", message, self.name))

    def _release(self) -> None:
        self._capture.release()
        self._on_close()


def picture(entry: Entry, number: int, options: CameraOptions) -> Frame:
    """A file as a frame.

    Raises:
        PhotoError: it cannot be read, or is no picture.
    """
    try:
        data, digest = read(entry.path, options.limits)
    except OSError as error:
        reason = error.strerror or "an error of the disk" if error.errno != errno.EISDIR else "it is a folder"
        raise PhotoError(f"The file cannot be read: {reason}.") from error
    if data is None:
        raise PhotoError(unread(digest, options.limits))
    photo = decode(data, options.limits)
    return Frame(owned(photo.pixels, options), number, float(number), entry.name)


def may_be_video(head: bytes) -> bool:
    """Whether a file's first bytes are worth asking FFmpeg about: no picture, no text, no archive."""
    kind, what = sniff(head)
    return kind is None and ("video" in what or what == "not a picture" or head.startswith(_TEXTLIKE_VIDEO))


def natural(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """A key that sorts digits by value.

    >>> sorted(["b/10.jpg", "b/9.jpg", "a.jpg", "B/1.jpg"], key=natural)
    ['a.jpg', 'B/1.jpg', 'b/9.jpg', 'b/10.jpg']
    """
    parts = re.split(r"([0-9]+)", name.casefold())  # digits stand at odd places
    return tuple((int(k % 2 == 0), int(p) if k % 2 else 0, p) for k, p in enumerate(parts) if p), name


def _positive(value: float) -> float | None:
    return float(value) if math.isfinite(value) and value > 0 else None
