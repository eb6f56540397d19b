"""Faces to people: nothing chains, order decides nothing, poor faces found nothing, every failed template is refused."""

from __future__ import annotations

import numpy as np
import pytest
from clustering_world import THRESHOLDS, chain, grouped, people, sets, unit

from edge_facenet.clustering import Faces, Grouping, group
from edge_facenet.clustering.linkage import Links, agglomerate
from edge_facenet.errors import ConfigError, InputError, ThresholdError


def widest_of(rows: np.ndarray, found: Grouping) -> float:
    """The lowest cosine within any group, by hand."""
    return min(float((rows[list(g.members)] @ rows[list(g.members)].T).min()) for g in found.groups)


# -- C135: by chaining, one group swallows everybody ------------------------------------------------------------------


@pytest.mark.parametrize(("links", "degrees"), [(100, 20), (300, 10), (900, 5), (100, 40)])
def test_c135_a_chain_is_never_one_group(links: int, degrees: float) -> None:
    rows = chain(links, degrees)
    found = grouped(rows)
    assert all(not {0, links - 1} <= set(one.members) for one in found.groups)
    assert len(found.groups) > 1 or not found.groups
    if found.groups:
        assert widest_of(rows, found) > found.threshold.floor


@pytest.mark.parametrize("seed", range(3))
def test_c135_in_whatever_order_the_chain_comes(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(100)
    found = grouped(chain(100, 20)[order])
    ends = {int(np.flatnonzero(order == 0)[0]), int(np.flatnonzero(order == 99)[0])}
    assert all(not ends <= set(one.members) for one in found.groups)


def test_c135_a_face_between_two_people_does_not_join_them() -> None:
    a, b = np.eye(64)[0], np.eye(64)[1]
    noise = np.random.default_rng(0).normal(scale=0.03, size=(41, 64))
    rows = unit(np.vstack([np.tile(a, (20, 1)), np.tile(b, (20, 1)), [a + b]]) + noise)
    found = grouped(rows)
    assert not any({0, 20} <= set(one.members) for one in found.groups)
    assert {len(one.members) for one in found.groups} <= {20, 21}


def test_c135_a_bridge_of_many_faces_does_not_join_them() -> None:
    """From one person to another in twenty steps, as a morph does: two hundred photos of each at the ends."""
    angles = np.concatenate([np.zeros(200), np.linspace(0, np.pi / 2, 20), np.full(200, np.pi / 2)])
    rows = np.zeros((420, 64))
    rows[:, 0], rows[:, 1] = np.cos(angles), np.sin(angles)
    rows = unit(rows + np.random.default_rng(0).normal(scale=0.03, size=rows.shape))
    found = grouped(rows)
    assert not any({0, 419} <= set(one.members) for one in found.groups)
    assert widest_of(rows, found) > found.threshold.floor


def test_c135_every_group_tells_its_widest_pair() -> None:
    rows, _ = people(5, 9)
    for one in grouped(rows).groups:
        members = list(one.members)
        scores = rows[members] @ rows[members].T
        a, b, cosine = one.widest
        assert cosine == pytest.approx(float(scores.min()), abs=1e-5)  # six digits are kept
        assert float(rows[a] @ rows[b]) == pytest.approx(cosine, abs=1e-5) and {a, b} <= set(members) and a < b


# -- what is right ---------------------------------------------------------------------------------------------------


def test_people_end_in_their_groups() -> None:
    rows, who = people(30, 8)
    found = grouped(rows)
    assert sets(found) == {frozenset(np.flatnonzero(who == k).tolist()) for k in range(30)}
    assert found.alone == () and found.threshold.faces == 240


def test_strangers_stay_alone_and_are_counted() -> None:
    rows, _ = people(300, 1)
    found = grouped(rows)
    assert len(found.alone) + sum(len(one.members) for one in found.groups) == 300
    assert (
        len(found.alone) >= 0.97 * 300
    )  # 1 % may be joined: 3 expected, 9 is beyond the 99th percentile of Poisson(3)


def test_one_persons_album_is_one_group() -> None:
    """There are no strangers in it to measure a shift on; a threshold that rose would tear it up."""
    rows, _ = people(1, 40, alike=0.62)
    found = grouped(rows)
    assert found.threshold.shift == 0 and len(found.groups[0].members) == 40


def test_where_strangers_are_more_alike_the_threshold_rises() -> None:
    rows, who = people(40, 10, alike=0.75, common=0.2 * 0.5)
    found = grouped(rows)
    assert 0.06 < found.threshold.shift < 0.14  # a common part of 0.10
    assert sets(found) == {frozenset(np.flatnonzero(who == k).tolist()) for k in range(40)}
    assert "more alike here" in found.threshold.why


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_faces_decides_nothing(seed: int) -> None:
    rows, _ = people(20, 7, alike=0.45)
    order = np.random.default_rng(seed).permutation(len(rows))
    again = grouped(rows[order])
    assert sets(grouped(rows)) == {frozenset(int(order[k]) for k in part) for part in sets(again)}


def test_groups_stand_by_size_and_then_by_their_first_face() -> None:
    rows, who = people(4, 6)
    found = grouped(rows[np.isin(np.arange(24), [0, 1, 6, 7, 8, 12, 13, 14, 18, 19, 20, 21])])
    assert [len(one.members) for one in found.groups] == [4, 3, 3, 2]
    assert min(found.groups[1].members) < min(found.groups[2].members)
    assert len(who) == 24


def test_the_most_typical_face_stands_first() -> None:
    rows, _ = people(1, 12)
    one = grouped(rows).groups[0]
    assert list(one.similarity) == sorted(one.similarity, reverse=True) and len(one.members) == len(one.similarity)


def test_copies_of_one_photo_are_one_person_at_once() -> None:
    rows, _ = people(3, 1)
    found = grouped(np.repeat(rows, 700, axis=0))  # ties without end
    assert sorted(len(one.members) for one in found.groups) == [700, 700, 700]


def test_faces_of_one_photo_are_different_people_unless_it_shows_one_twice() -> None:
    twins = unit(np.vstack([np.eye(32)[0], 0.8 * np.eye(32)[0] + 0.6 * np.eye(32)[1]]))
    assert grouped(twins).groups and not grouped(twins, photos=[7, 7]).groups
    assert len(grouped(np.vstack([twins[:1], twins[:1]]), photos=[7, 7]).groups) == 1  # a collage


def test_a_third_face_does_not_bring_two_of_one_photo_together() -> None:
    rows, _ = people(1, 3, alike=0.8)
    found = grouped(rows, photos=[0, 0, 1])
    assert all(not {0, 1} <= set(one.members) for one in found.groups) and len(found.groups) == 1


# -- poor faces ------------------------------------------------------------------------------------------------------


def test_poor_faces_found_no_group_and_hold_none_together() -> None:
    rows, _ = people(2, 6)
    assert grouped(rows, good=np.zeros(12, bool)).alone == tuple(range(12))
    a, b = np.eye(64)[0], 0.2 * np.eye(64)[0] + np.sqrt(0.96) * np.eye(64)[1]
    between = unit([a + b])[0]
    trio = unit(np.vstack([a, b, between]))
    links = Links(0.6, -1.0)
    assert len(set(agglomerate(trio, np.arange(3), links))) < 3
    found = grouped(trio, good=[True, True, False])
    assert not any({0, 1} <= set(one.members) for one in found.groups)


def test_a_poor_face_joins_the_person_it_clearly_is() -> None:
    rows, who = people(3, 6)
    good = np.ones(18, bool)
    good[[0, 7]] = False
    assert sets(grouped(rows, good=good)) == {frozenset(np.flatnonzero(who == k).tolist()) for k in range(3)}


def test_of_two_poor_faces_of_one_photo_one_joins_whatever_the_order() -> None:
    rows, _ = people(1, 8)
    good = np.array([True] * 6 + [False] * 2)
    photos = np.array([0, 1, 2, 3, 4, 5, 6, 6])
    found = grouped(rows, photos=photos, good=good)
    turned = grouped(rows[::-1], photos=photos[::-1], good=good[::-1])
    assert len(found.groups[0].members) == 7
    assert {7 - k for k in turned.groups[0].members} == set(found.groups[0].members)


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.zeros(128), np.full(128, np.nan), np.full(128, 0.02), np.full(128, np.inf)])
def test_a_failed_template_is_refused_by_its_number(bad: np.ndarray) -> None:
    rows = people(3, 2)[0].copy()
    rows[4] = bad
    with pytest.raises(InputError, match="Embedding 4 of 6 has length"):
        grouped(rows)


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    rows, _ = people(2, 2)
    with pytest.raises(InputError, match="one photo and one verdict"):
        grouped(rows, photos=[0, 1])
    with pytest.raises(InputError, match="shape"):
        grouped(rows[0])


@pytest.mark.parametrize("wrong", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_is_between_0_and_1(wrong: float) -> None:
    with pytest.raises(ConfigError, match="share of faces"):
        group(Faces(people(2, 2)[0], range(4), [True] * 4), THRESHOLDS, wrong)


def test_without_thresholds_nobody_is_grouped() -> None:
    with pytest.raises(ThresholdError, match="at least two thresholds"):
        group(Faces(people(2, 2)[0], range(4), [True] * 4), None)
    with pytest.raises(ThresholdError, match="--wrong"):
        group(Faces(people(2, 2)[0], range(4), [True] * 4), THRESHOLDS, 1e-15)


@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_album_and_a_single_face(count: int) -> None:
    found = grouped(people(1, 2)[0][:count])
    assert found.groups == () and len(found.alone) == count


# -- the threshold ---------------------------------------------------------------------------------------------------


def test_the_rate_of_a_pair_falls_with_the_number_of_faces() -> None:
    """Each face meets n - 1 others: 1 - (1 - far)^(n - 1) is the share asked for."""
    from edge_facenet.clustering.threshold import album_threshold

    limits = {n: album_threshold(THRESHOLDS, n) for n in (2, 101, 20_000)}
    for n, limit in limits.items():
        assert 1 - (1 - limit.far) ** (n - 1) == pytest.approx(0.01)
    assert limits[2].cosine == pytest.approx(0.27) and limits[101].cosine == pytest.approx(0.436, abs=1e-3)
    assert not limits[2].extrapolated and limits[20_000].extrapolated and "extrapolated" in limits[20_000].why
    assert 0.436 < limits[20_000].cosine < 0.6


def test_a_large_album_stays_small_in_memory() -> None:
    """6,000 faces: all pairs would be 144 MB."""
    import tracemalloc

    rows, _ = people(1500, 4)
    tracemalloc.start()
    found = agglomerate(rows, np.arange(len(rows)), Links(0.55, 0.1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.max() >= 1200
    assert peak < 60e6  # sums and templates 9 MB, a block of scores and its copies 20 MB, 12,000 small arrays and sets
