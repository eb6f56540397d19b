"""Progress on stderr: a bar with rate and time left on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

OnProgress = Callable[[int, int], None]
EVERY_S = 10.0


@contextlib.contextmanager
def bar(title: str, unit: str = "") -> Iterator[OnProgress]:
    """Give `on_progress(done, total)`; short work on something that is no terminal stays silent.

    Args:
        title: what is being done ("Aligning photos").
        unit: what is counted ("photos").
    """
    with _terminal(title, unit) if sys.stderr.isatty() else _lines(title, unit) as on_progress:
        yield on_progress


@contextlib.contextmanager
def _terminal(title: str, unit: str) -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),  # titles hold people's and files' names
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None, rate="")

        def on_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, rate=_rate(done, started, unit))

        yield on_progress


@contextlib.contextmanager
def _lines(title: str, unit: str) -> Iterator[OnProgress]:
    started = time.monotonic()
    last = started

    def on_progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < EVERY_S:
            return
        last = now
        left = (now - started) / done * (total - done) if done else 0.0
        print(f"{title}: {done} of {total}, {_rate(done, started, unit)}, {_clock(left)} left", file=sys.stderr)

    yield on_progress


def _rate(done: int, started: float, unit: str) -> str:
    elapsed = time.monotonic() - started
    per_second = done / elapsed if elapsed > 0 else 0.0
    return f"{per_second:.3g} {unit}/s" if unit else f"{per_second:.3g}/s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
