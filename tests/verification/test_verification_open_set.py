"""Open-set identification: counts against loops, intervals against simulation, C114's whole kind."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_facenet.errors import InputError
from edge_facenet.verification import Drawn, Plan, Rule, identify_open_set, share_interval


def crowd(people: int, photos: int, seed: int, noise: float = 0.6, d: int = 16) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), photos)
    return rng.normal(size=(people, d))[labels] + rng.normal(0, noise, (len(labels), d)), labels


def slowly(rows: np.ndarray, labels: np.ndarray, plan: Plan, fpir: Fraction) -> tuple[Fraction, Fraction, float]:
    """(FPIR, FNIR, threshold) in loops; shares nothing with the code but the order in which numbers are drawn."""
    able = [p for p in sorted(set(labels.tolist())) if (labels == p).sum() > plan.photos]
    mates, strangers = [], []
    for number in range(plan.draws):
        rng = np.random.default_rng([plan.seed, number])
        enrolled = sorted(rng.permutation(able)[: plan.enrolled].tolist())
        used, templates = set(), {}
        for person in enrolled:
            mine = rng.permutation(np.flatnonzero(labels == person))[: plan.photos].tolist()
            used |= set(mine)
            total = sum(rows[k] / np.sqrt((rows[k] ** 2).sum()) for k in mine)
            templates[person] = total / np.sqrt((total**2).sum())
        for k in range(len(rows)):
            if k in used:
                continue
            probe = rows[k] / np.sqrt((rows[k] ** 2).sum())
            scored = {p: float(probe @ t) for p, t in templates.items()}
            best = max(scored, key=lambda p: (scored[p], -p))
            (mates if labels[k] in enrolled else strangers).append((scored[best], best == labels[k]))
    allowed = int(len(strangers) * fpir)
    limit = sorted((score for score, _ in strangers), reverse=True)[allowed]
    alarms = sum(score > limit for score, _ in strangers)
    found = sum(right and score > limit for score, right in mates)
    return Fraction(alarms, len(strangers)), 1 - Fraction(found, len(mates)), limit


@pytest.mark.parametrize("noise", [0.4, 1.2])
@pytest.mark.parametrize("tied", [False, True])
def test_counts_equal_the_loops(noise: float, tied: bool) -> None:
    rows, labels = crowd(14, 6, seed=3, noise=noise, d=4 if tied else 16)
    rows = np.round(rows) + (0.0 if not tied else 1e-9) if tied else rows  # few directions: equal scores abound
    plan = Plan(enrolled=6, photos=2, draws=4, seed=9)
    found = identify_open_set(rows, labels, plan, fpirs=(0.1, 0.25))
    for point, fpir in zip(found.at, (Fraction(1, 10), Fraction(1, 4)), strict=True):
        alarms, missed, limit = slowly(rows, labels, plan, fpir)
        assert point.threshold == pytest.approx(limit, abs=1e-12)
        if not tied:  # equal scores differ in the last bit between two ways of summing: the threshold cuts between them
            assert (point.fpir, point.fnir) == (float(alarms), float(missed))
        assert point.fpir is not None and point.fpir <= point_rate(point.rule)
    assert (found.mate_probes, found.stranger_probes) == (4 * 6 * 4, 4 * 8 * 6)
    assert identify_open_set(rows, labels, plan, fpirs=(0.1, 0.25)) == found


def point_rate(rule: str) -> float:
    return float(rule.removeprefix("FPIR "))


def test_c114_alarms_are_counted_over_strangers_whatever_the_gallery_holds() -> None:
    """60 strangers with 5 photos each: the share is of 300 photos, not of 300 x 20 comparisons, nor of all probes."""
    rows, labels = crowd(80, 5, seed=1)
    plan = Plan(enrolled=20, photos=3, draws=1)
    found = identify_open_set(
        rows, labels, plan, fpirs=(0.1,), rules=[Rule("all", lambda _: -1.0), Rule("none", lambda _: 1.0)]
    )
    rate, everybody, nobody = found.at
    assert (found.stranger_probes, found.mate_probes) == (300, 40)
    assert rate.fpir == pytest.approx(30 / 300)
    assert (everybody.fpir, everybody.fnir) == (1.0, pytest.approx(1 - found.rank_one))
    assert (nobody.fpir, nobody.fnir) == (0.0, 1.0)
    assert found.smallest_fpir == 3 / 300


def test_c114_photos_are_not_counted_twice_because_they_are_drawn_twice() -> None:
    """Ten draws of the same 40 photos prove no lower rate than one draw."""
    rows, labels = crowd(12, 5, seed=2)
    one, ten = (identify_open_set(rows, labels, Plan(4, 3, draws), fpirs=(0.01,)) for draws in (1, 10))
    assert one.at[0].note == "not measurable (40 photos of 8 strangers)"
    assert ten.at[0].fpir is None and ten.at[0].note == "not measurable (60 photos of 12 strangers)"


def test_a_mate_named_as_somebody_else_is_missed_and_template_photos_are_no_probes() -> None:
    rows, labels = crowd(10, 4, seed=4, noise=0.01)
    swapped = labels.copy()
    wrong = np.flatnonzero(labels == 0)[-1]
    swapped[wrong] = 1  # one photo under another name: rank one cannot be 1 when it is a probe
    found = identify_open_set(rows, swapped, Plan(9, 3, 20, 5), rules=[Rule("all", lambda _: -1.0)])
    assert found.rank_one < 1 and found.at[-1].fnir == pytest.approx(1 - found.rank_one)
    clean = identify_open_set(rows, labels, Plan(9, 3, 20, 5))
    assert clean.rank_one == 1.0 and clean.mate_probes == 20 * 9


def test_faces_without_an_embedding_are_never_named() -> None:
    rows, labels = crowd(10, 5, seed=6, noise=0.1)
    rows[::5] = np.nan
    rows[1::5] = 0
    found = identify_open_set(rows, labels, Plan(5, 1, 4), rules=[Rule("all", lambda _: -1.0)])
    assert found.at[-1].fpir == pytest.approx(3 / 5)


def test_a_rule_sees_its_own_gallery_and_a_margin_turns_away_doubles() -> None:
    rows, labels = crowd(12, 5, seed=8, noise=0.2)
    seen: list[Drawn] = []

    def rule(drawn: Drawn) -> float:
        seen.append(drawn)
        return 0.5

    found = identify_open_set(rows, labels, Plan(6, 2, 3), rules=[Rule("mine", rule), Rule("lead", lambda _: 0.5, 3.0)])
    assert len(seen) == 3 and {d.templates.shape for d in seen} == {(6, 16)} and seen[0].embeddings.shape == (12, 16)
    assert np.allclose(np.linalg.norm(seen[0].templates, axis=1), 1)
    assert [tuple(d.people) for d in seen] != [tuple(seen[0].people)] * 3
    assert found.at[-2].threshold == 0.5 and found.at[-1].fnir == 1.0  # no lead of 3 between cosines


@pytest.mark.parametrize(
    ("people", "photos", "plan", "words"),
    [
        (10, 3, Plan(5, 3), "0 people have more than 3 photos"),
        (10, 4, Plan(10, 3), "keep strangers"),
        (1, 9, Plan(1, 3), "keep strangers"),
    ],
)
def test_plans_that_leave_no_probes_or_no_strangers_are_refused(
    people: int, photos: int, plan: Plan, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        identify_open_set(*crowd(people, photos, seed=0), plan)
    with pytest.raises(InputError, match="at least 1 person"):
        Plan(0)
    with pytest.raises(InputError, match="between 0 and 1"):
        identify_open_set(*crowd(10, 5, seed=0), fpirs=(0.0,))


# --- intervals of shares


def simulated(
    people: int, photos: int, mean: float, spread: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Trials whose chance differs from person to person: beta with this mean; spread is its intra-class correlation."""
    weight = 1 / spread - 1
    chance = rng.beta(mean * weight, (1 - mean) * weight, people)
    owner = np.repeat(np.arange(people), photos)
    return rng.random(len(owner)) < chance[owner], owner


@pytest.mark.parametrize(
    ("people", "photos", "mean", "spread"),
    [
        (60, 10, 0.3, 0.2),
        (30, 20, 0.5, 0.3),
        (100, 5, 0.05, 0.1),
        (200, 1, 0.1, 0.2),
        (12, 10, 0.4, 0.2),
        (40, 8, 0.02, 0.05),
    ],
)
def test_intervals_cover_at_their_nominal_rate(people: int, photos: int, mean: float, spread: float) -> None:
    """500 runs at 95 %: one standard deviation of the count is 1 %; 91.5 % is three and a half of them below."""
    rng, runs, covered = np.random.default_rng(people), 500, 0
    for _ in range(runs):
        span = share_interval(*simulated(people, photos, mean, spread, rng))
        assert span is not None
        covered += span[0] <= mean <= span[1]
    assert covered / runs >= 0.915


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=60))
def test_intervals_hold_their_share_and_stay_between_0_and_1(trials: list[tuple[bool, int]]) -> None:
    hits, owner = [h for h, _ in trials], [o for _, o in trials]
    span = share_interval(hits, owner)
    if len(set(owner)) < 3:
        assert span is None
        return
    assert span is not None
    share = sum(hits) / len(hits)
    assert 0 <= span[0] <= share + 1e-12 and share - 1e-12 <= span[1] <= 1
    assert span[1] - span[0] > 0.01  # never "exactly", however clean the sample
    assert (span[0] == 0) == (share == 0) or span[0] < 1e-9


def test_photos_tried_again_do_not_narrow_an_interval() -> None:
    rng = np.random.default_rng(0)
    hits, owner = simulated(40, 5, 0.3, 0.01, rng)
    once = share_interval(hits, owner)
    again = share_interval(np.tile(hits, 10), np.tile(owner, 10), distinct=200)
    assert once == pytest.approx(again, abs=0.02)
