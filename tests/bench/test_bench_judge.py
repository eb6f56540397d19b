"""The limits by which a lane is believed: both sides of each, and the stop rule's conditions one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_world import MS
from edge_facenet_bench import judge
from edge_facenet_bench.timing import Block, Plan, Summary, summarise

PLAN = Plan(seconds=10, rounds=4, min_calls=50, max_calls=400, patience=60)


def quarters(*milliseconds: float, calls: int = 100) -> Summary:
    """A lane of so many calls, whose time changes from quarter to quarter."""
    each = [round(value * MS) for value in milliseconds for _ in range(calls // 4)]
    summary = summarise([Block(tuple(each), 0)])
    assert summary is not None and summary.calls == calls
    return summary


def blocks(count: int, calls: int, seconds: float) -> list[Block]:
    """`calls` calls of `seconds` together, dealt out to `count` blocks."""
    dealt = [calls // count + (k < calls % count) for k in range(count)]
    return [Block((round(seconds * 1e9 / calls),) * share, 0) for share in dealt]


@pytest.mark.parametrize(
    ("last", "cure"),
    [(8.0, "measure again on a machine at rest"), (12.0, "let the machine cool")],
)
def test_a_burst_that_became_a_fifth_faster_or_slower_is_no_figure(last: float, cure: str) -> None:
    (reason,) = judge.timing_faults(quarters(10, 10, 10, last), PLAN)
    assert reason.startswith(f"drift {last / 10 - 1:+.0%} ") and "limit 15%" in reason and cure in reason


@pytest.mark.parametrize(("last", "believed"), [(8.4, False), (8.6, True), (11.4, True), (11.6, False)])
def test_the_limit_of_drift_lies_between_14_and_16_per_cent_both_ways(last: float, believed: bool) -> None:
    assert (judge.timing_faults(quarters(10, 10, 10, last), PLAN) == ()) == believed


@pytest.mark.parametrize(("middle", "believed"), [(13.8, True), (14.2, False)])
def test_the_limit_of_spread_lies_between_38_and_42_per_cent(middle: float, believed: bool) -> None:
    unsteady = quarters(10, middle, 10, 10)
    assert (judge.timing_faults(unsteady, PLAN) == ()) == believed
    assert (judge.paced_faults(unsteady) == ()) == believed


@pytest.mark.parametrize(("calls", "faults"), [(49, 1), (50, 0), (51, 0)])
def test_as_many_calls_as_the_plan_asks_for_are_enough(calls: int, faults: int) -> None:
    steady = replace(quarters(10, 10, 10, 10), calls=calls)
    found = judge.timing_faults(steady, PLAN)
    assert len(found) == faults and all(f"only {calls} of 50 calls within 60 s" in reason for reason in found)


@pytest.mark.parametrize(
    ("given", "is_done"),
    [
        (blocks(4, 50, 10), True),
        (blocks(3, 50, 10), False),  # a round is missing
        (blocks(4, 49, 10), False),  # a call
        (blocks(4, 50, 9.1), True),  # samples lack the loop's own time: nine tenths are the whole
        (blocks(4, 50, 8.9), False),
        (blocks(1, 400, 1), True),  # the most calls, whatever rounds and time
        (blocks(1, 399, 1), False),
        (blocks(1, 2, 60), True),  # patience is over
        (blocks(1, 2, 59.9), False),
    ],
)
def test_a_lane_is_done_with_rounds_calls_and_time_or_at_an_upper_limit(given: list[Block], is_done: bool) -> None:
    assert judge.done(given, PLAN) == is_done


@pytest.mark.parametrize(("cosine", "agrees"), [(0.985, False), (0.995, True)])
def test_engines_agree_above_a_cosine_of_0_99(cosine: float, agrees: bool) -> None:
    """Ten faces of which one comes out otherwise: the lowest decides, not the mean."""
    reference = np.tile(np.eye(2, dtype=np.float32)[:1], (10, 1))
    rows = reference.copy()
    rows[7] = 3 * cosine, 3 * np.sqrt(1 - cosine**2)
    found = judge.agreement(rows, reference, "the other")
    assert found is not None and found.faces == 10
    assert found.cosine_min == pytest.approx(cosine, abs=1e-6)
    assert found.cosine_mean == pytest.approx((9 + cosine) / 10, abs=1e-6)
    assert (judge.agreement_faults(found) == ()) == agrees
