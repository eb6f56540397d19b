"""Thresholds of an artifact: derived with intervals, carried to other data, and the difference between two models.

One number is stored, a cosine. Squared L2 between unit vectors is 2 - 2 cos; whoever measures another distance converts it
to that cosine before it is compared (`same_person`); there is no second threshold that could disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, ThresholdError
from ..manifest import Threshold, Thresholds
from ..schema import doc
from . import bootstrap
from .bootstrap import Resampled
from .pairs import Pairs
from .protocol import FARS, OperatingPoint, faults, finite, operating_points
from .sweep import best_threshold, sweep
from .wilson import Interval

Metric = Literal["cosine", "squared_l2", "l2"]


@dataclass(frozen=True)
class TarDifference:
    """Difference of two models' TAR at one false accept rate."""

    far: float = doc("false accept rate, share")
    points: float | None = doc("TAR of a minus TAR of b, percentage points", None)
    interval: Interval | None = doc("95 % paired bootstrap interval over identities", None)
    bound: float | None = doc("one-sided 95 % lower bound, the same resamples: a loses no more than this", None)
    note: str | None = doc("why it is not measurable", None)


@dataclass(frozen=True)
class Difference:
    """Model a minus model b on the same pairs; each at its own best threshold."""

    points: float = doc("balanced accuracy of a minus that of b, percentage points")
    interval: Interval | None = doc("95 % paired bootstrap interval over identities; absent below 3 people")
    accuracy_a: float = doc("best balanced accuracy of a on these pairs, per cent (in sample: for differences only)")
    accuracy_b: float = doc("the same of b")
    pairs: int = doc("pairs compared")
    identities: int = doc("people in these pairs")
    tar: tuple[TarDifference, ...] = doc("difference of TAR at each false accept rate")


@dataclass(frozen=True)
class Transfer:
    """What a threshold promised, and what it does on other pairs."""

    nominal_far: float = doc("false accept rate the threshold was derived for, share")
    threshold: float | None = doc("cosine; absent when it was not measurable", None)
    far: float | None = doc("share of impostor pairs it accepts here", None)
    far_interval: Interval | None = doc("95 % bootstrap interval over identities", None)
    nominal_tar: float | None = doc("share of genuine pairs it accepted where it was derived", None)
    tar: float | None = doc("share of genuine pairs it accepts here", None)
    tar_interval: Interval | None = doc("95 % bootstrap interval over identities", None)
    note: str | None = doc("why a figure is missing", None)


def derive(scores: ArrayLike, pairs: Pairs, source: str, fars: Sequence[float] = FARS, seed: int = 0) -> Thresholds:
    """Thresholds at each rate with 95 % bootstrap intervals over identities, for the manifest.

    A rate is measurable when impostor pairs x rate >= 3 (the rule of three, see `sweep.MIN_EVENTS`) and they are of three
    people or more.

    Args:
        scores: (n,) cosine of each pair.
        source: what the pairs are of, in words.
        seed: of the resampling.
    Raises:
        ThresholdError: the scores are not finite or all the same, so that no threshold would mean anything.
    """
    values = _proper(scores, pairs)
    points = operating_points(sweep(values, pairs.same), fars)
    if pairs.identities < bootstrap.MIN_IDENTITIES:  # one pair of people: nothing says how alike another pair may be
        note = f"not measurable ({pairs.identities} people, {bootstrap.MIN_IDENTITIES} at least)"
        points = tuple(OperatingPoint(far=p.far, note=p.note or note) for p in points)
    cosines = _bootstrap_thresholds(values, pairs, [p.far for p in points if p.threshold is not None], seed)
    return Thresholds(
        source=source,
        identities=pairs.identities,
        genuine=pairs.genuine,
        impostor=pairs.impostor,
        at=tuple(_threshold(point, cosines.get(point.far)) for point in points),
    )


def compare(
    scores_a: ArrayLike, scores_b: ArrayLike, pairs: Pairs, seed: int = 0, fars: Sequence[float] = (1e-1, 1e-2, 1e-3)
) -> Difference:
    """Model a minus model b: both are resampled with the same people, and each chooses its threshold in each resample.

    Raises:
        ThresholdError: the scores of a or b are not finite or all the same.
    """
    both = [_proper(scores, pairs) for scores in (scores_a, scores_b)]
    sweeps = [sweep(scores, pairs.same) for scores in both]
    accuracy = [
        100 * _balanced(values, pairs.same, best_threshold(s, True)) for values, s in zip(both, sweeps, strict=True)
    ]
    points = [operating_points(s, fars) for s in sweeps]
    rates = [p.far for p in points[0] if p.val is not None]
    ordered = [Resampled(scores, pairs.same, rates) for scores in both]
    gains: list[NDArray[np.float64]] = []
    for weight in bootstrap.weights(pairs, seed):
        (_, tar_a, accuracy_a), (_, tar_b, accuracy_b) = (o.statistics(weight) for o in ordered)
        gains.append(100 * np.column_stack([accuracy_a - accuracy_b, tar_a - tar_b]))
    drawn = np.concatenate(gains) if gains else np.empty((0, 1 + len(rates)))
    people = pairs.genuine_identities
    told = {far: bootstrap.difference(c, people) for far, c in zip(rates, drawn.T[1:], strict=True)}
    if len(drawn) and np.array_equal(both[0], both[1]):  # one model: there is no difference to be found in other people
        told = dict.fromkeys(rates, ((0.0, 0.0), 0.0))
    return Difference(
        points=accuracy[0] - accuracy[1],
        interval=bootstrap.interval(drawn[:, 0], pairs.identities),
        accuracy_a=accuracy[0],
        accuracy_b=accuracy[1],
        pairs=len(pairs),
        identities=pairs.identities,
        tar=tuple(_tar_difference(a, b, told.get(a.far, (None, None))) for a, b in zip(*points, strict=True)),
    )


def transfer(
    thresholds: Thresholds,
    scores: ArrayLike,
    pairs: Pairs,
    seed: int = 0,
    on_progress: bootstrap.OnProgress | None = None,
) -> tuple[Transfer, ...]:
    """FAR and TAR that stored thresholds realise on these pairs, beside the nominal ones.

    A realised FAR is a count over a count, and stated however small; its interval says how little few pairs prove.
    """
    values = finite(np.asarray(scores, np.float64))
    known = [(t, t.cosine) for t in thresholds.at if t.cosine is not None]
    accepted = [values > cosine for _, cosine in known]
    spans = bootstrap.rates(accepted, pairs, seed, on_progress)
    done = {}
    for (threshold, cosine), yes, (far, tar) in zip(known, accepted, spans, strict=True):
        done[threshold.far] = Transfer(
            nominal_far=threshold.far,
            threshold=cosine,
            far=float(yes[~pairs.same].mean()),
            far_interval=far,
            nominal_tar=threshold.tar,
            tar=float(yes[pairs.same].mean()),
            tar_interval=tar,
        )
    return tuple(done.get(t.far, Transfer(nominal_far=t.far, note=t.note)) for t in thresholds.at)


def to_cosine(value: ArrayLike, metric: Metric) -> NDArray[np.float64]:
    """Cosine of a similarity or distance between unit vectors.

    >>> to_cosine([0.0, 2.0], "squared_l2").tolist(), to_cosine(2.0, "l2").tolist()
    ([1.0, 0.0], -1.0)
    """
    given = np.asarray(value, np.float64)
    if metric == "cosine":
        return given
    return 1 - (given if metric == "squared_l2" else given * given) / 2


def from_cosine(cosine: ArrayLike, metric: Metric) -> NDArray[np.float64]:
    """The same the other way: squared L2 = 2 - 2 cos, L2 its root. For display, and for code that compares distances."""
    given = np.asarray(cosine, np.float64)
    if metric == "cosine":
        return given
    squared = np.maximum(2 - 2 * given, 0)
    return squared if metric == "squared_l2" else np.sqrt(squared)


def same_person(value: ArrayLike, threshold: float, metric: Metric = "cosine") -> NDArray[np.bool_]:
    """Decide by the one stored threshold, a cosine, whatever distance was measured; NaN is never the same person.

    For code around this package that measures distances; in here cosines are compared as they are.
    """
    return np.asarray(to_cosine(value, metric) > threshold)


def _bootstrap_thresholds(
    scores: NDArray[np.float64], pairs: Pairs, fars: list[float], seed: int
) -> dict[float, Interval | None]:
    ordered = Resampled(scores, pairs.same, fars)
    drawn = [ordered.statistics(weight)[0] for weight in bootstrap.weights(pairs, seed) if fars]
    if not drawn:
        return {}
    return {far: bootstrap.interval(c, pairs.identities) for far, c in zip(fars, np.concatenate(drawn).T, strict=True)}


def _threshold(point: OperatingPoint, span: Interval | None) -> Threshold:
    if point.threshold is None:
        return Threshold(far=point.far, note=point.note)
    if span is not None:  # the estimate lies midway between two scores, a resample's value on a score
        span = (min(span[0], point.threshold), max(span[1], point.threshold))
    return Threshold(far=point.far, cosine=point.threshold, interval=span, tar=point.val)


def _tar_difference(a: OperatingPoint, b: OperatingPoint, told: tuple[Interval | None, float | None]) -> TarDifference:
    if a.val is None or b.val is None:
        return TarDifference(far=a.far, note=a.note or b.note)
    return TarDifference(far=a.far, points=100 * (a.val - b.val), interval=told[0], bound=told[1])


def _balanced(scores: NDArray[np.float64], same: NDArray[np.bool_], threshold: float) -> float:
    return float(((scores[same] > threshold).mean() + (scores[~same] <= threshold).mean()) / 2)


def _proper(scores: ArrayLike, pairs: Pairs) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    if values.shape != (len(pairs),):
        raise InputError(f"{len(pairs):,} pairs need as many scores; found an array of shape {values.shape}.")
    if not pairs.genuine or not pairs.impostor:
        raise InputError(f"Thresholds need genuine and impostor pairs; found {pairs.genuine:,} and {pairs.impostor:,}.")
    if reasons := faults(values):
        raise ThresholdError(
            f"No threshold can be drawn from these scores: {'; '.join(reasons)}. Mend the network first."
        )
    return values
