"""The open-set threshold and the decision, against a slow oracle and against the golden file that Kotlin reads too."""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from edge_facenet.errors import ConfigError, InputError, ThresholdError
from edge_facenet.gallery import Match, OpenSetThreshold, Templates, impostors
from edge_facenet.gallery import decide as rule
from edge_facenet.gallery.decide import decide, threshold
from edge_facenet.gallery.impostors import cross_scores, student
from edge_facenet.gallery.people import Rows, build_templates
from edge_facenet.manifest import Threshold, Thresholds

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
import make_identify as oracle  # noqa: E402

CASES = json.loads((GOLDEN / "identify.json").read_text())["cases"]
SCORE = 128 * 2**-24  # a dot product of two unit vectors of 128 numbers, each product rounded to float32 once
LIMIT = OpenSetThreshold(0.5, 0.01, 0.01, 2, False, "the threshold 0.500")


def thresholds(points: dict[float, float | None]) -> Thresholds:
    at = tuple(Threshold(far, cosine, note=None if cosine else "too few pairs") for far, cosine in points.items())
    return Thresholds("test", 100, 1000, 100_000, at)


def templates(people: list[list[list[float]]], rejected: list[tuple[int, list[float]]] | None = None) -> Templates:
    rows = [(k, False, v) for k, person in enumerate(people) for v in person] + [
        (k, True, v) for k, v in rejected or []
    ]
    vectors = np.array([v for _, _, v in rows], np.float32).reshape(len(rows), -1 if rows else 16)
    owner, turned_down = np.array([k for k, _, _ in rows], np.int64), np.array([r for _, r, _ in rows], bool)
    return build_templates({k: f"P{k}" for k in range(len(people))}, Rows(owner, turned_down, vectors))


POINTS = thresholds(dict(oracle.POINTS))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    gallery = templates(case["people"], [(r["person"], r["embedding"]) for r in case["rejected"]])
    points = thresholds({p["far"]: p["cosine"] for p in case["points"]})
    expected = case["threshold"]
    limit = threshold(points, gallery, case["fpir"])
    # The rule multiplies what rounding did to the cross scores by the t quantile, which is below 8 here.
    assert limit.cosine == pytest.approx(expected["cosine"], abs=8 * SCORE)
    assert limit.far == pytest.approx(expected["far"], rel=1e-9)
    assert limit.extrapolated == expected["extrapolated"] == ("extrapolated beyond FAR 1e-" in limit.why)
    assert f" ({expected['source']}, {limit.people} p" in limit.why
    assert (limit.cosine == oracle.HIGHEST) == ("give a higher --fpir" in limit.why)
    for probe, answer in zip(case["probes"], case["answers"], strict=True):
        used = OpenSetThreshold(case["limit"], case["fpir"], limit.far, limit.people, limit.extrapolated, limit.why)
        agrees(decide(probe, gallery, used), answer)


def agrees(match: Match, answer: dict[str, Any]) -> None:
    assert match.person == answer["person"]
    assert match.name == (None if match.person is None else f"P{match.person}")
    assert sorted(c.person for c in match.ambiguous) == answer["ambiguous"]
    for found, right in ((match.similarity, answer["similarity"]), (match.second, answer["second"])):
        assert found == (right if right is None else pytest.approx(right, abs=SCORE))


def test_the_golden_file_is_what_its_generator_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "__file__", str(tmp_path / "make_identify.py"))
    oracle.main()
    made = json.loads((tmp_path / "identify.json").read_text())["cases"]
    assert [c["name"] for c in made] == [c["name"] for c in CASES]
    assert [c["threshold"]["source"] for c in made] == [c["threshold"]["source"] for c in CASES]
    assert [c["answers"] for c in made] == [c["answers"] for c in CASES] or sys.platform != "linux"


@pytest.mark.parametrize("seed", range(8))
def test_random_galleries_against_the_oracle(seed: int) -> None:
    rng = random.Random(seed)
    people = oracle.crowd(rng, rng.randint(1, 12), rng.randint(1, 4), dimension=48, shift=rng.uniform(0, 0.1))
    fpir = rng.choice([0.002, 0.01, 0.05, 0.3])
    expected, gallery = oracle.threshold(oracle.POINTS, people, fpir), templates(people)
    limit = threshold(POINTS, gallery, fpir)
    assert limit.cosine == pytest.approx(expected["cosine"], abs=8 * SCORE)
    for _ in range(20):
        probe = oracle.near(rng, oracle.template(rng.choice(people)), rng.uniform(-0.2, 1))
        answer = oracle.decide(probe, people, [], limit.cosine)
        if answer["clear"]:
            agrees(decide(probe, gallery, limit), answer)


def test_cross_scores_are_those_of_every_embedding_and_every_other_person() -> None:
    people = oracle.crowd(random.Random(3), 7, 3, dimension=32, shift=0.1)
    gallery = templates(people)
    scores = [e @ t for e, o in zip(gallery.embeddings, gallery.owner, strict=True)
              for k, t in enumerate(gallery.matrix) if k != o]  # fmt: skip
    for cross in (cross_scores(gallery), impostors._together(gallery)):
        pairs, mean, variance = cross.without(0)
        assert pairs == 21
        assert mean == pytest.approx(np.mean(scores), abs=SCORE)
        assert variance == pytest.approx(np.var(scores), abs=SCORE)


@pytest.mark.parametrize("people", [2, 3, 5, 10, 20])
@pytest.mark.parametrize("cosine", [0.5, 0.7, 0.85, 0.95])
def test_a_relative_does_not_lock_the_others_out(people: int, cosine: float) -> None:
    """Siblings, twins or one person enrolled twice: the others are still named, and the two told apart or called alike."""
    rng = random.Random(people)
    strangers = oracle.crowd(rng, people, 3, dimension=128, shift=0.02)
    twin = oracle.near(rng, oracle.template(strangers[0]), cosine)
    crowd = [*strangers[:-1], [oracle.near(rng, twin, 0.95) for _ in range(3)]]
    without, limit = threshold(POINTS, templates(strangers)), threshold(POINTS, templates(crowd))
    if cosine > 0.6 or people == 2:  # above the threshold that the others give: seen as a relative
        assert "1 most alike pair left out" in limit.why
        assert limit.cosine < without.cosine + 0.03
    assert limit.cosine < oracle.HIGHEST


@pytest.mark.parametrize(("people", "left_out"), [(0, ""), (1, ""), (2, ", 1 most alike pair left out")])
def test_scores_that_do_not_exist_set_no_threshold(people: int, left_out: str) -> None:
    """Where no pair of people is left the number is the manifest's, widened, and says so."""
    limit = threshold(POINTS, templates(oracle.crowd(random.Random(1), people, 3, dimension=128)))
    alone = impostors.cosine_at(impostors.measured_points(POINTS), impostors.z_of(limit.far))
    assert limit.cosine > alone + 0.03
    source = "the manifest's thresholds, widened: no pair of people to learn from"
    who = f"{people} {'person' if people == 1 else 'people'}"
    assert limit.why == f"the threshold {limit.cosine:.3f} ({source}, {who}, FAR {limit.far:.2g} each){left_out}"
    third = threshold(POINTS, templates(oracle.crowd(random.Random(1), 3, 3, dimension=128)))
    assert "(the enrolled people's own scores, 3 people, " in third.why


def test_large_galleries_are_not_looked_at_pair_by_pair() -> None:
    rng = random.Random(8)
    people = oracle.crowd(rng, oracle.MANY + 1, 1, dimension=48)
    assert cross_scores(templates(people)).separable == 0
    assert cross_scores(templates(people[:-1])).separable == oracle.MANY * (oracle.MANY - 1) // 2


@pytest.mark.parametrize("nu", [4, 14, 49])
def test_student_against_the_integral(nu: int) -> None:
    """The series is A & S 26.7.5; the tail of the density, summed, is the other way to the same number."""
    for z in (0.5, 1.28, 2.33):
        x = np.linspace(student(z, nu), 4000, 4_000_001)
        density = (1 + x**2 / nu) ** (-(nu + 1) / 2)
        constant = math.exp(math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)) / math.sqrt(nu * math.pi)
        tail = constant * float(np.trapezoid(density, x) if hasattr(np, "trapezoid") else np.trapz(density, x))
        # Next term of the series, over nu**4, is below 4 % of the tail at nu 4 and z 2.33, far less elsewhere.
        assert tail == pytest.approx(1 - NormalDist().cdf(z), rel=0.04 if nu == 4 else 1e-3)


def test_c128_twins_are_ambiguous_never_the_first_by_row_order() -> None:
    a, b = np.eye(16)[0], 0.85 * np.eye(16)[0] + math.sqrt(1 - 0.85**2) * np.eye(16)[1]
    probe = (a + b) / np.linalg.norm(a + b)
    for first, second in ((a, b), (b, a)):
        gallery = templates([[list(first)], [list(second)]])
        match = decide(probe, gallery, threshold(POINTS, gallery))
        assert (match.person, match.name) == (None, None)
        assert {c.person for c in match.ambiguous} == {0, 1}
        assert [round(c.similarity, 3) for c in match.ambiguous] == [0.962, 0.962]
        assert "P0 (id 0, 0.962)" in match.why
        assert "P1 (id 1, 0.962)" in match.why


def test_c134_the_mean_is_brought_back_to_length_1() -> None:
    vectors = [oracle.unit([math.sqrt(0.5) if j in (0, k) else 0.0 for j in range(16)]) for k in (1, 2, 3)]
    gallery = templates([vectors])
    assert np.linalg.norm(gallery.matrix[0]) == pytest.approx(1, abs=1e-6)
    assert decide(vectors[1], gallery, LIMIT).similarity == pytest.approx(math.sqrt(2 / 3), abs=1e-6)


def test_an_empty_gallery_is_an_answer() -> None:
    gallery = templates([])
    limit = threshold(POINTS, gallery)
    assert limit.people == 0
    assert decide(np.eye(16)[0], gallery, limit) == Match(None, None, None, None, (), "the gallery is empty")


def test_embeddings_that_cancel_are_no_template() -> None:
    gallery = templates([[list(np.eye(16)[0]), list(-np.eye(16)[0])], [list(np.eye(16)[1])]])
    assert list(gallery.ids) == [1]
    assert list(gallery.owner) == [0]


@pytest.mark.parametrize(
    "points",
    [None, {}, {0.1: 0.2}, {0.1: 0.2, 0.01: None}, {0.1: 0.3, 0.01: 0.2}, {0.1: 0.2, 0.01: 0.2}, {1.0: 0.0, 0.1: 0.2}],
)
def test_without_two_rising_points_there_is_no_threshold(points: dict[float, float | None] | None) -> None:
    with pytest.raises(ThresholdError, match="at least two thresholds"):
        threshold(None if points is None else thresholds(points), templates([]))


@pytest.mark.parametrize("fpir", [0.0, 1.0, -1.0, math.nan, 5.0])
def test_fpir_is_a_share(fpir: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        threshold(POINTS, templates([]), fpir)


@pytest.mark.parametrize(
    "probe", [np.zeros(16), np.full(16, np.nan), np.eye(16)[0] * 0.2, np.eye(15)[0], np.eye(16), "x"]
)
def test_a_probe_that_is_no_embedding(probe: Any) -> None:
    with pytest.raises(InputError, match="The probe's embedding"):
        decide(probe, templates([[list(np.eye(16)[0])]]), LIMIT)


def test_crowded_answers_stay_short() -> None:
    gallery = templates([[oracle.unit([1.0, *np.random.default_rng(k).normal(0, 0.02, 15)])] for k in range(40)])
    match = decide(np.eye(16)[0], gallery, LIMIT)
    assert len(match.ambiguous) == 40
    assert "37 more" in match.why
    assert len(match.why) < 200


def test_the_constants_are_those_of_the_golden_file_that_kotlin_reads() -> None:
    golden = json.loads((GOLDEN / "identify.json").read_text())
    assert {name: value for name, value in golden.items() if name != "cases"} == {
        "margin": rule.MARGIN,
        "prior_weight": rule.PRIOR_WEIGHT,
        "highest": rule.HIGHEST,
        "few": impostors.FEW,
        "many": impostors.MANY,
    }


@pytest.mark.parametrize("people", [8, 10])
@pytest.mark.parametrize("twins", [2, 3])
def test_every_pair_of_look_alikes_is_left_out_not_only_the_first(people: int, twins: int) -> None:
    rng = random.Random(people)
    crowd = oracle.crowd(rng, people, 2, dimension=128, shift=0.02)
    for k in range(twins):
        twin = oracle.near(rng, oracle.template(crowd[k]), 0.9 - 0.05 * k)
        crowd[-1 - k] = [oracle.near(rng, twin, 0.95) for _ in range(2)]
    limit = threshold(POINTS, templates(crowd))
    assert limit.why.endswith(f", {twins} most alike pairs left out")
    assert limit.cosine == pytest.approx(oracle.threshold(oracle.POINTS, crowd, 0.01)["cosine"], abs=8 * SCORE)
    for k in range(twins):
        twin, stranger = oracle.template(crowd[-1 - k]), oracle.template(crowd[twins])
        assert oracle.dot(oracle.template(crowd[k]), twin) > limit.cosine + 0.1
        assert oracle.dot(stranger, twin) < limit.cosine
