"""A camera through OpenCV: V4L2 on Linux, what the system has elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_facenet.errors import CameraLost

from .frames import CameraOptions, Pixels, rgb

_BGR = (2, 1, 0)


class OpenCVCamera:
    """A camera by number or by device path.

    Args:
        where: 0, 1, … or "/dev/v4l/by-id/…" (which stays the same when the camera is plugged in again).
        name: as the user calls it.
        capture: in place of `cv2.VideoCapture`.
    """

    def __init__(
        self, where: int | str, name: str, options: CameraOptions, capture: Callable[..., Any] | None = None
    ) -> None:
        self.name = name
        self._where, self._options, self._make = where, options, capture
        self._capture: Any = None

    def open(self) -> None:
        """Open, and ask for size, rate and a short queue.

        Raises:
            CameraLost: absent, not ours to read, or in use.
        """
        import cv2

        self.close()
        # Named, because OpenCV would otherwise try every backend it has, and complain about each.
        backend = cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY
        capture = (self._make or cv2.VideoCapture)(self._where, backend)
        if not capture.isOpened():
            capture.release()
            raise CameraLost(f"{self.name} cannot be opened: {_reason(self._where)}.")
        wanted: list[tuple[int, float]] = [
            (cv2.CAP_PROP_FRAME_WIDTH, self._options.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, self._options.height),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ]
        if self._options.fps is not None:
            wanted.append((cv2.CAP_PROP_FPS, self._options.fps))
        for prop, value in wanted:
            capture.set(prop, value)  # a camera that cannot gives its nearest
        self._capture = capture

    def read(self) -> Pixels | None:
        """See `Device`."""
        good, picture = self._capture.read()
        return rgb(picture, _BGR) if good and picture is not None else None

    def close(self) -> None:
        """See `Device`."""
        capture, self._capture = self._capture, None
        if capture is not None:
            with contextlib.suppress(Exception):  # a device that has gone may refuse to be released
                capture.release()


def _reason(where: int | str) -> str:
    """Why a device probably does not open, and what to do."""
    path = Path(f"/dev/video{where}" if isinstance(where, int) else where)
    if not sys.platform.startswith("linux"):
        return "it is not there, in use by another program, or this program may not use cameras"
    if not path.exists():
        there = ", ".join(str(p) for p in sorted(Path("/dev").glob("video*"))) or "none"
        return f"there is no {path}; cameras here: {there}. A Raspberry Pi's ribbon-cable camera is called picamera:0"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"no right to use {path}. Add the user to the group video: sudo usermod -aG video USER"
    return f"{path} is in use by another program, or gives no pictures (a camera has several devices; try the others)"
