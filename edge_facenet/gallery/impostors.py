"""How alike strangers are: by the manifest's thresholds, and by the people of a gallery, who are strangers to each other.

Small galleries may hold twins, siblings, or one person twice. Such a pair says nothing of strangers; it is left out when it
lies above the threshold that the others give, and the most alike pair always where few pairs could not show that.
"""

from __future__ import annotations

import itertools
import weakref
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ..errors import ThresholdError
from ..manifest import Thresholds
from .people import Templates

FEW = 4
"""Up to so many people (6 pairs) the most alike pair is left out unseen: one pair in six is too many to judge by the rest."""
MANY = 50
"""Beyond so many people (1,225 pairs) a pair of look-alikes moves nothing, and pairs are no longer looked at one by one."""

Points = list[tuple[float, float]]
_CROSS: weakref.WeakKeyDictionary[Templates, CrossScores] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class CrossScores:
    """Every embedding against every other person's template, by pair of people, the most alike pair first.

    Of a gallery of more than `MANY` people there is one entry for all pairs together.
    """

    people: int
    counts: npt.NDArray[np.float64]  # (m,) scores of each pair
    sums: npt.NDArray[np.float64]  # (m,)
    squares: npt.NDArray[np.float64]  # (m,) sums of squared scores

    @property
    def means(self) -> npt.NDArray[np.float64]:
        """(m,) mean score of each pair."""
        return self.sums / self.counts

    @property
    def separable(self) -> int:
        """Pairs that can be left out."""
        return len(self.counts) if self.people <= MANY else 0

    def without(self, left_out: int) -> tuple[float, float, float]:
        """(pairs, mean, population variance) of the scores without the most alike pairs; zeros when none is left."""
        count = float(self.counts[left_out:].sum())
        if not count:
            return 0.0, 0.0, 0.0
        mean = float(self.sums[left_out:].sum()) / count
        variance = float(self.squares[left_out:].sum()) / count - mean**2
        return self.people * (self.people - 1) / 2 - left_out, mean, max(variance, 0.0)


def cross_scores(templates: Templates) -> CrossScores:
    """Computed once for each `Templates`: a camera asks for every frame."""
    if templates not in _CROSS:
        few = len(templates) <= MANY
        _CROSS[templates] = _pair_by_pair(templates) if few else _together(templates)
    return _CROSS[templates]


def _pair_by_pair(templates: Templates) -> CrossScores:
    people = len(templates)
    scores = templates.embeddings.astype(np.float64) @ templates.matrix.astype(np.float64).T
    sums, squares = np.zeros((people, people)), np.zeros((people, people))
    np.add.at(sums, templates.owner, scores)
    np.add.at(squares, templates.owner, scores**2)
    faces = np.bincount(templates.owner, minlength=people).astype(np.float64)
    a, b = np.triu_indices(people, 1)
    counts, pair_sums, pair_squares = faces[a] + faces[b], (sums + sums.T)[a, b], (squares + squares.T)[a, b]
    order = np.argsort(-pair_sums / counts, kind="stable")
    return CrossScores(people, counts[order], pair_sums[order], pair_squares[order])


def _together(templates: Templates) -> CrossScores:
    """The scores themselves, 20,000 x 7,000 in a large gallery, are never formed: their sum and the sum of their squares
    follow from two d x d products, exactly."""
    faces, persons = templates.embeddings.astype(np.float64), templates.matrix.astype(np.float64)
    own = np.einsum("nd,nd->n", faces, persons[templates.owner])
    total = float(faces.sum(0) @ persons.sum(0) - own.sum())
    squares = float(((faces.T @ faces) * (persons.T @ persons)).sum() - (own**2).sum())
    count = float(len(faces) * (len(persons) - 1))
    return CrossScores(len(persons), np.array([count]), np.array([total]), np.array([squares]))


def measured_points(thresholds: Thresholds | None) -> Points:
    """(far, cosine) measured, from the highest rate to the lowest.

    Raises:
        ThresholdError: fewer than two, or not rising.
    """
    at = () if thresholds is None else thresholds.at
    points = sorted(((p.far, p.cosine) for p in at if p.cosine is not None and 0 < p.far < 1), reverse=True)
    rising = all(a[0] > b[0] and a[1] < b[1] for a, b in itertools.pairwise(points))
    if len(points) < 2 or not rising:
        listed = ", ".join(f"{far:g} ({cosine:.3f})" for far, cosine in points) or "none"
        raise ThresholdError(
            "Naming people needs at least two thresholds in the artifact's manifest, higher at a lower FAR; found "
            f"{listed}. Export it again with a crop set of more people to calibrate on."
        )
    return points


def impostor_line(points: Points) -> tuple[float, float]:
    """Mean and spread of the impostor scores: the least-squares line cosine = mu0 + s0 z."""
    z = np.array([z_of(far) for far, _ in points])
    cosines = np.array([cosine for _, cosine in points])
    s0 = float(((z - z.mean()) * (cosines - cosines.mean())).sum() / ((z - z.mean()) ** 2).sum())
    return float(cosines.mean()) - s0 * float(z.mean()), s0


def cosine_at(points: Points, z: float) -> float:
    """Cosine at `z`, piecewise linear; beyond the ends along the nearest segment."""
    known = [(z_of(far), cosine) for far, cosine in points]
    k = min(max(sum(z > left for left, _ in known) - 1, 0), len(known) - 2)
    (z_a, a), (z_b, b) = known[k], known[k + 1]
    return a + (z - z_a) * (b - a) / (z_b - z_a)


def z_of(far: float) -> float:
    """The standard normal deviate that is exceeded with probability `far`."""
    return -NormalDist().inv_cdf(far)


def student(z: float, nu: float) -> float:
    """Student's t quantile for the probability of the normal deviate `z`, with `nu` degrees of freedom."""
    return (
        z
        + (z**3 + z) / (4 * nu)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * nu**3)
    )
