"""Samples, percentiles, drift: the arithmetic of time, with a clock moved by hand."""

from __future__ import annotations

import dataclasses

import pytest
from bench_world import MS, FakeClock, Lazy
from edge_facenet_bench import timing
from edge_facenet_bench.timing import Block, Plan, burst, paced, percentile, quarters, ratio, read, summarise


def block(*milliseconds: float) -> Block:
    return Block(tuple(round(value * MS) for value in milliseconds), 0)


def test_percentiles_sort_first_and_keep_the_slowest() -> None:
    # An unsorted list must not give its middle element, and no slow sample may be dropped.
    samples = [90, 10, 100, 50, 20, 60, 30, 80, 40, 70]
    assert percentile(samples, 50) == 50
    assert percentile(samples, 90) == 90
    assert percentile(samples, 99) == 100
    assert percentile([7], 1) == 7


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


@pytest.mark.parametrize("count", [timing.P99_CALLS - 1, timing.P99_CALLS])
def test_p99_needs_enough_samples(count: int) -> None:
    summary = summarise([block(*range(1, count + 1))])
    assert summary is not None
    assert (summary.p99_ms is None) == (count < timing.P99_CALLS)


def test_burst_stops_by_time_and_by_count_and_calls_at_least_once() -> None:
    clock = FakeClock()

    def call() -> list[float]:
        clock.pass_ms(5)
        return [1.0]

    assert len(burst(call, 50 * MS, 1000, clock).samples_ns) == 10
    assert len(burst(call, 50 * MS, 3, clock).samples_ns) == 3
    assert burst(call, 0, 1000, clock).samples_ns == (5 * MS,)


def test_paced_calls_start_on_the_period_and_a_slow_call_delays_the_next() -> None:
    clock, starts = FakeClock(), []

    def call() -> list[float]:
        starts.append(clock.now() // MS)
        clock.pass_ms(40 if len(starts) == 2 else 1)
        return [1.0]

    samples = paced(call, 4, 33 * MS, clock).samples_ns
    assert starts == [33, 66, 106, 139]
    assert samples == (1 * MS, 40 * MS, 1 * MS, 1 * MS)


def test_c101_the_reading_of_an_asynchronous_result_is_timed() -> None:
    clock = FakeClock()
    for make in (lambda: Lazy(clock, 20), lambda: [Lazy(clock, 20)], lambda: (Lazy(clock, 15), Lazy(clock, 5))):
        samples = burst(make, 0, 1, clock).samples_ns
        assert min(samples) >= 20 * MS
        assert min(paced(make, 2, 33 * MS, clock).samples_ns) >= 20 * MS


@pytest.mark.parametrize("method", ["result", "read", "numpy", "block_until_ready"])
def test_c101_other_ways_to_be_asynchronous(method: str) -> None:
    clock = FakeClock()

    def finish(self: object) -> list[float]:
        clock.pass_ms(20)
        return [1.0]

    handle = type("Handle", (), {method: finish})
    assert burst(handle, 0, 1, clock).samples_ns == (20 * MS,)


def test_c101_a_result_that_cannot_be_read_is_refused_not_timed() -> None:
    with pytest.raises(TypeError, match="cannot be read as numbers"):
        read(object())


def test_c102_burst_and_paced_differ_and_both_are_kept() -> None:
    clock, last = FakeClock(), [-(10**12)]

    def call() -> list[float]:
        """1 ms after a pause of less than 5 ms, 4 ms otherwise."""
        clock.pass_ms(1 if clock.now() - last[0] < 5 * MS else 4)
        last[0] = clock.now()
        return [1.0]

    call()
    quick = summarise([burst(call, 100 * MS, 1000, clock)])
    slow = summarise([paced(call, 30, 33 * MS, clock)])
    assert quick is not None and slow is not None
    assert quick.p50_ms == 1.0
    assert slow.p50_ms == 4.0


def test_c104_drift_of_the_last_quarter_against_the_first() -> None:
    rising = [20.0] * 300 + [20 + 14 * k / 299 for k in range(300)]
    summary = summarise([block(*rising)])
    assert summary is not None
    assert summary.quarters_ms[:2] == (20.0, 20.0)
    assert summary.drift == pytest.approx(summary.quarters_ms[3] / 20 - 1)
    assert summary.drift > 0.5
    assert summary.steady_ms == pytest.approx(30.5, abs=0.1)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_quarters_of_few_samples(count: int) -> None:
    assert quarters([2.0] * count) == (2.0,) * 4


def test_ratio_is_by_round_so_that_common_drift_cancels() -> None:
    # The machine halves its speed after the second round: the ratio of the pooled medians would be off, the rounds' is not.
    one = [block(1, 1, 1), block(1, 1, 1), block(2, 2, 2)]
    base = [block(4, 4, 4), block(4, 4, 4), block(8, 8, 8)]
    assert ratio(one, base) == (0.25, 0.25, 0.25)
    assert ratio([], base) is None


def test_ratio_is_of_medians_and_gives_the_rounds_median_and_ends() -> None:
    """A neighbour that takes the core for one call of each block changes nothing; the third round is another's."""
    one = [block(1, 1, 70), block(1, 1, 90), block(3, 3, 3)]
    base = [block(4, 400, 4), block(4, 4, 4), block(4, 4, 800)]
    assert ratio(one, base) == (0.25, 0.25, 0.75)
    assert ratio(one[:2], [base[0], Block((), 0)]) == (0.25, 0.25, 0.25)


def test_a_plan_s_lower_limits_may_be_its_upper_ones() -> None:
    plan = Plan(seconds=5, patience=5, min_calls=50, max_calls=50, rounds=4)
    assert (plan.seconds, plan.patience, plan.min_calls, plan.max_calls) == (5, 5, 50, 50)
    for wrong in ({"max_calls": 49}, {"patience": 4.99}):
        with pytest.raises(ValueError, match="at least"):
            dataclasses.replace(plan, **wrong)  # type: ignore[arg-type]


def test_a_plan_that_cannot_be_is_refused() -> None:
    for wrong in ({"rounds": 3}, {"seconds": 0}, {"min_calls": 100, "max_calls": 10}, {"seconds": 10, "patience": 5}):
        with pytest.raises(ValueError, match=r"\w"):
            Plan(**wrong)  # type: ignore[arg-type]
