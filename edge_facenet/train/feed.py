"""Batches made ahead in the background, handed over in order of steps, whatever the number of threads."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")
AHEAD = 3
"""Batches, or twice as many as there are threads."""


@contextlib.contextmanager
def ahead(make: Callable[[int], Made], start: int, end: int, threads: int = 1) -> Iterator[Iterator[tuple[int, Made]]]:
    """Iterate over (step, make(step)) for steps start..end-1; some batches are made while one is used.

    Args:
        threads: that call `make` at the same time; with one, it is called in order of steps.

    An exception of `make` is raised where its step would have come.
    """
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="batches") as pool:
        waiting: collections.deque[tuple[int, Future[Made]]] = collections.deque()

        def steps() -> Iterator[tuple[int, Made]]:
            for step in range(start, end):
                while len(waiting) <= max(AHEAD, 2 * threads) and (following := step + len(waiting)) < end:
                    waiting.append((following, pool.submit(make, following)))
                number, future = waiting.popleft()
                yield number, future.result()

        try:
            yield steps()
        finally:
            for _, future in waiting:
                future.cancel()
