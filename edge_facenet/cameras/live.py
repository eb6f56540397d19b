"""A camera that is always asked for its newest frame, and that may be unplugged and come back.

A thread of its own reads the device, so that frames nobody fetched are dropped instead of queued. Whoever iterates waits
for the next frame, is told once when the camera falls silent, and gets `CameraLost` when it stays so: also when the
driver hangs inside a read and the thread with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from edge_facenet.errors import CameraLost

from .frames import Base, CameraOptions, Event, Frame, Pixels, owned

SILENT_S = 2.0
"""A camera without a picture for so long is reported; a long exposure or a busy bus takes less."""
REOPEN_AFTER = 3
"""Failed reads in a row after which the device is closed and opened again: one can happen to a sound camera, and a
device that was unplugged gives its name free only when it is closed."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0
"""Between two tries. Opening an absent V4L2 device takes about a millisecond, so at the longest wait it costs nothing."""
FASTEST_S = 1 / 250
"""Least time of one read: a driver that does not wait for its next picture must not take a whole core."""
_LOOK_S = 0.25  # how often the waiting side looks at the clock; ctrl-C comes through as quickly


class Device(Protocol):
    """A camera's driver."""

    name: str

    def open(self) -> None:
        """Open or open again.

        Raises:
            CameraLost: it is not there; the message says what to do.
        """
        ...

    def read(self) -> Pixels | None:
        """Wait for the next picture.

        Returns:
            (h, w, 3) uint8 RGB, which may be the driver's own memory; None when there was none.
        """
        ...

    def close(self) -> None:
        """Let go of it; harmless when it is not open."""
        ...


class Backoff:
    """How long to wait after each failure in a row, and when to open the device again."""

    def __init__(self) -> None:
        self.failures = self._misses = 0

    def opened(self) -> None:
        """A device just opened gets its `REOPEN_AFTER` reads in quick succession: many give nothing at first."""
        self._misses = 0

    def worked(self) -> None:
        """The next failure is the first again."""
        self.failures = self._misses = 0

    def failed(self) -> float:
        """Seconds to wait: doubled each time, up to `LONGEST_WAIT_S`."""
        self.failures += 1
        self._misses += 1
        count = self.failures if self.reopen else self._misses
        return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(count - 1, 10))

    @property
    def reopen(self) -> bool:
        """Reading again is no longer worth while."""
        return self._misses >= REOPEN_AFTER


class LiveSource(Base):
    """The newest frame of a device.

    Args:
        device: opened here, in the caller's thread.
        clock: seconds, never backwards.
    Raises:
        CameraLost: there is no such camera.
    """

    live = True

    def __init__(self, device: Device, options: CameraOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = device.name
        self._device, self._options, self._clock = device, options, clock
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._why = "it gives no pictures"
        self._closed = threading.Event()
        self._told = False
        self._backoff, self._is_open = Backoff(), True
        device.open()
        self._started = self._heard = clock()
        self._thread = threading.Thread(target=self._read_all, name=f"frames of {device.name}", daemon=True)
        self._thread.start()

    def frames(self) -> Iterator[Frame]:
        """The newest frame each time; frames taken meanwhile are skipped. Ends after `close`."""
        while (frame := self._next()) is not None:
            yield frame

    def close(self) -> None:
        """Stop reading. A driver that hangs is left to itself after two seconds."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _next(self) -> Frame | None:
        while True:
            with self._changed:
                if self._newest is None and not self._closed.is_set():
                    self._changed.wait(_LOOK_S)
                frame, self._newest = self._newest, None
                silent, why = self._clock() - self._heard, self._why
            if self._closed.is_set():
                return None
            if frame is not None:
                self._told = False
                return frame
            self._judge(silent, why)

    def _judge(self, silent: float, why: str) -> None:
        """Tell once; give up after the limit."""
        limit = self._options.give_up
        if silent >= limit:
            self.close()
            raise CameraLost(
                f"{self.name} has given no picture for {silent:.0f} s, the limit is {limit:g} s: {why}. "
                "Check cable and power, and start again."
            )
        if silent >= min(SILENT_S, limit / 2) and not self._told:
            self._told = True
            message = f"{self.name} gives no picture: {why}. Trying again for up to {limit:g} s."
            self._options.on_event(Event("lost", message, self.name))

    def _read_all(self) -> None:
        """The reader thread: until closed."""
        number = 0
        while not self._closed.is_set():
            begun = time.monotonic()
            pixels, self._why = self._try()
            if pixels is None:
                wait = self._failed()
            else:
                self._offer(pixels, number)
                number += 1
                self._backoff.worked()
                wait = FASTEST_S - (time.monotonic() - begun)
            self._closed.wait(max(0.0, wait))
        self._device.close()

    def _try(self) -> tuple[Pixels | None, str]:
        """A picture of our own, or None and why there is none."""
        try:
            if not self._is_open:
                self._device.open()
                self._is_open = True
                self._backoff.opened()
            pixels = self._device.read()
            return None if pixels is None else owned(pixels, self._options), "it gives no pictures"
        except CameraLost as error:
            return None, str(error).rstrip(".")
        except Exception as error:  # noqa: BLE001 - whatever a driver raises: no picture, and a reason for the message
            return None, " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": .")

    def _failed(self) -> float:
        wait = self._backoff.failed()
        if self._is_open and self._backoff.reopen:
            self._device.close()
            self._is_open = False
        return wait

    def _offer(self, pixels: Pixels, number: int) -> None:
        now = self._clock()
        frame = Frame(pixels, number, now - self._started, self.name)
        with self._changed:
            self._newest, self._heard = frame, now
            self._changed.notify_all()
