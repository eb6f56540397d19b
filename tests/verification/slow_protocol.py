"""The protocol written a second time, from its definitions: loops, fractions, no numpy, no shared code. Slow on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import inf, nextafter, sqrt

Scores = Sequence[float]


def thresholds(scores: Scores) -> list[float]:
    """Every threshold that decides differently, highest first."""
    distinct = sorted(set(scores))
    between = [middle if (middle := a + (b - a) / 2) < b else a for a, b in pairwise(distinct)]
    return [distinct[-1], *reversed(between), nextafter(distinct[0], -inf)]


def accepted(scores: Scores, same: Sequence[bool], threshold: float, kind: bool) -> Fraction:
    part = [s for s, k in zip(scores, same, strict=True) if bool(k) is kind]
    return Fraction(sum(s > threshold for s in part), len(part))


def accuracy(scores: Scores, same: Sequence[bool], threshold: float, balanced: bool) -> Fraction:
    if balanced:
        tar, far = accepted(scores, same, threshold, True), accepted(scores, same, threshold, False)
        return (tar + 1 - far) / 2
    return Fraction(sum((s > threshold) == bool(k) for s, k in zip(scores, same, strict=True)), len(scores))


def best(scores: Scores, same: Sequence[bool], balanced: bool) -> float:
    found, value = None, Fraction(-1)
    for t in thresholds(scores):  # highest first, so that only a better one replaces it
        if (now := accuracy(scores, same, t, balanced)) > value:
            found, value = t, now
    assert found is not None
    return found


def ten_folds(scores: Scores, same: Sequence[bool], fold: Sequence[int], balanced: bool) -> tuple[float, float]:
    """(mean, standard error) of the accuracy, per cent."""
    values = []
    for number in sorted(set(fold)):
        held = [k for k, f in enumerate(fold) if f == number]
        rest = [k for k, f in enumerate(fold) if f != number]
        t = best([scores[k] for k in rest], [same[k] for k in rest], balanced)
        values.append(float(accuracy([scores[k] for k in held], [same[k] for k in held], t, balanced)))
    mean = sum(values) / len(values)
    spread = sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return 100 * mean, 100 * spread / sqrt(len(values))


def auc(scores: Scores, same: Sequence[bool]) -> float:
    genuine = [s for s, k in zip(scores, same, strict=True) if k]
    impostor = [s for s, k in zip(scores, same, strict=True) if not k]
    won = sum(Fraction(1) if g > i else Fraction(1, 2) if g == i else Fraction(0) for g in genuine for i in impostor)
    return float(Fraction(won, len(genuine) * len(impostor)))


def eer(scores: Scores, same: Sequence[bool]) -> float:
    apart, value = None, 0.0
    for t in thresholds(scores):
        far, frr = accepted(scores, same, t, False), 1 - accepted(scores, same, t, True)
        if apart is None or abs(far - frr) < apart:
            apart, value = abs(far - frr), float((far + frr) / 2)
    return value


def val(scores: Scores, same: Sequence[bool], far: Fraction) -> float | None:
    """Share of genuine pairs accepted by the most generous threshold that keeps the rate; None = not measurable."""
    impostors = sum(not k for k in same)
    if impostors * far < 3:
        return None
    return float(
        max(accepted(scores, same, t, True) for t in thresholds(scores) if accepted(scores, same, t, False) <= far)
    )


def open_set(
    mates: Scores, right: Sequence[bool], strangers: Scores, fpir: Fraction
) -> tuple[float, Fraction, Fraction]:
    """(threshold, FPIR, FNIR): the lowest of the strangers' scores that lets in at most the share asked for."""
    for threshold in sorted(strangers):
        alarms = Fraction(sum(s > threshold for s in strangers), len(strangers))
        if alarms <= fpir:
            found = sum(s > threshold and r for s, r in zip(mates, right, strict=True))
            return threshold, alarms, 1 - Fraction(found, len(mates))
    raise AssertionError("the highest score lets in nobody")
