"""Who is it, if anybody: the open-set threshold and the decision.

The manifest's thresholds come from strangers of one kind of photo. On another kind (grey pictures, another camera, one
family) impostor scores lie elsewhere, and a threshold taken from the manifest alone lets in ten or twenty times the
promised share of strangers. The people of the gallery show that shift: they are impostors to each other. Their cross
scores, as many as there are, are weighed against the manifest's; the threshold only ever rises.

The same rule runs on Android; `tests/golden/identify.json` holds both to it.
"""

from __future__ import annotations

import itertools
import math
import weakref
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, ThresholdError
from ..manifest import Thresholds
from ..schema import doc
from .people import Templates, check_vector

FPIR = 0.01
MARGIN = 0.05
"""Two people closer than this to a probe are not told apart: about the spread of the score of one face in two photos."""
PRIOR_WEIGHT = 5.0
"""The manifest's impostors count as this many comparisons of the gallery's own people: two enrolled people (one
comparison) hardly move the threshold, ten (45) set it."""
HIGHEST = 0.9
"""Above this nobody's second photo is recognised; no useful threshold lies there."""

_CROSS: weakref.WeakKeyDictionary[Templates, tuple[float, float, float]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class OpenSetThreshold:
    """Above which score somebody is taken for one of the enrolled people."""

    cosine: float = doc("a person is named when the score is above it")
    fpir: float = doc("share of strangers who may be named, asked for")
    far: float = doc("share of comparisons with one person that this allows")
    people: int = doc("people enrolled")
    extrapolated: bool = doc("the rate lies outside those that the manifest's pairs support")
    why: str = doc("where the number comes from, one sentence")


@dataclass(frozen=True)
class Candidate:
    """Somebody a probe resembles."""

    person: int = doc("id")
    name: str = doc("as stored")
    similarity: float = doc("cosine to the template")


@dataclass(frozen=True)
class Match:
    """The answer for one probe."""

    person: int | None = doc("id; None when unknown or ambiguous")
    name: str | None = doc("None when unknown or ambiguous")
    similarity: float | None = doc("best score, also of an unknown face; None when nobody is a candidate")
    second: float | None = doc("next best person's score; None when there is none")
    ambiguous: tuple[Candidate, ...] = doc(
        "the people it may be, best first, when the margin between them is too small"
    )
    why: str = doc("one sentence")


def threshold(thresholds: Thresholds | None, templates: Templates, fpir: float = FPIR) -> OpenSetThreshold:
    """The score above which a face is one of the enrolled people.

    Args:
        thresholds: the artifact's operating points.
        fpir: share of strangers who may be named, between 0 and 1.
    Raises:
        ThresholdError: fewer than two measured points, or no useful threshold at this rate with so few people.
        ConfigError: `fpir` out of range.
    Source: Student's t quantile: Abramowitz and Stegun, 26.7.5; the predictive distribution of a normal variable under
        a conjugate prior: Gelman et al., Bayesian Data Analysis, 3rd edition, section 3.3.
    """
    if not 0 < fpir < 1:
        raise ConfigError(f"fpir is a share of strangers between 0 and 1, found {fpir:g}. 0.01 is one in a hundred.")
    points = _points(thresholds)
    mu0, s0 = _line(points)
    people = len(templates)
    far = -math.expm1(math.log1p(-fpir) / max(people, 1))
    alone = _interpolated(points, z_of(far))
    z = (alone - mu0) / s0
    pairs, mean, variance = cross_scores(templates)
    weight = pairs + PRIOR_WEIGHT
    mu = (pairs * mean + PRIOR_WEIGHT * mu0) / weight
    shift = pairs * PRIOR_WEIGHT / weight * (mean - mu0) ** 2
    spread = math.sqrt((pairs * variance + PRIOR_WEIGHT * s0**2 + shift) / weight)
    own = mu + spread * student(z, weight - 1) * math.sqrt(1 + 1 / weight)
    cosine = max(alone, own)
    if cosine > HIGHEST:
        raise ThresholdError(
            f"With {people} enrolled, strangers are told apart at a rate of {fpir:g} only above a similarity of "
            f"{cosine:.2f}; the limit is {HIGHEST}. The gallery is too small for it: enroll more people, or give a higher --fpir."
        )
    beyond = _beyond(points, far)
    why = _why(cosine, own > alone, people, far) + (f", extrapolated beyond FAR {beyond}" if beyond else "")
    return OpenSetThreshold(cosine, fpir, far, people, beyond is not None, why)


def decide(probe: npt.ArrayLike, templates: Templates, limit: OpenSetThreshold) -> Match:
    """Who a face is.

    Args:
        probe: (d,) unit length.
    Raises:
        InputError: another shape, not finite, not of unit length.
    """
    if not len(templates):
        return Match(None, None, None, None, (), "the gallery is empty")
    vector = check_vector(probe, templates.matrix.shape[1], "The probe's embedding")
    scores = (templates.matrix @ vector).astype(np.float64)
    scores[_turned_down(vector, scores, templates)] = -np.inf
    best = int(scores.argmax())
    if not np.isfinite(scores[best]):
        return Match(None, None, None, None, (), "everybody it could be was marked as not this person")
    highest, rest = float(scores[best]), np.delete(scores, best)
    second = float(rest.max()) if len(rest) and np.isfinite(rest.max()) else None
    if highest <= limit.cosine:
        why = f"unknown: the nearest, {templates.names[best]}, has {highest:.3f}, not above {limit.why}"
        return Match(None, None, highest, second, (), why)
    if second is not None and highest - second < MARGIN:
        close = _close(scores, highest, templates)
        return Match(None, None, highest, second, close, _listed(close))
    return Match(
        int(templates.ids[best]), templates.names[best], highest, second, (), f"{highest:.3f} is above {limit.why}"
    )


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


def cross_scores(templates: Templates) -> tuple[float, float, float]:
    """(pairs of people, mean, population variance) of every embedding against every other person's template.

    The scores themselves, 20,000 x 7,000 in a large gallery, are never formed: their sum and the sum of their squares
    follow from two d x d products, exactly. Computed once for each `Templates`: a camera asks for every frame.
    """
    if templates not in _CROSS:
        _CROSS[templates] = _cross_scores(templates)
    return _CROSS[templates]


def _cross_scores(templates: Templates) -> tuple[float, float, float]:
    people = len(templates)
    count = len(templates.embeddings) * (people - 1)
    if people < 2:
        return 0.0, 0.0, 0.0
    faces, persons = templates.embeddings.astype(np.float64), templates.matrix.astype(np.float64)
    own = np.einsum("nd,nd->n", faces, persons[templates.owner])
    total = float(faces.sum(0) @ persons.sum(0) - own.sum())
    squares = float(((faces.T @ faces) * (persons.T @ persons)).sum() - (own**2).sum())
    mean = total / count
    return people * (people - 1) / 2, mean, max(squares / count - mean**2, 0.0)


def _points(thresholds: Thresholds | None) -> list[tuple[float, float]]:
    """(far, cosine) measured, from the highest rate to the lowest."""
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


def _line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean and spread of the impostor scores: the least-squares line cosine = mu0 + s0 z."""
    z = np.array([z_of(far) for far, _ in points])
    cosines = np.array([cosine for _, cosine in points])
    s0 = float(((z - z.mean()) * (cosines - cosines.mean())).sum() / ((z - z.mean()) ** 2).sum())
    return float(cosines.mean()) - s0 * float(z.mean()), s0


def _interpolated(points: list[tuple[float, float]], z: float) -> float:
    """Cosine at `z`, piecewise linear; beyond the ends along the nearest segment."""
    known = [(z_of(far), cosine) for far, cosine in points]
    k = min(max(sum(z > left for left, _ in known) - 1, 0), len(known) - 2)
    (z_a, a), (z_b, b) = known[k], known[k + 1]
    return a + (z - z_a) * (b - a) / (z_b - z_a)


def _beyond(points: list[tuple[float, float]], far: float) -> str | None:
    """The measured rate that `far` lies beyond, or None."""
    highest, lowest = points[0][0], points[-1][0]
    slack = 1e-9  # a rate that went through 1 - (1 - x)^1 is itself to fifteen digits
    if lowest * (1 - slack) <= far <= highest * (1 + slack):
        return None
    return f"{lowest if far < lowest else highest:.0e}".replace("e-0", "e-")


def _close(scores: npt.NDArray[np.float64], highest: float, templates: Templates) -> tuple[Candidate, ...]:
    """Everybody within the margin, best first."""
    near = np.flatnonzero(highest - scores < MARGIN)
    near = near[np.argsort(-scores[near], kind="stable")]
    return tuple(Candidate(int(templates.ids[k]), templates.names[k], float(scores[k])) for k in near)


def _listed(close: tuple[Candidate, ...]) -> str:
    shown = " or ".join(f"{one.name} (id {one.person}, {one.similarity:.3f})" for one in close[:3])
    more = f" or {len(close) - 3} more" if len(close) > 3 else ""
    return f"ambiguous: {shown}{more}; the scores are less than {MARGIN} apart"


def _turned_down(probe: npt.NDArray[np.float32], scores: npt.NDArray[np.float64], templates: Templates) -> list[int]:
    """Rows of people of whom the probe was, as near as the template is, said not to be."""
    if not len(templates.rejected):
        return []
    near = templates.rejected @ probe >= scores[templates.rejected_owner]
    return [int(k) for k in np.unique(templates.rejected_owner[near])]


def _why(cosine: float, own: bool, people: int, far: float) -> str:
    count = f"{people} {'person' if people == 1 else 'people'}"
    source = "the enrolled people's own scores" if own else "the manifest's thresholds"
    return f"the threshold {cosine:.3f} ({source}, {count}, FAR {far:.2g} each)"
