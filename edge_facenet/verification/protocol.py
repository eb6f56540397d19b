"""One-to-one verification as the literature does it: ten folds, VAL@FAR, AUC, EER, and when a result is not one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..schema import doc
from .pairs import Pairs, cosines
from .sweep import MIN_EVENTS, Sweep, area, at_far, best_threshold, equal_error, measurable, sweep

FARS = (1e-1, 1e-2, 1e-3, 1e-4)
SAME_SCORE = 1e-6  # cosines of float32 rows carry about 1e-7; a spread below ten times that is rounding, not identity


@dataclass(frozen=True)
class OperatingPoint:
    """Share of genuine pairs accepted where at most `far` of the impostor pairs are."""

    far: float = doc("false accept rate asked for, share of impostor pairs")
    val: float | None = doc("share of genuine pairs accepted (VAL, also called TAR)", None)
    threshold: float | None = doc("the lowest threshold that keeps the rate: same person when score > threshold", None)
    realised: float | None = doc("share of impostor pairs accepted by it, at most `far`", None)
    interval: tuple[float, float] | None = doc("95 % bootstrap interval of `val`, over identities", None)
    note: str | None = doc("why it is not measurable", None)


@dataclass(frozen=True)
class Verification:
    """What one embedder did on one set of pairs."""

    genuine: int = doc("pairs of one person")
    impostor: int = doc("pairs of two people")
    identities: int = doc("people in these pairs")
    folds: int = doc("folds; each is decided by a threshold from the others")
    accuracy: float = doc("mean over folds, per cent")
    accuracy_se: float = doc("standard error of that mean, percentage points")
    balanced: bool = doc("accuracy is (TAR + TNR) / 2, chance 50 %; otherwise the share of pairs decided rightly")
    threshold: float = doc("mean of the folds' thresholds")
    auc: float = doc("area under the ROC, share; ties count one half")
    eer: float = doc("rate at which false accepts and false rejects are equal, share")
    val: tuple[OperatingPoint, ...] = doc("one per false accept rate")
    smallest_far: float = doc(f"{MIN_EVENTS} / impostor pairs: below it nothing is measurable")
    valid: bool = doc("whether these numbers mean anything")
    reasons: tuple[str, ...] = doc("why not", ())
    accuracy_interval: tuple[float, float] | None = doc("95 % bootstrap interval over identities, per cent", None)


def evaluate(
    scores: ArrayLike,
    pairs: Pairs,
    *,
    folds: int = 10,
    seed: int = 0,
    balanced: bool | None = False,
    file_order: bool = False,
) -> Verification:
    """Judge scores by the ten-fold protocol.

    A score that is not finite decides as a device would, "not the same person" at every threshold, and makes the result
    invalid.

    Args:
        scores: (n,) similarity, higher = more alike.
        folds: genuine and impostor pairs are dealt to this many folds, each kind evenly.
        seed: of that dealing.
        balanced: weigh both kinds equally; None = when their numbers differ by more than a factor of 2.
        file_order: folds as the pair file has them (`Pairs.fold`, else consecutive blocks), never shuffled.
    Raises:
        InputError: too few pairs of a kind, or scores that do not belong to these pairs.
    Source: Huang et al., "Labeled Faces in the Wild", 2007 (view 2); VAL@FAR: Schroff et al., "FaceNet", 2015, 4.1.
    """
    given = np.asarray(scores, np.float64)
    _check(given, pairs)
    usable = finite(given)
    weigh = needs_balance(pairs) if balanced is None else balanced
    fold = fold_of(pairs, folds, seed, file_order)
    per_fold, thresholds, _ = run_folds(usable, pairs.same, fold, weigh)
    swept = sweep(usable, pairs.same)
    reasons = faults(given)
    return Verification(
        genuine=pairs.genuine,
        impostor=pairs.impostor,
        identities=pairs.identities,
        folds=len(per_fold),
        accuracy=100 * float(per_fold.mean()),
        accuracy_se=100 * float(per_fold.std(ddof=1) / np.sqrt(len(per_fold))),
        balanced=weigh,
        threshold=float(thresholds.mean()),
        auc=area(swept),
        eer=equal_error(swept)[0],
        val=operating_points(swept, FARS),
        smallest_far=MIN_EVENTS / pairs.impostor,
        valid=not reasons,
        reasons=reasons,
    )


def evaluate_embeddings(
    embeddings: ArrayLike,
    pairs: Pairs,
    *,
    folds: int = 10,
    seed: int = 0,
    balanced: bool | None = None,
    file_order: bool = False,
) -> Verification:
    """`evaluate` on the cosines of an embedding matrix (faces, dimension), with the matrix's own faults among the reasons."""
    result = evaluate(
        cosines(embeddings, pairs), pairs, folds=folds, seed=seed, balanced=balanced, file_order=file_order
    )
    used = np.asarray(embeddings)[np.union1d(pairs.a, pairs.b)]
    reasons = tuple(dict.fromkeys((*embedding_faults(used), *result.reasons)))
    return replace(result, valid=not reasons, reasons=reasons)


def operating_points(swept: Sweep, fars: Sequence[float]) -> tuple[OperatingPoint, ...]:
    """VAL at each rate; "not measurable" where the impostor pairs do not support it (see `sweep.measurable`)."""
    return tuple(_operating_point(swept, far) for far in fars)


def not_measurable(impostors: int, far: float) -> str:
    """The note of a rate that needs more impostor pairs than there are."""
    return f"not measurable ({impostors:,} impostors; {MIN_EVENTS / far:,.0f} are needed)"


def finite(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores with what is not finite put below all others, which no threshold in use accepts."""
    good = np.isfinite(scores)
    if good.all():
        return scores
    floor = float(scores[good].min()) - 1 if good.any() else 0.0
    return np.where(good, scores, floor)


def faults(scores: NDArray[np.float64]) -> tuple[str, ...]:
    """Why these scores prove nothing: not finite, or all the same."""
    good = scores[np.isfinite(scores)]
    reasons = []
    if bad := len(scores) - len(good):
        share = "more than half: " if 2 * bad > len(scores) else ""
        reasons.append(f"scores not finite ({share}{bad:,} of {len(scores):,})")
    if len(good) and float(np.ptp(good)) <= SAME_SCORE:
        reasons.append("embeddings constant (variance 0): every pair has the same score")
    return tuple(reasons)


def embedding_faults(embeddings: NDArray[np.floating]) -> tuple[str, ...]:
    """Why these embeddings (n, dimension) prove nothing: NaN or infinite, all zero, or one vector for every face."""
    rows = np.asarray(embeddings, np.float64)
    good = np.isfinite(rows).all(axis=1)
    reasons = []
    if bad := int(np.count_nonzero(~good)):
        share = "more than half: " if 2 * bad > len(rows) else ""
        reasons.append(f"embeddings not finite ({share}{bad:,} of {len(rows):,})")
    if zero := int(np.count_nonzero(~rows.any(axis=1))):
        reasons.append(f"embeddings without direction, all zero ({zero:,} of {len(rows):,})")
    if good.sum() > 1 and float(np.ptp(rows[good], axis=0).max()) <= SAME_SCORE * max(
        1.0, float(abs(rows[good]).max())
    ):
        reasons.append("embeddings constant (variance 0): every face has the same vector")
    return tuple(reasons)


def needs_balance(pairs: Pairs) -> bool:
    """Whether one kind is more than twice the other, so that plain accuracy would reward saying one thing always."""
    return max(pairs.genuine, pairs.impostor) > 2 * min(pairs.genuine, pairs.impostor)


def fold_of(pairs: Pairs, folds: int, seed: int, file_order: bool) -> NDArray[np.int64]:
    """The fold of each pair: dealt at random within genuine and impostor pairs, or as the file has them.

    Raises:
        InputError: a fold would be without genuine or without impostor pairs.
    """
    if file_order:
        fold = pairs.fold if pairs.fold is not None else np.arange(len(pairs), dtype=np.int64) * folds // len(pairs)
    else:
        fold = np.empty(len(pairs), np.int64)
        rng = np.random.default_rng(seed)
        for kind in (pairs.same, ~pairs.same):
            fold[kind] = rng.permutation(np.arange(np.count_nonzero(kind)) % folds)
    numbers = np.unique(fold)
    whole = [pairs.same[fold == n] for n in numbers]
    if len(numbers) < 2 or (not file_order and len(numbers) < folds) or any(w.all() or not w.any() for w in whole):
        raise InputError(
            f"{folds} folds need genuine and impostor pairs in each of them; there are {pairs.genuine:,} genuine and "
            f"{pairs.impostor:,} impostor pairs. Add photos (two or more per person), or ask for fewer folds."
        )
    return np.asarray(fold, np.int64)


def run_folds(
    scores: NDArray[np.float64], same: NDArray[np.bool_], fold: NDArray[np.int64], balanced: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Decide each fold by the best threshold of the others.

    Returns:
        accuracy per fold (share), threshold per fold, and (n,) whether each pair was decided rightly.
    """
    numbers = np.unique(fold)
    accuracy, thresholds, right = np.empty(len(numbers)), np.empty(len(numbers)), np.empty(len(same), bool)
    for place, number in enumerate(numbers):
        held = fold == number
        thresholds[place] = best_threshold(sweep(scores[~held], same[~held]), balanced)
        right[held] = (scores[held] > thresholds[place]) == same[held]
        genuine, impostor = right[held & same], right[held & ~same]
        accuracy[place] = (genuine.mean() + impostor.mean()) / 2 if balanced else right[held].mean()
    return accuracy, thresholds, right


def _operating_point(swept: Sweep, far: float) -> OperatingPoint:
    impostors = int(swept.impostor[-1])
    if not 0 < far <= 1:
        raise InputError(f"A false accept rate lies above 0 and up to 1; found {far:g}.")
    if not measurable(impostors, far):
        return OperatingPoint(far=far, note=not_measurable(impostors, far))
    place = at_far(swept, far)
    return OperatingPoint(
        far=far,
        val=float(swept.tar[place]),
        threshold=float(swept.thresholds[place]),
        realised=float(swept.far[place]),
    )


def _check(scores: NDArray[np.float64], pairs: Pairs) -> None:
    if scores.shape != (len(pairs),):
        raise InputError(f"{len(pairs):,} pairs need as many scores; found an array of shape {scores.shape}.")
    if not pairs.genuine or not pairs.impostor:
        raise InputError(
            f"Verification needs genuine and impostor pairs; found {pairs.genuine:,} and {pairs.impostor:,}. It takes two "
            "people at least, one of them with two photos."
        )
