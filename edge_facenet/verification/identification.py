"""Open-set identification on a crop set: people enrolled at random, everybody else a stranger, several draws.

A person's template is the mean of some photos' unit vectors, made unit again; a probe's score is its best cosine to a
template. Photos used for a template are never probes. FNIR counts over probes of enrolled people (missed, or named as
somebody else), FPIR over probes of strangers; each draw enrols other people, so that the figures are not one gallery's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, ThresholdError
from ..schema import doc
from .openset import threshold_at_fpir
from .pairs import unit_rows
from .shares import MIN_CLUSTERS, share_interval
from .sweep import MIN_EVENTS, measurable

FPIRS = (0.1, 0.01, 0.001)
Floats = NDArray[np.float64]
_NOBODY = -2.0  # below every cosine: the score of a face without an embedding


@dataclass(frozen=True)
class Plan:
    """How people are drawn."""

    enrolled: int | None = doc("people enrolled in each draw; None = half of those with enough photos", None)
    photos: int = doc("photos of a template", 3)
    draws: int = doc("galleries drawn, one after another", 10)
    seed: int = doc("of the drawing", 0)

    def __post_init__(self) -> None:
        if self.photos < 1 or self.draws < 1 or (self.enrolled is not None and self.enrolled < 1):
            raise InputError(
                f"An open-set plan has at least 1 person, photo and draw; found {self.enrolled}, {self.photos}, {self.draws}."
            )


@dataclass(frozen=True)
class OpenSetPoint:
    """What happens at one threshold, or with one rule."""

    rule: str = doc("what sets the threshold")
    threshold: float | None = doc("a probe is named when its best score > threshold; mean over draws for a rule", None)
    fpir: float | None = doc("strangers named, share of their probes", None)
    fpir_interval: tuple[float, float] | None = doc("95 % interval over strangers", None)
    fnir: float | None = doc("enrolled people missed or named wrongly, share of their probes", None)
    fnir_interval: tuple[float, float] | None = doc("95 % interval over enrolled people", None)
    note: str | None = doc("why it is not measurable", None)


@dataclass(frozen=True)
class Identification:
    """Open-set identification over all draws."""

    enrolled: int = doc("people enrolled in each draw")
    strangers: int = doc("people not enrolled, in each draw")
    photos: int = doc("photos of a template")
    draws: int = doc("galleries drawn")
    seed: int = doc("of the drawing")
    mate_probes: int = doc("probes of enrolled people, over all draws")
    stranger_probes: int = doc("probes of strangers, over all draws")
    rank_one: float = doc("mates whose own template is the nearest, share: closed-set identification")
    rank_one_interval: tuple[float, float] | None = doc("95 % interval over enrolled people")
    smallest_fpir: float = doc(f"{MIN_EVENTS} / distinct photos of strangers: below it nothing is measurable")
    at: tuple[OpenSetPoint, ...] = doc("one per rate asked for, then one per rule")


@dataclass(frozen=True, eq=False)
class Drawn:
    """One gallery, for a rule that sets its own threshold.

    Attributes:
        people: (p,) labels, ascending.
        templates: (p, d) float64 unit rows.
        embeddings: (p * photos, d) unit rows that the templates were made of, person after person.
    """

    people: NDArray[np.int64]
    templates: Floats
    embeddings: Floats


@dataclass(frozen=True, eq=False)
class Probes:
    """Probes of one draw: whose, which photo, best score, lead over the second, whether the best is right."""

    person: NDArray[np.int64]
    photo: NDArray[np.int64]
    score: Floats
    lead: Floats
    right: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Sequence[Probes]) -> Probes:
        """One after another."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__annotations__))


@dataclass(frozen=True)
class Rule:
    """A threshold that depends on the gallery, as a product sets it."""

    name: str
    threshold: Callable[[Drawn], float]
    margin: float = 0.0
    """The best person must lead the second by this much."""


def identify_open_set(
    embeddings: ArrayLike,
    labels: ArrayLike,
    plan: Plan = Plan(),
    fpirs: Sequence[float] = FPIRS,
    rules: Sequence[Rule] = (),
) -> Identification:
    """Draw galleries, probe them, count.

    Args:
        embeddings: (n, d); rows need not be of unit length. A row of zeros or NaN is never named.
        labels: (n,) int; negative = nobody, left out.
        fpirs: rates at which one threshold for all draws is set from the strangers' own scores.
    Raises:
        InputError: too few people or photos for the plan.
    """
    rows, known = unit_rows(embeddings), np.asarray(labels, np.int64)
    able = _able(known, plan)
    enrolled = plan.enrolled or max(1, len(able) // 2)
    strangers = len(np.unique(known[known >= 0])) - enrolled
    if enrolled > len(able) or strangers < 1:
        raise InputError(
            f"Cannot enrol {enrolled} people with {plan.photos} photos each and keep strangers: {len(able)} people have more "
            f"than {plan.photos} photos, {enrolled + strangers} there are in all. Enrol fewer people, or with fewer photos."
        )
    seen = [
        _draw(rows, known, able, enrolled, np.random.default_rng([plan.seed, d]), plan.photos)
        for d in range(plan.draws)
    ]
    mates, others = Probes.joined([m for _, m, _ in seen]), Probes.joined([s for _, _, s in seen])
    distinct = len(np.unique(others.photo))
    first = share_interval(mates.right, mates.person, len(np.unique(mates.photo)))
    return Identification(
        enrolled=enrolled,
        strangers=strangers,
        photos=plan.photos,
        draws=plan.draws,
        seed=plan.seed,
        mate_probes=len(mates.score),
        stranger_probes=len(others.score),
        rank_one=float(mates.right.mean()),
        rank_one_interval=first,
        smallest_fpir=MIN_EVENTS / distinct,
        at=(*(_at_rate(mates, others, far, distinct) for far in fpirs), *(_by_rule(seen, rule) for rule in rules)),
    )


def _at_rate(mates: Probes, others: Probes, fpir: float, distinct: int) -> OpenSetPoint:
    """One threshold for all draws. Photos count once, however often they were probes."""
    name, people = f"FPIR {fpir:g}", len(np.unique(others.person))
    if not 0 < fpir < 1:
        raise InputError(f"A false positive identification rate lies between 0 and 1; found {fpir:g}.")
    if not measurable(distinct, fpir) or people < MIN_CLUSTERS:
        return OpenSetPoint(name, note=f"not measurable ({distinct:,} photos of {people:,} strangers)")
    limit = threshold_at_fpir(others.score, fpir)
    return _point(name, limit, mates.right & (mates.score > limit), others.score > limit, (mates, others))


def _by_rule(seen: Sequence[tuple[Drawn, Probes, Probes]], rule: Rule) -> OpenSetPoint:
    try:
        limits = [rule.threshold(drawn) for drawn, _, _ in seen]
    except ThresholdError as error:
        return OpenSetPoint(rule.name, note=str(error))
    named = [
        [(p.score > limit) & (p.lead >= rule.margin) for p in (mates, others)]
        for limit, (_, mates, others) in zip(limits, seen, strict=True)
    ]
    mates, others = Probes.joined([m for _, m, _ in seen]), Probes.joined([s for _, _, s in seen])
    found, alarms = (np.concatenate([pair[k] for pair in named]) for k in (0, 1))
    return _point(rule.name, float(np.mean(limits)), found & mates.right, alarms, (mates, others))


def _point(
    name: str, limit: float, found: NDArray[np.bool_], alarms: NDArray[np.bool_], probes: tuple[Probes, Probes]
) -> OpenSetPoint:
    mates, others = probes
    return OpenSetPoint(
        rule=name,
        threshold=limit,
        fpir=float(alarms.mean()),
        fpir_interval=share_interval(alarms, others.person, len(np.unique(others.photo))),
        fnir=float((~found).mean()),
        fnir_interval=share_interval(~found, mates.person, len(np.unique(mates.photo))),
    )


def _draw(
    rows: Floats,
    labels: NDArray[np.int64],
    able: NDArray[np.int64],
    enrolled: int,
    rng: np.random.Generator,
    photos: int,
) -> tuple[Drawn, Probes, Probes]:
    people = np.sort(rng.permutation(able)[:enrolled])
    chosen = np.concatenate([rng.permutation(np.flatnonzero(labels == p))[:photos] for p in people])
    templates = unit_rows(rows[chosen].reshape(enrolled, photos, -1).mean(axis=1))
    left = np.setdiff1d(np.flatnonzero(labels >= 0), chosen)
    mate = np.isin(labels[left], people)
    drawn = Drawn(people, templates, rows[chosen])
    return drawn, _probe(rows, labels, left[mate], drawn), _probe(rows, labels, left[~mate], drawn)


def _probe(rows: Floats, labels: NDArray[np.int64], probes: NDArray[np.int64], drawn: Drawn) -> Probes:
    scores = rows[probes] @ drawn.templates.T
    best = scores.argmax(axis=1)
    places = np.arange(len(probes))
    blank = ~rows[probes].any(axis=1)
    top = np.where(blank, _NOBODY, scores[places, best])
    scores[places, best] = -np.inf
    right = (drawn.people[best] == labels[probes]) & ~blank
    return Probes(labels[probes], probes, top, top - scores.max(axis=1), right)


def _able(labels: NDArray[np.int64], plan: Plan) -> NDArray[np.int64]:
    """People with a photo left to probe with."""
    people, sizes = np.unique(labels[labels >= 0], return_counts=True)
    return np.asarray(people[sizes > plan.photos])
