"""The ten-fold protocol against a second implementation, against scikit-learn, and on its edges."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import slow_protocol as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_facenet.errors import InputError
from edge_facenet.verification import (
    Pairs,
    all_pairs,
    cosines,
    evaluate,
    evaluate_embeddings,
    open_set,
    operating_points,
    sampled_pairs,
    sweep,
    threshold_at_fpir,
)
from edge_facenet.verification.protocol import FARS, fold_of
from edge_facenet.verification.sweep import at_far, best_threshold, events, measurable

# Scores are halves, thirds and a few neighbouring doubles: ties everywhere, and gaps without a double between.
TIED = st.sampled_from([0.0, 1 / 3, 0.5, 2 / 3, 1.0, np.nextafter(0.5, 1), np.nextafter(0.5, 0), -0.25])


def make_pairs(genuine: int, impostor: int) -> Pairs:
    same = np.arange(genuine + impostor) < genuine
    n = len(same)
    first = np.arange(n, dtype=np.int64)
    person = np.where(same, first, first + n)
    return Pairs(first, first + n, same, first, person)


def scored(kind: str, genuine: int, impostor: int, seed: int) -> tuple[Pairs, np.ndarray]:
    rng = np.random.default_rng(seed)
    pairs = make_pairs(genuine, impostor)
    scores = rng.normal(size=len(pairs)) + pairs.same
    return pairs, {"random": scores, "tied": np.round(scores, 1), "very tied": np.round(scores)}[kind]


@pytest.mark.parametrize("kind", ["random", "tied", "very tied"])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(("genuine", "impostor"), [(40, 40), (23, 90)])
def test_equals_the_second_implementation(kind: str, balanced: bool, genuine: int, impostor: int) -> None:
    pairs, scores = scored(kind, genuine, impostor, seed=7)
    result = evaluate(scores, pairs, seed=3, balanced=balanced)
    same, values = pairs.same.tolist(), scores.tolist()
    mean, error = slow.ten_folds(values, same, fold_of(pairs, 10, 3, False).tolist(), balanced)
    # 1e-12: both divide and average at most 10 whole-number ratios, each to 1 unit in 2^53
    assert result.accuracy == pytest.approx(mean, abs=1e-12)
    assert result.accuracy_se == pytest.approx(error, abs=1e-12)
    assert result.auc == pytest.approx(slow.auc(values, same), abs=1e-12)
    assert result.eer == pytest.approx(slow.eer(values, same), abs=1e-12)
    for point, far in zip(
        operating_points(sweep(scores, pairs.same), (0.1, 0.2, 1 / 3, 0.9, 1.0)),
        (0.1, 0.2, 1 / 3, 0.9, 1.0),
        strict=True,
    ):
        assert point.val == slow.val(values, same, Fraction(far).limit_denominator(1000))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TIED, st.booleans()), min_size=2, max_size=25), st.booleans())
def test_best_threshold_equals_a_search_through_all(rows: list[tuple[float, bool]], balanced: bool) -> None:
    scores, same = [r[0] for r in rows], [r[1] for r in rows]
    if not (any(same) and not all(same)):
        return
    assert best_threshold(sweep(scores, same), balanced) == slow.best(scores, same, balanced)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TIED, st.booleans()), min_size=1, max_size=25), st.randoms())
def test_sweep_is_monotone_complete_and_blind_to_order(rows: list[tuple[float, bool]], random: object) -> None:
    scores, same = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    swept = sweep(scores, same)
    assert (np.diff(swept.thresholds) < 0).all()
    assert (np.diff(swept.genuine) >= 0).all() and (np.diff(swept.impostor) >= 0).all()
    assert (swept.genuine[0], swept.impostor[0]) == (0, 0)
    assert (swept.genuine[-1], swept.impostor[-1]) == (same.sum(), (~same).sum())
    for threshold, genuine, impostor in zip(swept.thresholds, swept.genuine, swept.impostor, strict=True):
        assert ((scores > threshold) & same).sum() == genuine
        assert ((scores > threshold) & ~same).sum() == impostor
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis' own generator
    again = sweep(scores[order], same[order])
    assert (again.thresholds == swept.thresholds).all() and (again.genuine == swept.genuine).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(10, 60), st.integers(10, 60), st.integers(2, 10), st.integers(0, 2**32))
def test_folds_deal_each_kind_evenly(genuine: int, impostor: int, folds: int, seed: int) -> None:
    pairs = make_pairs(genuine, impostor)
    fold = fold_of(pairs, folds, seed, file_order=False)
    for kind in (pairs.same, ~pairs.same):
        sizes = np.bincount(fold[kind], minlength=folds)
        assert len(sizes) == folds and sizes.max() - sizes.min() <= 1 and sizes.min() >= 1
    assert (fold == fold_of(pairs, folds, seed, file_order=False)).all()


def test_auc_equals_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is a development dependency")
    for kind in ("random", "tied", "very tied"):
        pairs, scores = scored(kind, 400, 1500, seed=1)
        assert evaluate(scores, pairs).auc == pytest.approx(metrics.roc_auc_score(pairs.same, scores), abs=1e-12)
        far, tar, _ = metrics.roc_curve(pairs.same, scores, drop_intermediate=False)
        swept = sweep(scores, pairs.same)
        assert far == pytest.approx(swept.far, abs=1e-12) and tar == pytest.approx(swept.tar, abs=1e-12)


@pytest.mark.parametrize("kind", ["random", "tied", "very tied"])
def test_lfw_view_2_equals_scikit_learn_fold_by_fold(kind: str) -> None:
    """Ten unshuffled blocks, the threshold from the other nine by a search through scikit-learn's own ROC points."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is a development dependency")
    from sklearn.model_selection import KFold

    rng = np.random.default_rng(11)
    same = np.tile(np.repeat([True, False], 30), 10)  # as LFW writes them: 30 and 30 in each of ten blocks
    scores = rng.normal(size=len(same)) + 1.5 * same
    scores = {"random": scores, "tied": np.round(scores, 1), "very tied": np.round(scores)}[kind]
    n = np.arange(len(same), dtype=np.int64)
    filed = Pairs(n, n + len(n), same, n, np.where(same, n, n + len(n)), n // 60)
    found = []
    for others, held in KFold(10, shuffle=False).split(scores):
        # scikit-learn accepts score >= threshold; its lowest candidates are the scores themselves
        limits = metrics.roc_curve(same[others], scores[others], drop_intermediate=False)[2]
        right = [metrics.accuracy_score(same[others], scores[others] >= limit) for limit in limits]
        limit = limits[int(np.argmax(right))]  # thresholds fall: the first of equals accepts fewest
        below = scores[others][scores[others] < limit]
        between = (below.max() + limit) / 2 if len(below) and np.isfinite(limit) else limit  # midway, as we do
        found.append(metrics.accuracy_score(same[held], scores[held] > between))
    result = evaluate(scores, filed, file_order=True)
    assert result.accuracy == pytest.approx(100 * np.mean(found), abs=1e-12)
    assert result.accuracy_se == pytest.approx(100 * np.std(found, ddof=1) / np.sqrt(10), abs=1e-12)
    assert result.genuine + result.impostor == 600
    far, tar, _ = metrics.roc_curve(same, scores, drop_intermediate=False)
    for point in operating_points(sweep(scores, same), (0.3, 0.1, 0.02)):
        assert point.val == pytest.approx(tar[far <= point.far].max(), abs=1e-12)
    assert result.eer == pytest.approx(
        min((abs(f + t - 1), -t, (f + 1 - t) / 2) for f, t in zip(far, tar, strict=True))[2], abs=0.01
    )


@pytest.mark.parametrize("kind", ["random", "tied", "very tied"])
@pytest.mark.parametrize("fpir", [(1, 10), (1, 4), (1, 50)])
def test_open_set_rates_equal_the_second_implementation(kind: str, fpir: tuple[int, int]) -> None:
    rng, rate = np.random.default_rng(5), Fraction(*fpir)
    mates, strangers = rng.normal(1, 1, 90), rng.normal(0, 1, 300)
    mates, strangers = (
        {"random": s, "tied": np.round(s, 1), "very tied": np.round(s)}[kind] for s in (mates, strangers)
    )
    right = rng.random(90) < 0.9
    threshold = threshold_at_fpir(strangers, float(rate))
    limit, alarms, missed = slow.open_set(mates.tolist(), right.tolist(), strangers.tolist(), rate)
    assert threshold == limit
    rates = open_set(mates, right, strangers, threshold)
    assert rates.fpir == pytest.approx(float(alarms), abs=1e-12) and rates.fnir == pytest.approx(
        float(missed), abs=1e-12
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TIED, st.booleans()), min_size=2, max_size=40))
def test_roc_rises_from_nothing_to_everything_and_no_rate_is_exceeded(rows: list[tuple[float, bool]]) -> None:
    scores, same = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    if not (same.any() and not same.all()):
        return
    swept = sweep(scores, same)
    assert (np.diff(swept.far) >= 0).all() and (np.diff(swept.tar) >= 0).all()
    assert (swept.far[0], swept.tar[0], swept.far[-1], swept.tar[-1]) == (0, 0, 1, 1)
    points = [p for p in operating_points(swept, (0.1, 0.2, 0.5, 1.0)) if p.val is not None]
    assert all(a.val <= b.val for a, b in pairwise(points))  # type: ignore[operator]
    assert all(p.realised is not None and p.realised <= p.far for p in points)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 2**32))
def test_folds_in_file_order_are_the_files_whatever_the_seed(sets: int, per_kind: int, seed: int) -> None:
    same = np.tile(np.repeat([True, False], per_kind), sets)
    n = np.arange(len(same), dtype=np.int64)
    fold = n // (2 * per_kind)
    filed = Pairs(n, n + len(n), same, n, np.where(same, n, n + len(n)), fold)
    assert (fold_of(filed, 10, seed, file_order=True) == fold).all()
    blocks = Pairs(n, n + len(n), same, n, np.where(same, n, n + len(n)))  # a file without folds: equal blocks
    assert (fold_of(blocks, sets, seed, file_order=True) == fold).all()


def test_pairs_of_the_same_result_in_another_order() -> None:
    pairs, scores = scored("tied", 50, 200, seed=5)
    order = np.random.default_rng(0).permutation(len(pairs))
    one, other = evaluate(scores, pairs), evaluate(scores[order], pairs.take(order))
    assert (one.auc, one.eer, one.val) == (other.auc, other.eer, other.val)


def test_file_order_keeps_the_files_folds() -> None:
    pairs, scores = scored("random", 60, 60, seed=2)
    fold = np.tile(np.arange(6), 20)
    filed = Pairs(pairs.a, pairs.b, pairs.same, pairs.identity_a, pairs.identity_b, fold)
    mean, error = slow.ten_folds(scores.tolist(), pairs.same.tolist(), fold.tolist(), False)
    results = [evaluate(scores, filed, seed=seed, file_order=True) for seed in (0, 1)]
    assert results[0] == results[1]
    assert (results[0].accuracy, results[0].accuracy_se) == pytest.approx((mean, error), abs=1e-12)
    assert results[0].folds == 6


def test_c112_val_where_the_model_is_better_than_the_rate_asked_for() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.9, 0.01, 3000), rng.normal(0, 0.01, 3000)])
    result = evaluate(scores, make_pairs(3000, 3000))
    by_far = {p.far: p for p in result.val}
    assert by_far[1e-2].val == by_far[1e-3].val == 1.0
    assert by_far[1e-4].val is None and by_far[1e-4].threshold is None
    assert by_far[1e-4].note == "not measurable (3,000 impostors; 30,000 are needed)"
    assert result.smallest_far == 1e-3 and result.accuracy == 100


@pytest.mark.parametrize(
    ("impostors", "far", "allowed"),
    [(3000, 1e-3, 3), (100, 0.29, 29), (100, 0.07, 7), (3, 1 / 3, 1), (30_000, 1e-4, 3), (10**9, 1e-9, 1)],
)
def test_c112_rates_are_exact_whatever_their_double(impostors: int, far: float, allowed: int) -> None:
    assert events(impostors, far) == allowed
    assert measurable(impostors, far) is (allowed >= 3)


@pytest.mark.parametrize("far", FARS)
def test_c112_no_rate_is_exceeded_and_none_wasted(far: float) -> None:
    pairs, scores = scored("tied", 500, 40_000, seed=9)
    swept = sweep(scores, pairs.same)
    place = at_far(swept, far)
    assert swept.far[place] <= far < swept.far[place + 1]


def test_c052_constant_and_broken_embeddings_are_marked_invalid() -> None:
    pairs = sampled_pairs(np.repeat(np.arange(12), 8), 300, 300, seed=0)
    rng = np.random.default_rng(0)
    for constant in (np.zeros((96, 128), np.float32), np.tile(rng.normal(size=128).astype(np.float32), (96, 1))):
        result = evaluate_embeddings(constant, pairs)
        assert not result.valid and result.accuracy == pytest.approx(50)
        assert any("embeddings constant (variance 0)" in reason for reason in result.reasons)
        bare = evaluate(cosines(constant, pairs), pairs)  # scores alone give it away as well
        assert not bare.valid and "embeddings constant (variance 0)" in bare.reasons[0]
    good = rng.normal(size=(96, 128)).astype(np.float32)
    assert evaluate_embeddings(good, pairs).valid
    for share, words in ((50, "more than half: 50 of 96"), (1, "not finite (1 of 96)")):
        broken = good.copy()
        broken[:share, 3] = np.nan
        result = evaluate_embeddings(broken, pairs)
        assert not result.valid and any(words in reason for reason in result.reasons)
        assert np.isfinite([result.accuracy, result.auc, result.eer]).all()
    infinite = good.copy()
    infinite[0, 0] = np.inf
    assert not evaluate_embeddings(infinite, pairs).valid
    some_zero = good.copy()
    some_zero[5] = 0
    assert "all zero (1 of 96)" in evaluate_embeddings(some_zero, pairs).reasons[0]


def test_c052_a_score_that_is_not_a_number_is_never_the_same_person() -> None:
    pairs, scores = scored("random", 50, 50, seed=4)
    scores = scores + 5 * pairs.same
    scores[:5] = np.nan  # five genuine pairs are refused at every threshold
    result = evaluate(scores, pairs)
    assert result.accuracy == pytest.approx(95, abs=1e-9) and not result.valid


def test_too_few_pairs_are_refused_with_what_is_missing() -> None:
    one_photo_each = all_pairs([0, 1, 2, 3])
    with pytest.raises(InputError, match="genuine and impostor pairs; found 0 and 6"):
        evaluate(np.arange(6.0), one_photo_each)
    with pytest.raises(InputError, match="genuine and impostor pairs; found 6 and 0"):
        evaluate(np.arange(6.0), all_pairs([0, 0, 0, 0]))
    with pytest.raises(InputError, match=r"10 folds need .* there are 2 genuine and 4 impostor"):
        evaluate(np.arange(6.0), all_pairs([0, 0, 1, 1]))
    with pytest.raises(InputError, match="need as many scores"):
        evaluate(np.arange(5.0), one_photo_each)
    with pytest.raises(InputError, match="false accept rate lies above 0"):
        operating_points(sweep([0.1, 0.2], [True, False]), (0.0,))


def test_balanced_accuracy_is_chosen_when_the_kinds_differ() -> None:
    pairs, _ = scored("random", 20, 200, seed=0)
    low = np.linspace(0, 1, len(pairs))  # genuine pairs score lowest: refusing everybody is right 91 % of the time
    assert evaluate(low, pairs).accuracy > 85
    automatic = evaluate(low, pairs, balanced=None)
    assert automatic.balanced and automatic.accuracy <= 50
    assert not evaluate(*reversed(scored("random", 20, 40, seed=0)), balanced=None).balanced
