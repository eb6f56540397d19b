"""Wilson's interval and Student's t, without scipy."""

from __future__ import annotations

import math
from statistics import NormalDist

Interval = tuple[float, float]


def wilson(share: float, trials: float, quantile: float) -> Interval:
    """Score interval of a share seen in so many independent trials (need not be whole); holds also at 0 and 1.

    >>> low, high = wilson(0.0, 20, 1.96)
    >>> low, round(high, 3)
    (0.0, 0.161)
    """
    squared = quantile * quantile / trials
    middle = (share + squared / 2) / (1 + squared)
    half = quantile / (1 + squared) * math.sqrt(share * (1 - share) / trials + squared / (4 * trials))
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    return (0.0 if share == 0 else low), (1.0 if share == 1 else high)


def student_t(p: float, freedom: int) -> float:
    """Quantile of Student's t: exact for 1 and 2 degrees, else Hill's expansion (better than 0.2 % from 3 degrees on)."""
    if freedom == 1:
        return float(math.tan(math.pi * (p - 0.5)))
    if freedom == 2:
        return float((2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p))))
    z = NormalDist().inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / math.pow(freedom, k + 1) for k, term in enumerate(terms))
