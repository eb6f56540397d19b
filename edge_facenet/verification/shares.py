"""Intervals of a share whose trials come in clusters: several photos of one person are not several proofs.

Wilson's interval with the number of trials replaced by the effective number: as many independent trials as would give
the share the variance it has between people, and Student's t in place of the normal quantile (Franco, Little, Louis and
Slud, "Comparative Study of Confidence Intervals for Proportions in Complex Sample Surveys", 2019). Where no failure, or
nothing but failures, was seen, the variance says nothing and each person counts as one trial: 0 of 200 photos of 20
people proves no more than 0 of 20. Simulated in tests/verification/test_verification_open_set.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .wilson import Interval, student_t, wilson

LEVEL = 0.95
MIN_CLUSTERS = 3  # with two, the spread between people has one degree of freedom: no interval worth printing


def share_interval(hits: ArrayLike, cluster: ArrayLike, distinct: int | None = None) -> Interval | None:
    """95 % interval of `mean(hits)`; None below MIN_CLUSTERS people.

    Args:
        hits: (n,) bool, one per trial.
        cluster: (n,) int, whose trial it is.
        distinct: how many of the trials are of different photos, when photos are tried several times.

    >>> low, high = share_interval([False] * 40, [k // 2 for k in range(40)])
    >>> low, round(high, 2)  # nothing seen in 20 people: 3 / 20, roughly
    (0.0, 0.18)
    """
    values, owner = np.asarray(hits, np.float64), np.asarray(cluster)
    people, place = np.unique(owner, return_inverse=True)
    if len(people) < MIN_CLUSTERS:
        return None
    share, count = float(values.mean()), len(values)
    sizes, sums = np.bincount(place), np.bincount(place, weights=values)
    clusters = len(people)
    variance = clusters / (clusters - 1) * float(((sums - share * sizes) ** 2).sum()) / count**2
    trials = float(clusters) if variance == 0 else share * (1 - share) / variance
    return wilson(share, min(trials, distinct or count), student_t((1 + LEVEL) / 2, clusters - 1))
