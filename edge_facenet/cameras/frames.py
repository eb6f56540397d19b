"""What every source of frames shares: the frame, the options, the events and the interface."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from edge_facenet.errors import ConfigError
from edge_facenet.photos.decode import Limits

Pixels = npt.NDArray[np.uint8]
_SIDES = (16, 16384)


@dataclass(frozen=True)
class Frame:
    """One picture of a source."""

    pixels: Pixels
    """(h, w, 3) uint8 RGB, rotated and mirrored as asked. It owns its memory: no source touches it again."""
    number: int
    """From 0. A camera counts what it delivered, so a gap is a frame that was skipped for a newer one; in a folder or
    pipe a gap is a picture that could not be read."""
    seconds: float
    """Since the source was opened (cameras, pipes), position in the video, or the number (folders)."""
    name: str = ""
    """File name; in a folder the path below it, with "/"."""


@dataclass(frozen=True)
class Event:
    """Something the user should hear of that does not end the source. Handed over in the caller's own thread."""

    kind: Literal["lost", "unreadable", "note"]
    """"lost": a camera gives no pictures (once per outage); "unreadable": one picture of many; "note": anything else."""
    message: str
    """One or two sentences."""
    name: str = ""
    """Which file, where there is one."""


OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class CameraOptions:
    """How frames are taken.

    Raises:
        ConfigError: a value outside its range.
    """

    width: int = 640
    """Asked of a camera, px; the camera may give its nearest. Files come as they are."""
    height: int = 480
    fps: float | None = None
    """Asked of a camera, frames per second; None = the camera's own."""
    rotate: int = 0
    """Degrees clockwise: 0, 90, 180, 270."""
    mirror: bool = False
    """Exchange left and right, after rotating."""
    give_up: float = 60.0
    """Seconds without a picture after which a camera counts as lost."""
    limits: Limits = field(default_factory=Limits)
    """What one picture may be."""
    spool_bytes: int = 1 << 30
    """Largest video that is taken from a pipe."""
    on_event: OnEvent = ignore

    def __post_init__(self) -> None:
        low, high = _SIDES
        if not (low <= self.width <= high and low <= self.height <= high):
            raise ConfigError(
                f"A camera's picture is {low} to {high} px wide and high, found {self.width} x {self.height}."
            )
        if self.rotate not in (0, 90, 180, 270):
            raise ConfigError(f"A frame can be rotated by 0, 90, 180 or 270 degrees, found {self.rotate}.")
        for name, value in (("fps", self.fps), ("give_up", self.give_up), ("spool_bytes", self.spool_bytes)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be a finite number above 0, found {value:g}.")


class Source(Protocol):
    """Anything that gives frames."""

    name: str
    """As the user calls it ("camera:0", a path)."""
    live: bool
    """A camera: frames are skipped for the newest one, and the source never ends by itself."""
    total: int | None
    """Frames to come, where it is known (an estimate for videos): for progress bars."""

    def frames(self) -> Iterator[Frame]:
        """The frames, one after another; a camera's end only with `close`.

        Raises:
            CameraLost: no picture for longer than `CameraOptions.give_up`.
            InputError: what was given holds no picture at all.
        """
        ...

    def close(self) -> None:
        """Let go of the device or file. May be called twice, and from another thread.

        `frames` ends with it, at a silent named pipe too; standard input, and on Windows any pipe, is waited for: its next
        bytes, or its end.
        """
        ...

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Base:
    """Iteration and `with`, for the sources of this package."""

    name = ""
    live = False
    total: int | None = None

    def frames(self) -> Iterator[Frame]:
        """See `Source`."""
        raise NotImplementedError

    def close(self) -> None:
        """See `Source`."""

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def owned(pixels: Pixels, options: CameraOptions) -> Pixels:
    """A contiguous copy, rotated clockwise and mirrored.

    >>> owned(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), CameraOptions(rotate=90)).shape
    (2, 1, 3)
    """
    turned = np.rot90(pixels, -(options.rotate // 90))
    if options.mirror:
        turned = turned[:, ::-1]
    return np.array(turned, order="C", copy=True)


def rgb(pixels: npt.NDArray[np.generic], order: tuple[int, int, int]) -> Pixels | None:
    """A driver's array as RGB, as a view.

    Args:
        pixels: (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) uint8.
        order: where red, green and blue lie in it.
    Returns:
        (h, w, 3), or None when this is no picture.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size:
        return None
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        grey: Pixels = pixels.reshape(*pixels.shape[:2], 1).astype(np.uint8, copy=False)
        return np.broadcast_to(grey, (*grey.shape[:2], 3))
    if pixels.shape[2] not in (3, 4):
        return None
    colours: Pixels = pixels.astype(np.uint8, copy=False)
    return colours[..., list(order)]
