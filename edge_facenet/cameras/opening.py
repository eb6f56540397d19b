"""From what the user typed to a source of frames."""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge_facenet.errors import InputError
from edge_facenet.photos.sniff import HEAD_BYTES, sniff

from .frames import CameraOptions, Event, Source
from .live import LiveSource
from .pi import PiCamera
from .pipe import Closable, open_pipe
from .stored import FolderSource, PictureSource, VideoSource, may_be_video
from .v4l2 import OpenCVCamera

STDIN = "standard input"
_CAMERA = re.compile(r"(camera|picamera)(?::(.+))?", re.DOTALL)
_DEVICE = re.compile(r"/dev/(video\d+|v4l/.+)")
MJPEG = (".mjpg", ".mjpeg")
"""How files of JPEG pictures one after another end."""
_ADVICE = "Cameras are called camera:0 or picamera:0, standard input is -."


@dataclass(frozen=True)
class Parts:
    """What sources are made of; tests put others in their place."""

    capture: Callable[..., Any] | None = None
    """In place of `cv2.VideoCapture`."""
    picamera2: Callable[[], Any] | None = None
    """Gives the module picamera2."""
    stdin: IO[bytes] | None = None
    """In place of the process's standard input."""
    clock: Callable[[], float] = time.monotonic
    """Seconds, never backwards."""


def open_source(what: str, options: CameraOptions = CameraOptions(), parts: Parts = Parts()) -> Source:
    """Open a camera, video, picture, folder or pipe.

    Args:
        what: "camera:0" or "/dev/video0" (V4L2; whatever the system has elsewhere), "camera:/dev/v4l/by-id/…",
            "picamera:0" (ribbon cable), a video, a picture, a folder of pictures, a named pipe, or "-" (bytes from
            standard input: JPEG and PNG pictures one after another, or a whole video).
    Raises:
        CameraLost: there is no such camera.
        SetupError: a ribbon-cable camera without picamera2; no folder for temporary files.
        InputError: no such file; not something that holds pictures.
    """
    if not what:
        raise InputError(f"The name of what to look at is empty. {_ADVICE}")
    if what == "-":
        return open_pipe(_stdin(parts), STDIN, options, parts.clock, parts.capture)
    if not is_camera(what):
        return _file(Path(what), options, parts)
    if named := _CAMERA.fullmatch(what):
        return _camera(named[1], named[2] or "0", options, parts)
    return _live(OpenCVCamera(what, what, options, parts.capture), options, parts)


def is_camera(what: str) -> bool:
    """Whether this names a camera; a file called "camera" is a file."""
    return bool(_DEVICE.fullmatch(what) or (_CAMERA.fullmatch(what) and not os.path.lexists(what)))


def _camera(kind: str, which: str, options: CameraOptions, parts: Parts) -> Source:
    if which.isascii() and which.isdigit() and len(which) <= 3:
        number = int(which)
        if kind == "picamera":
            return _live(PiCamera(number, f"picamera:{number}", options, parts.picamera2), options, parts)
        return _live(OpenCVCamera(number, f"camera:{number}", options, parts.capture), options, parts)
    if kind == "camera" and _DEVICE.fullmatch(which):
        return _live(OpenCVCamera(which, which, options, parts.capture), options, parts)
    raise InputError(
        f"There is no camera {which!r}: a camera is a number from 0 to 999, or a device such as /dev/video0."
    )


def _live(device: OpenCVCamera | PiCamera, options: CameraOptions, parts: Parts) -> Source:
    return LiveSource(device, options, parts.clock)


def _file(path: Path, options: CameraOptions, parts: Parts) -> Source:
    try:
        about = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path} cannot be read: {reason}. {_ADVICE}") from error
    if stat.S_ISDIR(about.st_mode):
        return FolderSource(path, options)
    if stat.S_ISREG(about.st_mode):
        return _regular(path, options, parts)
    if stat.S_ISFIFO(about.st_mode):
        return _stream(path, options, parts)
    raise InputError(f"{path} is neither a file nor a folder nor a pipe. {_ADVICE}")


def _regular(path: Path, options: CameraOptions, parts: Parts) -> Source:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            if path.suffix.lower() in MJPEG and sniff(head)[0] == "JPEG":
                return _stream(path, options, parts)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    kind, what = sniff(head)
    if kind is not None:
        return PictureSource(path, options)
    if may_be_video(head):
        return VideoSource(os.path.abspath(path), str(path), options, parts.capture)
    raise InputError(f"{path} is {what.replace('not a picture', 'neither a picture nor a video')}.")


def _stream(path: Path, options: CameraOptions, parts: Parts) -> Source:
    """A file or named pipe of pictures one after another."""
    if path.is_fifo():  # opening one waits for whoever writes
        options.on_event(Event("note", f"Waiting for a program that writes pictures into {path}.", str(path)))
    stream = Closable(path.open("rb", buffering=0))
    return open_pipe(stream, str(path), options, parts.clock, parts.capture, stream.close)


def _stdin(parts: Parts) -> IO[bytes]:
    if parts.stdin is not None:
        return parts.stdin
    stream = sys.stdin
    if stream is None or stream.closed:  # a service, pythonw
        raise InputError(f"There is no {STDIN} here. Give a file, a folder or a camera.")
    if stream.isatty():
        raise InputError(f"{STDIN.capitalize()} is a keyboard. Pipe pictures or a video into it, or name a file.")
    return stream.buffer
