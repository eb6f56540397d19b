"""Calls against a clock: blocks of raw samples, percentiles, drift. Knows nothing of models, data or processes.

A sample is the wall time from the uint8 crop to an embedding that has been *read*: an engine that only launches its
work and returns is charged for the whole of it.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_facenet.schema import doc

from .clock import Clock

Call = Callable[[], Any]
DRIFT_LIMIT = 0.15
"""Largest drift of a valid lane, from the first to the last quarter. The smallest thermal step of a Raspberry Pi (3B+,
1.4 -> 1.2 GHz) is 17 % in time, while quarters of an undisturbed run agreed within 5 % even at a load of 7 on 2 cores."""
SPREAD_LIMIT = 0.40
"""Largest spread of the four quarters' medians. A neighbour on the second core was seen to cost two threads 32 %; a
Raspberry Pi 4 or 5 that throttles in the middle of a run loses 50 % and more."""
P99_CALLS = 100
"""Below this many samples the 99th percentile is the maximum by another name, and is not given."""


@dataclass(frozen=True)
class Plan:
    """How long and how often. A lane is done when it has both `seconds` and `min_calls`, or `max_calls`."""

    seconds: float = doc("time of back-to-back calls per lane, over all rounds, s", 3.0)
    paced_seconds: float = doc("time of paced calls per lane, over all rounds, s; 0 for none", 2.0)
    period_ms: float = doc("a paced call starts every so many ms: one camera frame at 30 per second", 33.0)
    rounds: int = doc("every lane runs one block per round, lane after lane", 8)
    warmup: int = doc("calls before each block that are not recorded: another process has just had the caches", 3)
    min_calls: int = doc("back-to-back calls per lane at least", 50)
    max_calls: int = doc("back-to-back calls per lane at most", 10_000)
    patience: float = doc("a lane that is not done after so many seconds of calls stops, and says so", 60.0)

    def __post_init__(self) -> None:
        if self.rounds < 4:
            raise ValueError(f"rounds is at least 4, one per quarter of the drift, found {self.rounds}.")
        if min(self.seconds, self.period_ms, self.min_calls, self.patience) <= 0 or self.paced_seconds < 0:
            raise ValueError("seconds, period_ms, min_calls and patience are above 0.")
        if self.max_calls < self.min_calls or self.patience < self.seconds:
            raise ValueError("max_calls is at least min_calls, and patience at least seconds.")


@dataclass(frozen=True)
class Block:
    """Raw samples of one block of calls, in the order they were made."""

    samples_ns: tuple[int, ...] = doc("wall time of each call, ns")
    cpu_ns: int = doc("processor time of the whole block, all threads, ns")


@dataclass(frozen=True)
class Summary:
    """What a list of samples says. Percentiles by nearest rank of the sorted samples."""

    calls: int = doc("samples")
    p50_ms: float = doc("median, ms per face")
    p90_ms: float = doc("90th percentile, ms per face")
    p99_ms: float | None = doc(f"99th percentile, ms per face; absent below {P99_CALLS} samples", None)
    min_ms: float = doc("fastest, ms per face", 0.0)
    cpu_ms: float = doc("mean processor time per face, all threads, ms", 0.0)
    quarters_ms: tuple[float, ...] = doc("medians of the four quarters of the samples in their order, ms per face", ())
    drift: float = doc("median of the last quarter over that of the first, minus 1", 0.0)
    spread: float = doc("largest of the quarters' medians over the smallest, minus 1", 0.0)
    steady_ms: float = doc("median of the last quarter alone, ms per face", 0.0)


def read(result: Any) -> Any:
    """Make `result` real: an object that computes when it is read computes here, inside the time that is taken.

    Raises:
        TypeError: it cannot be read as numbers, so nobody can say when its work is done.
    """
    if isinstance(result, (list, tuple)):
        return [read(part) for part in result]
    for name in ("block_until_ready", "result", "read", "numpy"):
        if not isinstance(result, np.ndarray) and callable(getattr(result, name, None)):
            return (
                read(getattr(result, name)()) if name != "block_until_ready" else np.asarray(result.block_until_ready())
            )
    values = np.asarray(result)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"a {type(result).__name__} cannot be read as numbers, so its work cannot be timed")
    return values


def burst(call: Call, duration_ns: int, max_calls: int, clock: Clock) -> Block:
    """Call back to back until the time is over or the calls are made; at least once."""
    samples: list[int] = []
    cpu, begin = clock.cpu(), clock.now()
    while True:
        start = clock.now()
        read(call())
        end = clock.now()
        samples.append(end - start)
        if end - begin >= duration_ns or len(samples) >= max_calls:
            return Block(tuple(samples), clock.cpu() - cpu)


def paced(call: Call, calls: int, period_ns: int, clock: Clock) -> Block:
    """Call once per period, as a camera does. A call longer than the period delays the next one and is not hidden."""
    samples: list[int] = []
    cpu, tick = clock.cpu(), clock.now()
    for _ in range(calls):
        tick = max(tick + period_ns, clock.now())
        clock.sleep_until(tick)
        start = clock.now()
        read(call())
        samples.append(clock.now() - start)
    return Block(tuple(samples), clock.cpu() - cpu)


def percentile(samples: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest sample that at least `percent` % of all samples do not exceed.

    >>> percentile([40, 10, 30, 20], 50), percentile([40, 10, 30, 20], 90)
    (20, 40)
    """
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def summarise(blocks: Sequence[Block]) -> Summary | None:
    """Figures of all blocks of a lane; None when it has no sample."""
    samples = [sample / 1e6 for block in blocks for sample in block.samples_ns]
    if not samples:
        return None
    parts = quarters(samples)
    return Summary(
        calls=len(samples),
        p50_ms=percentile(samples, 50),
        p90_ms=percentile(samples, 90),
        p99_ms=percentile(samples, 99) if len(samples) >= P99_CALLS else None,
        min_ms=min(samples),
        cpu_ms=sum(block.cpu_ns for block in blocks) / 1e6 / len(samples),
        quarters_ms=parts,
        drift=parts[-1] / parts[0] - 1,
        spread=max(parts) / min(parts) - 1,
        steady_ms=parts[-1],
    )


def quarters(samples: Sequence[float]) -> tuple[float, ...]:
    """Medians of the four quarters of the samples, in their order in time.

    >>> quarters([1, 1, 2, 2, 3, 3, 4, 4])
    (1.0, 2.0, 3.0, 4.0)
    """
    cuts = [len(samples) * quarter // 4 for quarter in range(5)]
    parts = [samples[a : max(b, a + 1)] or samples[-1:] for a, b in itertools.pairwise(cuts)]
    return tuple(statistics.median(part) for part in parts)


def ratio(blocks: Sequence[Block], reference: Sequence[Block]) -> tuple[float, float, float] | None:
    """Time of one lane over that of another, round by round, which drift of the machine hits alike.

    Returns:
        median, lowest and highest of the rounds' ratios of medians; None without a common round.
    """
    both = [(a, b) for a, b in zip(blocks, reference, strict=False) if a.samples_ns and b.samples_ns]
    if not both:
        return None
    ratios = [statistics.median(a.samples_ns) / statistics.median(b.samples_ns) for a, b in both]
    return statistics.median(ratios), min(ratios), max(ratios)
