"""Cameras that are not there: captures, a picamera2 module, pictures."""

from __future__ import annotations

import io
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_facenet.cameras import CameraOptions, Event

Pixels = npt.NDArray[np.uint8]
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def plain(colour: tuple[int, int, int], width: int = 32, height: int = 24) -> Pixels:
    """(h, w, 3) of one RGB colour."""
    return np.full((height, width, 3), colour, np.uint8)


def numbered(number: int) -> Pixels:
    """A picture that says its number in its grey: 0..249."""
    return plain((number, number, number))


def encoded(pixels: Pixels, kind: str = "JPEG", **options: Any) -> bytes:
    """A picture file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def noise(seed: int, height: int = 48, width: int = 64) -> Pixels:
    """A picture whose compressed data has every byte in it."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def video(path: Path, frames: list[Pixels], code: str = "MJPG", rate: float = 25.0) -> Path:
    """Write RGB frames as a video."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


@dataclass
class Told:
    """Keeps the events."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: str) -> list[str]:
        """Messages of one kind."""
        return [event.message for event in self.events if event.kind == kind]

    def options(self, **values: Any) -> CameraOptions:
        """Options that report here."""
        return CameraOptions(on_event=self, **values)


class Capture:
    """In place of cv2.VideoCapture: `script(seconds since it was made, reads so far)` gives a BGR picture or None."""

    def __init__(
        self, script: Callable[[float, int], Any], pace: float = 0.01, opens: Callable[[], bool] = lambda: True
    ):
        self.script, self.pace, self.opens = script, pace, opens
        self.begun = time.monotonic()
        self.reads = self.made = self.released = 0
        self.asked: dict[int, float] = {}
        self.where: Any = None
        self.read_at: list[float] = []

    def __call__(self, where: Any, *backend: Any) -> Capture:
        self.where, self.made = where, self.made + 1
        return self

    def isOpened(self) -> bool:
        return self.opens()

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return True

    def read(self) -> tuple[bool, Any]:
        since = time.monotonic() - self.begun
        self.read_at.append(since)
        picture = self.script(since, self.reads)
        self.reads += 1
        if picture is not None:
            time.sleep(self.pace)
        return picture is not None, picture

    def release(self) -> None:
        self.released += 1


class FakePicamera2:
    """The module, with one camera that looks at a scene of one RGB colour."""

    def __init__(self, scene: tuple[int, int, int] = RED, given: str | None = None, cameras: int = 1) -> None:
        self.scene, self.given, self.cameras = scene, given, cameras
        self.log: list[str] = []
        self.fails: Callable[[], bool] = lambda: False

    def __call__(self) -> types.SimpleNamespace:
        world = self

        class Picamera2:
            def __init__(self, camera_num: int = 0) -> None:
                if camera_num >= world.cameras:
                    raise IndexError("list index out of range")
                world.log.append("made")

            def create_preview_configuration(self, main: dict[str, Any], **more: Any) -> dict[str, Any]:
                return {"main": {"format": "XBGR8888", "size": (640, 480), **main}, **more}

            def configure(self, config: dict[str, Any]) -> None:
                self.config = config
                if world.given:
                    self.config["main"]["format"] = world.given

            def camera_configuration(self) -> dict[str, Any]:
                return self.config

            def start(self) -> None:
                world.log.append("started")

            def capture_array(self, name: str = "main") -> Pixels:
                time.sleep(0.01)
                if world.fails():
                    raise RuntimeError("Camera frontend has timed out!")
                (width, height), kind = self.config[name]["size"], self.config[name]["format"]
                r, g, b = world.scene
                memory = (r, g, b) if "BGR" in kind else (b, g, r)  # the trap: named from the top of the word
                pixel = (*memory, 255) if kind.startswith("X") else memory
                return np.full((height, width, len(pixel)), pixel, np.uint8)

            def stop(self) -> None:
                world.log.append("stopped")

            def close(self) -> None:
                world.log.append("closed")

        return types.SimpleNamespace(Picamera2=Picamera2)
