"""95 % intervals of a verification result, from resampled people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import bootstrap
from .bootstrap import OnProgress, Resampled
from .pairs import Pairs
from .protocol import Verification, finite, fold_of, run_folds


def with_intervals(
    result: Verification,
    scores: ArrayLike,
    pairs: Pairs,
    *,
    seed: int = 0,
    file_order: bool = False,
    on_progress: OnProgress | None = None,
) -> Verification:
    """`result` with intervals of its accuracy and of VAL at each measurable rate; unchanged below 3 people.

    The accuracy's interval keeps each pair's held-out decision and asks how it would be with other people; VAL's finds
    the threshold anew in each resample. Both stand on the people with a genuine pair; below 3 of them there is no interval.

    Args:
        result: of `evaluate` on these very scores, with the same seed and file_order.
        on_progress: (resamples done, all).
    """
    values = finite(np.asarray(scores, np.float64))
    right = run_folds(values, pairs.same, fold_of(pairs, result.folds, seed, file_order), result.balanced)[2]
    fars = [point.far for point in result.val if point.val is not None]
    resampled = Resampled(values, pairs.same, fars)
    drawn = []
    for weight in bootstrap.weights(pairs, seed, on_progress=on_progress):
        accuracy = _accuracy(weight, right, pairs.same, result.balanced)
        drawn.append(np.column_stack([accuracy, resampled.statistics(weight)[1]]))
    if not drawn:
        return result
    people = pairs.genuine_identities
    spans = [bootstrap.share_span(column, people, people) for column in np.concatenate(drawn).T]
    of = dict(zip(fars, spans[1:], strict=True))
    val = tuple(replace(point, interval=of.get(point.far)) for point in result.val)
    whole = spans[0] and (100 * spans[0][0], 100 * spans[0][1])
    return replace(result, accuracy_interval=whole, val=val)


def _accuracy(
    weight: NDArray[np.int32], right: NDArray[np.bool_], same: NDArray[np.bool_], balanced: bool
) -> NDArray[np.float64]:
    def share(kind: NDArray[np.intp]) -> NDArray[np.float64]:
        block = weight[:, kind].astype(np.float64)
        return np.asarray(block @ right[kind] / block.sum(axis=1))

    if balanced:
        return (share(np.flatnonzero(same)) + share(np.flatnonzero(~same))) / 2
    return share(np.arange(len(right)))
