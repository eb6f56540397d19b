"""Every threshold that decides differently, with exact counts: what accuracy, VAL@FAR, EER and the ROC are read from.

The rule everywhere: two faces are one person when score > threshold. Equal scores are therefore never split, and a
threshold lies midway between two neighbouring scores, where rounding on another engine changes no decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_EVENTS = 3  # rule of three: 0 of N seen allows a rate up to 3/N (95 %), so N x FAR < 3 cannot be told from none


@dataclass(frozen=True, eq=False)
class Sweep:
    """All decisions a threshold can make on these pairs, from "accept none" to "accept all".

    Attributes:
        thresholds: (m + 1,) float64, strictly falling, for m distinct scores.
        genuine, impostor: (m + 1,) int64, how many of each have score > threshold.
    """

    thresholds: NDArray[np.float64]
    genuine: NDArray[np.int64]
    impostor: NDArray[np.int64]

    @property
    def tar(self) -> NDArray[np.float64]:
        """Share of genuine pairs accepted."""
        return self.genuine / max(int(self.genuine[-1]), 1)

    @property
    def far(self) -> NDArray[np.float64]:
        """Share of impostor pairs accepted."""
        return self.impostor / max(int(self.impostor[-1]), 1)


def sweep(scores: ArrayLike, same: ArrayLike) -> Sweep:
    """Count accepted pairs at every threshold.

    Args:
        scores: (n,), finite, n >= 1.
        same: (n,) bool.

    >>> s = sweep([0.9, 0.5, 0.5, 0.1], [True, True, False, False])
    >>> s.thresholds.round(3).tolist(), s.genuine.tolist(), s.impostor.tolist()
    ([0.9, 0.7, 0.3, 0.1], [0, 1, 2, 2], [0, 0, 1, 2])
    """
    distinct, place = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    is_same = np.asarray(same, bool)
    genuine = np.bincount(place[is_same], minlength=len(distinct))[::-1]
    impostor = np.bincount(place[~is_same], minlength=len(distinct))[::-1]
    return Sweep(_thresholds(distinct), _running(genuine), _running(impostor))


def best_threshold(swept: Sweep, balanced: bool) -> float:
    """The threshold of the highest (balanced) accuracy; among equals the highest, which accepts fewest.

    Compared in whole numbers, so that a tie is a tie.
    """
    genuine, impostor = int(swept.genuine[-1]), int(swept.impostor[-1])
    weight_genuine, weight_impostor = (impostor, genuine) if balanced else (1, 1)
    right = swept.genuine * weight_genuine + (impostor - swept.impostor) * weight_impostor
    return float(swept.thresholds[int(np.argmax(right))])


def at_far(swept: Sweep, far: float) -> int:
    """Place in the sweep of the lowest threshold whose FAR is at most `far`."""
    allowed = events(int(swept.impostor[-1]), far)
    return int(np.searchsorted(swept.impostor, allowed, "right")) - 1


def events(impostors: int, far: float) -> int:
    """Impostor pairs that may be accepted at `far`: the whole part of impostors x far, in exact arithmetic.

    >>> events(3000, 1e-3), events(100, 0.29), int(100 * 0.29)
    (3, 29, 28)
    """
    return int(impostors * _exact(far))


def measurable(impostors: int, far: float) -> bool:
    """Whether `impostors` pairs support a statement at `far`: at least MIN_EVENTS expected false accepts."""
    return impostors * _exact(far) >= MIN_EVENTS


def equal_error(swept: Sweep) -> tuple[float, float]:
    """(EER, threshold): mean of FAR and FRR where they differ least; among equals at the highest threshold."""
    genuine, impostor = int(swept.genuine[-1]), int(swept.impostor[-1])
    apart = np.abs(swept.impostor * genuine - (genuine - swept.genuine) * impostor)
    place = int(np.argmin(apart))
    far, frr = swept.impostor[place] / impostor, (genuine - swept.genuine[place]) / genuine
    return float(far + frr) / 2, float(swept.thresholds[place])


def area(swept: Sweep) -> float:
    """Area under the ROC: the share of (genuine, impostor) pairs ranked rightly, ties counting one half."""
    steps = np.diff(swept.impostor)
    doubled = (swept.genuine[1:] + swept.genuine[:-1]) * steps
    return float(int(doubled.sum()) / (2 * int(swept.genuine[-1]) * int(swept.impostor[-1])))


def _exact(far: float) -> Fraction:
    return Fraction(far).limit_denominator(10**12)  # 1e-3 means 1/1000, not the nearest double


def _thresholds(distinct: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = distinct[:-1] + (distinct[1:] - distinct[:-1]) / 2
    middle = np.where(middle < distinct[1:], middle, distinct[:-1])  # neighbouring doubles have no middle
    return np.concatenate([[np.nextafter(distinct[0], -np.inf)], middle, distinct[-1:]])[::-1]


def _running(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
