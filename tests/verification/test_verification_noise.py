"""Wrong names, one person under two names, duplicates, hard probes, few people: each finder, and where it finds nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edge_facenet.errors import InputError
from edge_facenet.verification import (
    all_pairs,
    cosines,
    duplicates,
    evaluate_embeddings,
    noise,
    probes,
    signatures,
    with_intervals,
)
from edge_facenet.verification.people import few_people, without_rates
from edge_facenet.verification.wilson import wilson


def crowd(people: int, photos: int, seed: int = 0, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng, labels = np.random.default_rng(seed), np.repeat(np.arange(people), photos)
    return rng.normal(size=(people, 32))[labels] + rng.normal(0, spread, (len(labels), 32)), labels


# --- wrong names


@pytest.mark.parametrize("seed", range(3))
def test_planted_wrong_names_stand_at_the_top(seed: int) -> None:
    rows, labels = crowd(40, 12, seed, spread=1.2)  # cosines of one person about 0.4, as in the wild
    wrong_labels, wrong = noise.plant(labels, 0.03, seed)
    assert len(wrong) == round(0.03 * 480) and (wrong_labels != labels).sum() == len(wrong)
    assert (np.flatnonzero(wrong_labels != labels) == wrong).all()
    ranked = noise.suspects(rows, wrong_labels)
    assert noise.recall(ranked, wrong, 0.10) >= 0.9
    assert [s.rank for s in ranked] == list(range(1, 481)) and {s.row for s in ranked} == set(range(480))
    assert all(a.margin <= b.margin for a, b in pairwise(ranked))
    first = ranked[0]
    assert first.other == labels[first.row]  # it names the person it really shows


def test_a_ranking_that_knows_nothing_recalls_what_chance_does() -> None:
    """The gate's other side: with embeddings of noise the first tenth holds about a tenth."""
    rng, labels = np.random.default_rng(1), np.repeat(np.arange(60), 20)
    wrong_labels, wrong = noise.plant(labels, 0.1, 1)
    found = noise.recall(noise.suspects(rng.normal(size=(1200, 32)), wrong_labels), wrong, 0.10)
    assert found < 0.3  # 120 wrong rows at a chance of 0.1: standard deviation 0.027


def test_suspects_own_and_other_are_what_they_say() -> None:
    rows, labels = crowd(5, 4, 2)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for s in noise.suspects(rows, labels):
        mine = [k for k in np.flatnonzero(labels == labels[s.row]) if k != s.row]
        assert s.own == pytest.approx(np.median(unit[mine] @ unit[s.row]), abs=1e-12)
        means = {p: float((unit[labels == p] @ unit[s.row]).mean()) for p in range(5) if p != labels[s.row]}
        assert s.other == max(means, key=lambda p: means[p])
        assert s.other_cosine == pytest.approx(max(means.values()), abs=1e-12)


def test_people_with_few_pictures_and_unlabelled_rows_are_left_out_and_blank_rows_come_first() -> None:
    rows, labels = crowd(4, 5, 3, spread=0.1)
    labels[:3], labels[5] = 9, -1  # 9 has three, 0 has two
    rows[19] = np.nan
    ranked = noise.suspects(rows, labels)
    assert ranked[0].row == 19 and 5 not in {s.row for s in ranked}
    assert {int(labels[s.row]) for s in ranked} == {9, 1, 2, 3}
    with pytest.raises(InputError, match="1 people here have at least 5; two are needed"):
        noise.suspects(rows[:10], np.array([0, 0, 1, 1, 1, 1, 1, 2, 2, 2]), min_photos=5)
    with pytest.raises(InputError, match="two people with 10 pictures"):
        noise.plant(labels, 0.03, 0)


def test_one_person_under_two_names_is_found_and_strangers_are_not() -> None:
    rows, labels = crowd(20, 10, 4, spread=1.0)
    split = labels.copy()
    split[5:10] = 77  # half of person 0's pictures
    (found,) = noise.same_faces(rows, split)
    assert (found.a, found.b) == (0, 77) and found.likeness == pytest.approx(1, abs=0.2)
    assert noise.same_faces(rows, labels) == ()
    few = split.copy()
    few[7:10] = -1  # two pictures say nothing
    assert noise.same_faces(rows, few) == ()
    assert noise.same_faces(rows[:3], np.zeros(3)) == ()


def test_three_pictures_of_one_name_that_are_unlike_make_nobody_else_one_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their own likeness is near 0, and anything over it is large."""
    rows, labels = crowd(20, 10, 6, spread=1.0)
    labels[3:10] = -1
    rows[:3] = np.eye(3, 32) + 0.01  # three people under one name
    rows[2] = rows[10:20].mean(axis=0)  # of whom one resembles person 1
    rows[2, :2] = 0.5
    assert noise.same_faces(rows, labels) == ()
    monkeypatch.setattr(noise, "PLENTY", 0)
    assert [(pair.a, pair.b) for pair in noise.same_faces(rows, labels)] == [(0, 1)]


# --- one picture twice


def test_duplicates_are_counted_by_kind() -> None:
    rng = np.random.default_rng(5)
    crops = rng.integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    crops[1] = crops[0]  # equal, one name
    crops[5] = crops[2]  # equal, two names
    crops[3] = np.clip(crops[6].astype(int) + rng.integers(-3, 4, crops[6].shape), 0, 255)  # nearly, one name
    crops[9] = np.clip(crops[7].astype(int) + 3, 0, 255)  # nearly, unlabelled: under no one name
    labels = [0, 0, 1, 2, 3, 4, 2, 5, 6, -1, 7, 8]
    digests = [str(c.tobytes()) for c in crops]
    found = duplicates(signatures(crops), labels, digests, [f"p{k}" for k in range(12)])
    assert (found.exact, found.exact_other_name, found.near, found.near_other_name) == (1, 1, 1, 1)
    assert [(t.a, t.b) for t in found.examples] == [("p2", "p5"), ("p7", "p9")]
    assert len(found.notes()) == 4 and "p7 and p9" in found.notes()[-1]
    fresh = rng.integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    none = duplicates(signatures(fresh), labels, [str(k) for k in range(12)], ["x"] * 12)
    assert none.notes() == () and none.examples == ()


def test_duplicates_far_apart_in_a_large_set_are_found() -> None:
    """Rows are compared a block at a time; twins in two blocks, and at a block's edge."""
    crops = np.random.default_rng(6).integers(0, 256, (4200, 16, 16, 3)).astype(np.uint8)
    for a, b in ((0, 4199), (2047, 2048), (3000, 4096)):
        crops[b] = crops[a]
    found = duplicates(signatures(crops), np.arange(4200), [str(c.tobytes()) for c in crops], ["s"] * 4200)
    assert (found.exact, found.exact_other_name, found.near, found.near_other_name) == (0, 3, 0, 0)


# --- hard probes


@pytest.fixture
def faces() -> np.ndarray:
    rng = np.random.default_rng(7)
    import cv2

    return np.stack([cv2.resize(rng.integers(0, 256, (14, 14, 3)).astype(np.uint8), (112, 112)) for _ in range(4)])


@pytest.mark.parametrize("kind", probes.KINDS)
def test_probes_are_deterministic_whatever_the_batch_and_change_what_they_say(kind: str, faces: np.ndarray) -> None:
    before = faces.copy()
    hard = probes.harden(kind, faces, [3, 5, 7, 9])
    assert hard.shape == faces.shape and hard.dtype == np.uint8 and (faces == before).all()
    alone = np.concatenate([probes.harden(kind, faces[k : k + 1], [row]) for k, row in enumerate((3, 5, 7, 9))])
    assert (alone == hard).all()
    assert (hard != faces).any(axis=(1, 2, 3)).all()
    assert probes.harden(kind, faces[:0], []).shape == (0, 112, 112, 3)


def test_probes_do_what_their_names_say(faces: np.ndarray) -> None:
    made = {kind: probes.harden(kind, faces, range(4)).astype(float) for kind in probes.KINDS}
    error = {kind: float(np.abs(made[kind] - faces).mean()) for kind in made}
    assert error["24 px"] > error["32 px"] > error["48 px"] > 0
    assert made["dark"].mean() == pytest.approx(0.15 * faces.mean(), rel=0.1)
    assert made["blurred"].std() < faces.std()
    assert (made["masked"][:, :55] == faces[:, :55]).all()  # the eyes' half is free
    assert np.ptp(made["masked"][:, 92, 40:72].reshape(-1, 3), axis=0).max() == 0  # the mouth is not
    assert not (probes.harden("dark", faces, range(4), seed=1) == made["dark"]).all()
    with pytest.raises(InputError, match="no probe 'fog'; there are 48 px"):
        probes.harden("fog", faces, range(4))


def test_the_table_of_probes_keeps_the_clean_thresholds() -> None:
    rows, labels = crowd(30, 6, 8)
    pairs = all_pairs(labels)
    clean = cosines(rows, pairs)
    table = probes.judge({"clean": clean, "worse": clean * 0.5}, pairs, seed=0)
    first, worse = table.rows
    assert (table.genuine, table.impostor, table.identities) == (pairs.genuine, pairs.impostor, 30)
    for a, b in zip(first.at, worse.at, strict=True):
        assert a.tar == a.val and a.realised is not None and a.realised <= a.far  # their own threshold
        assert b.val == a.val  # halved scores rank alike
        assert b.threshold == a.threshold and b.tar is not None and a.tar is not None and b.tar <= a.tar
        assert b.realised is not None and b.realised < a.far
    assert worse.at[-1].tar is not None and first.at[-1].tar is not None and worse.at[-1].tar < first.at[-1].tar
    assert {p.far for p in first.at} == {0.1, 0.01, 0.001}  # 1e-4 is not measurable with 15,660 pairs


def test_the_table_of_probes_is_made_with_as_many_folds_as_the_pairs_allow() -> None:
    rows, labels = crowd(4, 2, 8)
    pairs = all_pairs(labels)
    clean = cosines(rows, pairs)
    with pytest.raises(InputError, match="10 folds need genuine and impostor pairs"):
        probes.judge({"clean": clean}, pairs, seed=0)
    assert probes.judge({"clean": clean}, pairs, seed=0, folds=4).rows[0].kind == "clean"


# --- few people


@pytest.mark.parametrize(("people", "warned"), [(2, True), (3, True), (9, True), (10, False), (40, False)])
def test_few_people_are_flagged_even_at_100_per_cent(people: int, warned: bool) -> None:
    rows, labels = crowd(people, 6, 9, spread=0.01)
    pairs = all_pairs(labels)
    result = with_intervals(evaluate_embeddings(rows, pairs, folds=5), cosines(rows, pairs), pairs)
    assert result.accuracy == 100
    warnings = few_people(result)
    assert bool(warnings) is warned
    if warned:
        assert f"too few people: {people}, where 10 are needed. 100.00 % on {people} people" in warnings[0]
        assert "Thresholds and VAL are not measurable" in warnings[0]
        bare = without_rates(result)
        assert all(p.val is None and p.threshold is None and p.note for p in bare.val)
        assert ("There is no interval" in warnings[0]) is (people < 3)
    if people < 3:
        assert result.accuracy_interval is None
    else:  # no error was seen, which is no proof that there is none
        assert result.accuracy_interval is not None and result.accuracy_interval[1] == 100
        assert 100 * (1 - 5 / people) < result.accuracy_interval[0] < 100 * (1 - 2 / people)


def test_two_people_could_fail_78_per_cent_of_the_time() -> None:
    rows, labels = crowd(2, 6, 9, spread=0.01)
    (warning,) = few_people(evaluate_embeddings(rows, all_pairs(labels), folds=5))
    assert "up to 78 % of people could still fail" in warning and "1 pair of people" in warning
    assert abs(0.22**2 - 0.05) < 0.002  # at 78 % failing, two right ones are seen once in twenty


def test_wilson_holds_at_the_ends() -> None:
    assert wilson(0, 100, 1.96)[0] == 0 and wilson(0, 100, 1.96)[1] == pytest.approx(0.037, abs=0.001)
    assert wilson(1, 100, 1.96)[1] == 1 and wilson(1, 100, 1.96)[0] == pytest.approx(0.963, abs=0.001)
    low, high = wilson(0.5, 100, 1.96)
    assert (low, high) == pytest.approx((0.404, 0.596), abs=0.001)
