"""Scores on a threshold, intervals that must hold their estimate, and one person who proves nothing."""

from __future__ import annotations

import numpy as np
import pytest

from edge_facenet.manifest import Threshold, Thresholds
from edge_facenet.verification import all_pairs, bootstrap, derive, same_person, transfer
from edge_facenet.verification.protocol import OperatingPoint
from edge_facenet.verification.thresholds import _threshold


@pytest.mark.parametrize("values", [np.zeros(50), np.linspace(-3, 4, 50)])
def test_of_one_person_nothing_is_known_of_a_difference(values: np.ndarray) -> None:
    assert bootstrap.difference(values, 1) == ((-100.0, 100.0), -100.0)


def test_two_people_who_do_not_differ_say_a_little() -> None:
    """Wilson's upper bound of 0 of n is q^2 / (n + q^2); Student's t of one degree, of Cauchy's distribution: tan."""
    wide, one_sided = (100 * q * q / (2 + q * q) for q in (np.tan(np.pi * 0.475), np.tan(np.pi * 0.45)))
    interval, bound = bootstrap.difference(np.zeros(50), 2)
    assert interval == pytest.approx((-wide, wide)) and bound == pytest.approx(-one_sided)
    assert one_sided < wide < 99


def test_a_score_on_a_threshold_is_another_person() -> None:
    """Quarters are exact in binary, so that the scores are the thresholds and not beside them."""
    pairs = all_pairs(np.repeat(np.arange(4), 3))
    scores = np.where(pairs.same, 0.75, 0.25)
    own = Thresholds("quarters", 4, 12, 54, (Threshold(0.1, 0.25), Threshold(0.01, 0.5), Threshold(0.001, 0.75)))
    moved = transfer(own, scores, pairs)
    assert [point.far for point in moved] == [0.0, 0.0, 0.0]
    assert [point.tar for point in moved] == [1.0, 1.0, 0.0]
    assert same_person(scores, 0.25).tolist() == pairs.same.tolist() and not same_person(scores, 0.75).any()
    below = transfer(own, np.nextafter(scores, 1), pairs)  # the least bit more, and it is above
    assert [(point.far, point.tar) for point in below] == [(1.0, 1.0), (0.0, 1.0), (0.0, 1.0)]


def test_a_derived_interval_holds_its_threshold() -> None:
    """All strangers score 0.25, all genuine pairs 0.75: midway is 0.5, and every resample gives the score itself, 0.25."""
    pairs = all_pairs(np.repeat(np.arange(6), 3))
    scores = np.where(pairs.same, 0.75, 0.25)
    ordered = bootstrap.Resampled(scores, pairs.same, [0.1])
    drawn = [ordered.statistics(weight)[0] for weight in bootstrap.weights(pairs, 0)]
    assert np.unique(np.concatenate(drawn)).tolist() == [0.25]
    (point,) = derive(scores, pairs, "six people", fars=(0.1,)).at
    assert (point.cosine, point.interval, point.tar) == (0.5, (0.25, 0.5), 1.0)


@pytest.mark.parametrize(
    ("span", "widened"), [((0.1, 0.2), (0.1, 0.3)), ((0.4, 0.5), (0.3, 0.5)), ((0.2, 0.4), (0.2, 0.4)), (None, None)]
)
def test_an_interval_is_widened_to_its_estimate_and_no_further(
    span: tuple[float, float] | None, widened: tuple[float, float] | None
) -> None:
    found = _threshold(OperatingPoint(far=0.1, threshold=0.3, val=0.9), span)
    assert (found.far, found.cosine, found.interval, found.tar) == (0.1, 0.3, widened, 0.9)
