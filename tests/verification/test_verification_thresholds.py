"""Thresholds, intervals, differences, transfer, open set."""

from __future__ import annotations

import dataclasses
import time
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_facenet.errors import InputError, ThresholdError
from edge_facenet.manifest import Threshold, Thresholds
from edge_facenet.schema import from_json, to_json
from edge_facenet.verification import (
    Pairs,
    all_pairs,
    bootstrap,
    compare,
    cosines,
    derive,
    evaluate,
    from_cosine,
    open_set,
    same_person,
    sampled_pairs,
    sweep,
    threshold_at_fpir,
    to_cosine,
    transfer,
    with_intervals,
)
from edge_facenet.verification.bootstrap import Resampled, weights


def simulated(
    people: int, photos: int, rng: np.random.Generator, person: float = 0.4, noise: float = 0.5
) -> tuple[Pairs, np.ndarray]:
    """Scores in which people differ: some are hard to recognise, some are everybody's double."""
    pairs = all_pairs(np.repeat(np.arange(people), photos))
    hard, double = rng.normal(0, person, (2, people))
    between = (double[pairs.identity_a] + double[pairs.identity_b]) / np.sqrt(2)
    return pairs, np.where(pairs.same, 1 + hard[pairs.identity_a], between) + rng.normal(0, noise, len(pairs))


@pytest.fixture(scope="module")
def data() -> tuple[Pairs, np.ndarray]:
    return simulated(12, 8, np.random.default_rng(0))


def test_derived_thresholds_keep_their_rates_and_say_what_is_not_measurable(data: tuple[Pairs, np.ndarray]) -> None:
    pairs, scores = data
    found = derive(scores, pairs, "twelve people")
    assert (found.source, found.identities, found.genuine, found.impostor) == ("twelve people", 12, 336, 4224)
    for point in found.at[:3]:
        assert point.cosine is not None and point.interval is not None
        assert (scores[~pairs.same] > point.cosine).mean() <= point.far
        assert point.tar == (scores[pairs.same] > point.cosine).mean()
        assert point.interval[0] <= point.cosine <= point.interval[1]
    assert found.at[3] == Threshold(far=1e-4, note="not measurable (4,224 impostors; 30,000 are needed)")
    with pytest.raises(ThresholdError, match="not measurable \\(4,224 impostors; 30,000 are needed\\)"):
        found.cosine(1e-4)
    assert derive(scores, pairs, "twelve people") == found
    assert from_json(Thresholds, to_json(found), "thresholds") == found


@pytest.mark.parametrize(
    "scores", [np.zeros(3), np.full(3, 0.7), np.array([0.1, np.nan, 0.3]), np.array([0.1, np.inf, 0.3])]
)
def test_no_threshold_is_drawn_from_scores_that_mean_nothing(scores: np.ndarray) -> None:
    pairs = all_pairs([0, 0, 1])
    with pytest.raises(ThresholdError, match="No threshold can be drawn"):
        derive(scores, pairs, "nothing")
    with pytest.raises(ThresholdError, match="No threshold can be drawn"):
        compare(np.array([0.3, 0.2, 0.1]), scores, pairs)
    with pytest.raises(InputError, match="genuine and impostor"):
        derive(np.arange(3.0), all_pairs([0, 1, 2]), "nobody twice")


def test_two_people_have_no_thresholds_however_many_photos() -> None:
    pairs = all_pairs(np.repeat([0, 1], 40))
    rng = np.random.default_rng(0)
    found = derive(rng.normal(size=len(pairs)), pairs, "two people", fars=(0.1, 1e-2, 1e-3))
    assert [p.cosine for p in found.at] == [None] * 3
    assert [p.note for p in found.at] == ["not measurable (2 people, 3 at least)"] * 2 + [
        "not measurable (1,600 impostors; 3,000 are needed)"
    ]
    with pytest.raises(ThresholdError, match=r"No threshold at FAR 0\.1: not measurable \(2 people, 3 at least\)\.$"):
        found.cosine(0.1)
    three = all_pairs(np.repeat([0, 1, 2], 10))
    assert derive(rng.normal(size=len(three)), three, "three people", fars=(0.1,)).at[0].cosine is not None
    assert compare(rng.normal(size=len(pairs)), rng.normal(size=len(pairs)), pairs).interval is None


def test_a_resample_weighs_pairs_by_how_often_their_people_came_up(data: tuple[Pairs, np.ndarray]) -> None:
    pairs, _ = data
    draws = np.random.default_rng(5).multinomial(12, np.full(12, 1 / 12), 1000)
    found = np.concatenate(list(weights(pairs, seed=5)))
    for row, times in zip(found[:20], draws, strict=False):
        for k in range(0, len(pairs), 97):
            first, second = times[pairs.identity_a[k]], times[pairs.identity_b[k]]
            assert row[k] == (first if pairs.same[k] else first * second)


def test_statistics_of_a_resample_equal_those_of_the_pairs_written_out(data: tuple[Pairs, np.ndarray]) -> None:
    pairs, scores = data
    tied = np.round(scores, 1)
    for values in (scores, tied):
        weight = next(weights(pairs, seed=3))[:10]
        thresholds, tar, accuracy = Resampled(values, pairs.same, (0.1, 0.01)).statistics(weight)
        for k, row in enumerate(weight):
            written = np.repeat(np.arange(len(pairs)), row)
            swept = sweep(values[written], pairs.same[written])
            assert accuracy[k] == pytest.approx(((swept.tar + 1 - swept.far) / 2).max(), abs=1e-12)
            for column, far in enumerate((0.1, 0.01)):
                assert (values[written][~pairs.same[written]] > thresholds[k, column]).mean() <= far
                assert tar[k, column] == pytest.approx(swept.tar[swept.far <= far].max(), abs=1e-12)


def test_intervals_cover_and_those_that_forget_people_do_not() -> None:
    """60 simulated data sets of 20 people. Binomial noise of 60 runs at 95 % is 0.028: below 0.85 is four of these away."""
    rng, runs, threshold = np.random.default_rng(1), 60, 1.0
    truth = _share_above(threshold, 0.0), _share_above(threshold, 1.0)
    covered, forgetful = np.zeros(2), np.zeros(2)
    for run in range(runs):
        pairs, scores = simulated(20, 3, rng)
        accepted = scores > threshold
        spans = bootstrap.rates([accepted], pairs, run)[0]
        for k, kind in enumerate((~pairs.same, pairs.same)):
            share, span = accepted[kind].mean(), spans[k]
            half = 1.96 * np.sqrt(share * (1 - share) / kind.sum())
            assert span is not None
            covered[k] += span[0] <= truth[k] <= span[1]
            forgetful[k] += abs(share - truth[k]) <= half
    assert (covered / runs >= 0.85).all()
    assert forgetful[0] / runs < 0.6


@pytest.mark.parametrize(("people", "threshold"), [(40, 1.0), (60, 1.6), (30, 2.6)])
def test_intervals_cover_at_their_nominal_rate_from_thirty_people_on(people: int, threshold: float) -> None:
    """100 data sets: a nominal 95 % has a standard deviation of 2.2 %, and 87.5 % lies three and a half of them below.

    Measured: 93 to 97 % at 40 to 80 people. At 2.6 a false accept is seen in one data set of twenty: an interval
    "0 to 0" would then miss the truth in nineteen.
    """
    rng, runs = np.random.default_rng(people), 100
    truth = _share_above(threshold, 0.0), _share_above(threshold, 1.0)
    covered = np.zeros(2)
    for run in range(runs):
        pairs, scores = simulated(people, 3, rng)
        spans = bootstrap.rates([scores > threshold], pairs, run)[0]
        for k, span in enumerate(spans):
            assert span is not None and span[0] < span[1]
            covered[k] += span[0] <= truth[k] <= span[1]
    assert (covered / runs >= 0.875).all()


def test_rates_of_grouped_pairs_equal_those_of_pairs_one_by_one(data: tuple[Pairs, np.ndarray]) -> None:
    pairs, scores = data
    decisions = [scores > 0.5, scores > 1.0]
    drawn = []
    for weight in weights(pairs, seed=8):
        for row in weight:
            drawn.append(
                [row[kind] @ d[kind] / row[kind].sum() for d in decisions for kind in (~pairs.same, pairs.same)]
            )
    spans = bootstrap.rates(decisions, pairs, seed=8)
    for k, span in enumerate((spans[0][0], spans[0][1], spans[1][0], spans[1][1])):
        assert span == pytest.approx(bootstrap.interval(np.array(drawn)[:, k], pairs.identities), abs=1e-12)


def listed(genuine: list[tuple[int, int]], impostor: list[tuple[int, int]]) -> Pairs:
    """Pairs of a file, by person."""
    first, second = np.array([*genuine, *impostor]).T
    rows = np.arange(2 * len(first)).reshape(2, -1)
    return Pairs(rows[0], rows[1], np.arange(len(first)) < len(genuine), first, second)


def test_no_false_accept_proves_no_more_than_the_pairs_of_people_that_were_compared() -> None:
    """3,000 impostor pairs among 3,798 people, as LFW lists them: 0 of 3,000, not 0 of 7 million."""
    strangers = [(k, k + 1 + k % 7) for k in range(0, 3600, 2)] + [(k, 3790 + k % 8) for k in range(1, 2400, 2)]
    pairs = listed([(k, k) for k in range(3798)], strangers)
    assert (pairs.impostor, len({tuple(sorted(pair)) for pair in strangers}), pairs.identities) == (3000, 3000, 3798)
    ((far, tar),) = bootstrap.rates([pairs.same], pairs, seed=0)
    assert far == pytest.approx((0.0, 1.28e-3), rel=0.01)  # Wilson's of 0 of 3,000
    assert tar == pytest.approx((1 - 1.01e-3, 1.0), rel=1e-5)


def test_people_without_a_genuine_pair_prove_nothing_about_genuine_pairs() -> None:
    pairs = listed([(k, k) for k in range(5)] * 4, [(a, b) for a in range(100) for b in range(a)])
    scores = np.where(pairs.same, 1.0, 0.001 * np.arange(len(pairs)) / len(pairs))
    ((far, tar),) = bootstrap.rates([scores > 0.5], pairs, seed=0)
    assert tar is not None and (round(tar[0], 2), tar[1]) == (0.39, 1.0)  # Wilson's of 5 of 5
    assert far is not None and far[1] == pytest.approx(1.97**2 / (4950 + 1.97**2), rel=0.03)
    result = with_intervals(evaluate(scores, pairs, folds=5, balanced=True), scores, pairs)
    assert result.val[0].interval == pytest.approx(tar) and result.accuracy_interval == pytest.approx(
        (39.3, 100), abs=0.1
    )
    two = listed([(0, 0), (1, 1)], [(a, b) for a in range(100) for b in range(a)])
    assert bootstrap.rates([two.same], two, seed=0)[0][1] is None


def test_all_pairs_of_people_with_several_photos_keep_their_numbers() -> None:
    pairs = all_pairs(np.repeat(np.arange(20), 3))
    t = bootstrap.student_t(0.975, 19)
    ((far, tar),) = bootstrap.rates([pairs.same], pairs, seed=0)
    assert far == pytest.approx(bootstrap.wilson(0.0, 190, t)) and tar == pytest.approx(bootstrap.wilson(1.0, 20, t))


def _share_above(threshold: float, mean: float) -> float:
    return 1 - NormalDist(mean, float(np.hypot(0.4, 0.5))).cdf(threshold)


def test_verification_with_intervals_contains_its_estimates(data: tuple[Pairs, np.ndarray]) -> None:
    pairs, scores = data
    steps: list[tuple[int, int]] = []
    plain = evaluate(scores, pairs, balanced=True, seed=4)
    result = with_intervals(plain, scores, pairs, seed=4, on_progress=lambda *step: steps.append(step))
    assert steps[-1] == (1000, 1000)
    assert result.accuracy_interval is not None
    assert result.accuracy_interval[0] < result.accuracy < result.accuracy_interval[1]
    for point in result.val[:3]:
        assert (
            point.val is not None and point.interval is not None and point.interval[0] <= point.val <= point.interval[1]
        )
    assert result.val[3].interval is None
    assert dataclasses.replace(result, accuracy_interval=None, val=plain.val) == plain


def test_comparing_a_model_with_itself_and_with_a_worse_one(data: tuple[Pairs, np.ndarray]) -> None:
    pairs, scores = data
    nothing = compare(scores, scores, pairs)
    assert (nothing.points, nothing.interval) == (0.0, (0.0, 0.0))
    assert [point.bound for point in nothing.tar[:2]] == [0.0, 0.0]
    worse = scores + np.random.default_rng(0).normal(0, 0.8, len(pairs))
    found, turned = compare(scores, worse, pairs), compare(worse, scores, pairs)
    assert found.interval is not None and found.interval[0] > 0
    assert found.points == found.accuracy_a - found.accuracy_b == -turned.points
    assert found.interval[0] <= found.points <= found.interval[1]
    assert turned.interval == pytest.approx((-found.interval[1], -found.interval[0]), abs=1e-9)
    assert found.tar[0].points is not None and found.tar[0].points > 0 and found.tar[0].interval is not None
    tiny = pairs.take(np.flatnonzero(pairs.identity_b < 3))
    short = compare(scores[: len(tiny)], scores[: len(tiny)], tiny)
    assert short.tar[2].note == "not measurable (192 impostors; 3,000 are needed)" and short.tar[2].interval is None
    assert short.tar[2].bound is None


def test_two_models_without_an_error_on_five_people_may_differ_on_others() -> None:
    pairs = all_pairs(np.repeat(np.arange(5), 3))
    scores = np.where(pairs.same, 0.8, 0.1) + 0.001 * np.arange(len(pairs)) / len(pairs)
    (point,) = compare(scores, scores * 0.9, pairs, fars=(0.1,)).tar
    assert point.points == 0 and point.interval is not None and point.bound is not None
    assert point.interval == pytest.approx((-60.7, 60.7), abs=0.1)  # Wilson's of 0 of 5, Student's t of 4 degrees
    assert point.bound == pytest.approx(-47.6, abs=0.1)
    many = all_pairs(np.repeat(np.arange(60), 2))
    scores = np.where(many.same, 0.8, 0.1) + 0.001 * np.arange(len(many)) / len(many)
    (point,) = compare(scores, scores * 0.9, many, fars=(0.1,)).tar
    assert point.bound is not None and -6 < point.bound < -4
    worse = np.where(many.same, -scores, scores)
    (lost,) = compare(worse, scores, many, fars=(0.1,)).tar  # everybody loses everything
    assert (lost.points, lost.bound) == (-100, -100) and lost.interval is not None and lost.interval[0] == -100


def test_the_bound_of_a_loss_covers_where_few_people_bear_it_and_one_that_forgets_people_does_not() -> None:
    """A fifth of the people lose a whole unit of similarity. 30 data sets: 0.81 is three and a half deviations below 0.95.

    Measured with more: 93 and 97 % of 60 data sets of 40 people x 4 photos, 86 % of 100 of 30 x 3, at least 97 % where
    all lose alike.
    """
    rng, runs, far, wide = np.random.default_rng(3), 30, 0.1, float(np.hypot(0.4, 0.5))
    limit = NormalDist(0, wide).inv_cdf(1 - far)
    truth = 20 * (NormalDist(1, wide).cdf(limit) - NormalDist(0, wide).cdf(limit))
    bounds, forgetful = [], []
    for run in range(runs):
        pairs, scores = simulated(40, 3, rng)
        hurt = pairs.same & (rng.random(40) < 0.2)[pairs.identity_a]
        (found,) = compare(scores - hurt, scores, pairs, run, fars=(far,)).tar
        assert found.bound is not None and found.points is not None and found.interval is not None
        assert found.interval[0] <= found.bound < found.points
        bounds.append(found.bound)
        limit_here = np.quantile(scores[~pairs.same], 1 - far)
        lost = (1.0 * (scores - hurt > limit_here) - (scores > limit_here))[pairs.same]
        forgetful.append(100 * (lost.mean() - 1.645 * lost.std() / np.sqrt(len(lost))))
    assert np.mean(np.array(bounds) <= truth) >= 0.81
    assert np.mean(np.array(forgetful) <= truth) < np.mean(np.array(bounds) <= truth)
    assert truth - 10 < np.mean(bounds) < truth  # and it says something: minus infinity would cover as well


def test_fifty_thousand_pairs_are_resampled_a_thousand_times_quickly() -> None:
    """2 s is the promise on an idle core; CPU time, so that neighbours do not matter."""
    pairs, scores = simulated(32, 10, np.random.default_rng(0))
    assert len(pairs) > 50_000
    started = time.process_time()
    compare(scores, scores + 0.01 * np.sin(np.arange(len(pairs))), pairs)
    assert time.process_time() - started < 4  # twice the promise, for slower machines


def test_transfer_states_what_thresholds_do_elsewhere(data: tuple[Pairs, np.ndarray]) -> None:
    pairs, scores = data
    own = derive(scores, pairs, "here")
    here = transfer(own, scores, pairs)
    for point, moved in zip(own.at, here, strict=True):
        assert (moved.nominal_far, moved.threshold, moved.nominal_tar, moved.note) == (
            point.far,
            point.cosine,
            point.tar,
            point.note,
        )
        if moved.far is not None:
            assert moved.far <= point.far and moved.tar == point.tar
            assert moved.far_interval is not None and moved.far_interval[0] <= moved.far <= moved.far_interval[1]
    elsewhere = transfer(own, scores + 0.2, pairs)  # other light, say: everything scores higher
    assert elsewhere[1].far is not None and elsewhere[1].far > 2 * own.at[1].far
    assert transfer(own, np.full(len(pairs), np.nan), pairs)[0].far == 0  # what is not a number is never accepted


def test_c115_one_threshold_decides_alike_by_every_distance() -> None:
    rng = np.random.default_rng(6)
    rows = rng.uniform(-1, 1, (400, 128))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = sampled_pairs(np.arange(400) // 4, 500, 500, seed=6)
    cosine = cosines(rows, pairs)
    squared = ((rows[pairs.a] - rows[pairs.b]) ** 2).sum(axis=1)
    own = derive(cosine, pairs, "U(6)", fars=(0.5, 0.1, 0.01))
    assert [f.name for f in dataclasses.fields(Threshold) if f.name in {"cosine", "l2", "squared_l2"}] == ["cosine"]
    for threshold in [t.cosine for t in own.at] + rng.uniform(-0.3, 0.3, 50).tolist():
        assert threshold is not None
        decided = same_person(cosine, threshold)
        assert (same_person(squared, threshold, "squared_l2") == decided).all()
        assert (same_person(np.sqrt(squared), threshold, "l2") == decided).all()
        assert ((squared < from_cosine(threshold, "squared_l2")) == decided).all()  # as a paper would
    assert not same_person(np.nan, -1.0)


@settings(max_examples=100, deadline=None)
@given(st.floats(-1, 1), st.sampled_from(["cosine", "squared_l2", "l2"]))
def test_c115_conversions_undo_each_other(cosine: float, metric: str) -> None:
    assert to_cosine(from_cosine(cosine, metric), metric) == pytest.approx(cosine, abs=1e-15 * 4)  # type: ignore[arg-type]


def test_c114_false_alarms_are_counted_over_strangers() -> None:
    mates, strangers = 0.50 + 0.01 * np.arange(50), 0.0014 * np.arange(500)
    rates = open_set(mates, np.ones(50, bool), strangers, 0.6293)
    assert (rates.dir, rates.fpir) == (37 / 50, 50 / 500) == (0.74, 0.10)
    assert (rates.mates, rates.strangers) == (50, 500) and rates.fnir == pytest.approx(0.26)


def test_c114_a_mate_named_wrongly_is_not_identified_and_thresholds_follow_the_rule() -> None:
    right = np.arange(50) % 2 == 0
    assert open_set(np.full(50, 0.9), right, [0.1], 0.5).dir == 0.5
    assert open_set([0.5], [True], [], 0.5) == dataclasses.replace(open_set([0.5], [True], [], 0.5), dir=0.0, fpir=None)
    strangers = 0.0014 * np.arange(500)
    threshold = threshold_at_fpir(strangers, 0.1)
    assert (strangers > threshold).mean() == 0.1
    assert (threshold_at_fpir(np.zeros(500), 0.1)) == 0  # ties are refused together
    for few, fpir in ((strangers[:29], 0.1), (strangers, 0.001), (strangers, 0.0), (strangers, 1.0)):
        with pytest.raises(ThresholdError, match="not measurable"):
            threshold_at_fpir(few, fpir)
    with pytest.raises(InputError, match="one score and one verdict per mate"):
        open_set([0.1, 0.2], [True], [0.1], 0.5)
