"""Who is it, if anybody: the open-set threshold and the decision.

The manifest's thresholds come from strangers of one kind of photo. On another kind (grey pictures, another camera, one
family) impostor scores lie elsewhere, and a threshold taken from the manifest alone lets in ten or twenty times the
promised share of strangers. The people of the gallery show that shift: they are impostors to each other. Their cross
scores, as many as there are, are weighed against the manifest's; the threshold only ever rises.

The same rule runs on Android; `tests/golden/identify.json` holds both to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..manifest import Thresholds
from ..schema import doc
from . import impostors
from .people import Templates, check_vector

FPIR = 0.01
MARGIN = 0.05
"""Two people closer than this to a probe are not told apart: about the spread of the score of one face in two photos."""
PRIOR_WEIGHT = 5.0
"""The manifest's impostors count as this many comparisons of the gallery's own people: two enrolled people (one
comparison) hardly move the threshold, ten (45) set it."""
HIGHEST = 0.9
"""Above this nobody's second photo is recognised; no useful threshold lies there."""
_MANIFEST = "the manifest's thresholds"
_OWN = "the enrolled people's own scores"
_WIDENED = f"{_MANIFEST}, widened: no pair of people to learn from"
"""Nobody or one person is enrolled, or every pair was left out: the prior alone, whose quantile is Student's."""


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
        ThresholdError: fewer than two measured points.
        ConfigError: `fpir` out of range.
    Source: Student's t quantile: Abramowitz and Stegun, 26.7.5; the predictive distribution of a normal variable under
        a conjugate prior: Gelman et al., Bayesian Data Analysis, 3rd edition, section 3.3.
    """
    if not 0 < fpir < 1:
        raise ConfigError(f"fpir is a share of strangers between 0 and 1, found {fpir:g}. 0.01 is one in a hundred.")
    points = impostors.measured_points(thresholds)
    people = len(templates)
    far = -math.expm1(math.log1p(-fpir) / max(people, 1))
    alone = impostors.cosine_at(points, impostors.z_of(far))
    cross = impostors.cross_scores(templates)
    own, left_out = _own(points, alone, cross)
    cosine = min(max(alone, own), HIGHEST)
    beyond = _beyond(points, far)
    raised = _OWN if cross.without(left_out)[0] else _WIDENED
    why = _why(cosine, raised if own > alone else _MANIFEST, people, far) + (
        f", extrapolated beyond FAR {beyond}" if beyond else ""
    )
    if left_out:
        why += f", {left_out} most alike {'pair' if left_out == 1 else 'pairs'} left out"
    if max(alone, own) > HIGHEST:
        why += "; no higher one would name anybody: enroll more people, or give a higher --fpir"
    return OpenSetThreshold(cosine, fpir, far, people, beyond is not None, why)


def _own(points: impostors.Points, alone: float, cross: impostors.CrossScores) -> tuple[float, int]:
    """The threshold by the gallery's own people, and how many pairs of look-alikes were left out for it."""
    mu0, s0 = impostors.impostor_line(points)
    z = (alone - mu0) / s0

    def by(left_out: int) -> float:
        pairs, mean, variance = cross.without(left_out)
        weight = pairs + PRIOR_WEIGHT
        mu = (pairs * mean + PRIOR_WEIGHT * mu0) / weight
        shift = pairs * PRIOR_WEIGHT / weight * (mean - mu0) ** 2
        spread = math.sqrt((pairs * variance + PRIOR_WEIGHT * s0**2 + shift) / weight)
        return mu + spread * impostors.student(z, weight - 1) * math.sqrt(1 + 1 / weight)

    left_out = min(cross.separable, 1) if cross.people <= impostors.FEW else 0
    while left_out < cross.separable and cross.means[left_out] > max(alone, by(left_out + 1)):
        left_out += 1
    return by(left_out), left_out


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


def _beyond(points: impostors.Points, far: float) -> str | None:
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


def _why(cosine: float, source: str, people: int, far: float) -> str:
    count = f"{people} {'person' if people == 1 else 'people'}"
    return f"the threshold {cosine:.3f} ({source}, {count}, FAR {far:.2g} each)"
