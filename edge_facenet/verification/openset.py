"""Open-set identification: is this one of the enrolled people, and which. Rates are over probes, never over comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError, ThresholdError
from ..schema import doc
from .protocol import finite
from .sweep import events, measurable


@dataclass(frozen=True)
class OpenSet:
    """What a gallery does at one threshold."""

    threshold: float = doc("a probe is identified when its best score > threshold")
    mates: int = doc("probes of enrolled people")
    strangers: int = doc("probes of people not enrolled")
    dir: float = doc("detection and identification rate: mates above the threshold with the right person first, share")
    fnir: float = doc("1 - DIR: mates missed or named wrongly")
    fpir: float | None = doc("strangers above the threshold, share of strangers; absent without strangers", None)


def open_set(mates: ArrayLike, right: ArrayLike, strangers: ArrayLike, threshold: float) -> OpenSet:
    """Rates at one threshold, from scores of your own; `identify_open_set` draws galleries and counts the same.

    Args:
        mates: (m,) best score of each probe of an enrolled person.
        right: (m,) bool, whether that best score was its own person's.
        strangers: (n,) best score of each probe of somebody not enrolled.
    Raises:
        InputError: no mates, or shapes that do not belong together.
    Source: Grother and Ngan, "FRVT part 2: identification", NISTIR 8271, section 3 (FNIR, FPIR).
    """
    scores, correct = np.asarray(mates, np.float64), np.asarray(right, bool)
    others = np.asarray(strangers, np.float64)
    if scores.ndim != 1 or scores.shape != correct.shape or others.ndim != 1 or not len(scores):
        raise InputError(
            f"Open-set rates need one score and one verdict per mate; found shapes {scores.shape} and {correct.shape}."
        )
    found = int(np.count_nonzero((scores > threshold) & correct))
    return OpenSet(
        threshold=threshold,
        mates=len(scores),
        strangers=len(others),
        dir=found / len(scores),
        fnir=(len(scores) - found) / len(scores),
        fpir=int(np.count_nonzero(others > threshold)) / len(others) if len(others) else None,
    )


def threshold_at_fpir(strangers: ArrayLike, fpir: float) -> float:
    """The lowest of the strangers' scores that keeps the false positive identification rate at most `fpir`.

    Raises:
        ThresholdError: fewer than 3 expected events (strangers x fpir), the same rule as for pairs.
    """
    scores = np.sort(finite(np.asarray(strangers, np.float64)))[::-1]
    if not 0 < fpir < 1 or not measurable(len(scores), fpir):
        raise ThresholdError(
            f"No threshold at FPIR {fpir:g}: not measurable ({len(scores):,} strangers; 3 / FPIR are needed). Give more "
            "probes of people who are not enrolled, or a higher rate below 1."
        )
    return float(scores[events(len(scores), fpir)])
