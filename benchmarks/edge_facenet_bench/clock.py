"""Time, in one place, so that tests can bring their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the measurements need of time; a stub in tests moves it by hand."""

    def now(self) -> int:
        """Monotonic wall time, ns."""
        ...

    def cpu(self) -> int:
        """Processor time of this process, all threads, ns."""
        ...

    def sleep_until(self, moment: int) -> None:
        """Return when `now()` has reached `moment`, ns; at once when it is past."""
        ...


class WallClock:
    """The machine's own clock: `time.perf_counter_ns`."""

    def now(self) -> int:
        return time.perf_counter_ns()

    def cpu(self) -> int:
        return time.process_time_ns()

    def sleep_until(self, moment: int) -> None:
        while (left := moment - time.perf_counter_ns()) > 0:
            time.sleep(left / 1e9)
