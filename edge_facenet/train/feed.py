"""Batches made ahead, in one background thread, in order of steps."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")
AHEAD = 3


@contextlib.contextmanager
def ahead(make: Callable[[int], Made], start: int, end: int) -> Iterator[Iterator[tuple[int, Made]]]:
    """Iterate over (step, make(step)) for steps start..end-1; up to three batches are made while one is used.

    An exception of `make` is raised where its step would have come.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        waiting: collections.deque[tuple[int, Future[Made]]] = collections.deque()

        def steps() -> Iterator[tuple[int, Made]]:
            for step in range(start, end):
                while len(waiting) <= AHEAD and (following := step + len(waiting)) < end:
                    waiting.append((following, pool.submit(make, following)))
                number, future = waiting.popleft()
                yield number, future.result()

        try:
            yield steps()
        finally:
            for _, future in waiting:
                future.cancel()
