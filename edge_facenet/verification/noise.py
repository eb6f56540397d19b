"""Wrong names in a set of faces: pictures unlike their person's others, and one person under two names.

A picture is held against its own person's other pictures (median cosine) and against every other person (mean cosine to
that person's pictures); the margin between the two ranks it, the lowest first. Two people are held against each other by
their mean cosine over what each reaches with itself (of three or four pictures at least what most people reach, as so few
say little about it): 1 where the two are one, near 0 for strangers. It takes a network
that was not trained on these names: one that was has learned the wrong ones as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..schema import doc
from .pairs import unit_rows

MIN_PHOTOS = 3  # a person's other pictures must be able to outvote one
SAME_LIKENESS = 0.8
"""Measured on 283 people of CelebA with three networks: people of 3 pictures or more who are not one reach 0.53, 0.68 and
0.62 at most (some 30,000 pairs), two halves of one person's pictures 0.92, 0.94 and 0.90 at least (234 people of ten or
more). With 2 pictures the likeness is often above 1 and says nothing."""
PLENTY = 5
"""Pictures from which a person's own likeness is believed when it is low. Of 1,403 people of CelebA, 770 of them with three
pictures, 38 stand under two names. Believing it always lists 893 pairs (mobile), likenesses up to 3, all 38 among them; with
this 39 are listed, 37 of the 38, one woman under two names that nobody knew of, and two boys who look like brothers."""
_CHUNK = 4096
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Suspect:
    """A picture and how it stands between its name and the others; the least fitting have the lowest rank."""

    rank: int = doc("from 1: the most suspicious first")
    row: int = doc("row of the embeddings")
    own: float = doc("median cosine to its person's other pictures")
    other: int = doc("label of the person it resembles most besides its own")
    other_cosine: float = doc("mean cosine to that person's pictures")

    @property
    def margin(self) -> float:
        """Own minus other: below 0 it resembles somebody else more."""
        return self.own - self.other_cosine


@dataclass(frozen=True)
class SameFace:
    """Two names that may be one person."""

    a: int = doc("label")
    b: int = doc("label")
    cosine: float = doc("mean cosine between their pictures")
    likeness: float = doc("that cosine over what each reaches with itself, geometric mean; 1 = one person")


def suspects(embeddings: ArrayLike, labels: ArrayLike, min_photos: int = MIN_PHOTOS) -> tuple[Suspect, ...]:
    """Every picture of a person with at least `min_photos`, the most suspicious first.

    Args:
        embeddings: (n, d); a row without direction resembles nobody and stands first.
        labels: (n,) int; negative = unlabelled, left out.
    Raises:
        InputError: fewer than two such people.
    """
    rows, known = unit_rows(embeddings), np.asarray(labels, np.int64)
    people, sizes = np.unique(known[known >= 0], return_counts=True)
    people = people[sizes >= min_photos]
    if len(people) < 2:
        raise InputError(
            f"Wrong names show against other pictures of one person: {len(people)} people here have at least {min_photos}; two "
            "are needed."
        )
    mine = [np.flatnonzero(known == p) for p in people]
    means = np.stack([rows[m].mean(axis=0) for m in mine])
    found: list[tuple[float, int, float, int, float]] = []
    for place, members in enumerate(mine):
        towards = rows[members] @ means.T
        towards[:, place] = -np.inf
        other = towards.argmax(axis=1)
        for row, own, k, cosine in zip(members, _medians(rows[members]), other, towards.max(axis=1), strict=True):
            found.append((float(own - cosine), int(row), float(own), int(people[k]), float(cosine)))
    found.sort(key=lambda f: f[:2])
    return tuple(Suspect(rank, row, own, other, cosine) for rank, (_, row, own, other, cosine) in enumerate(found, 1))


def same_faces(
    embeddings: ArrayLike, labels: ArrayLike, above: float = SAME_LIKENESS, min_photos: int = MIN_PHOTOS
) -> tuple[SameFace, ...]:
    """Pairs of names whose pictures are as alike as one person's, the most alike first.

    Args:
        above: likeness from which a pair is listed.
        min_photos: people with fewer pictures say nothing about how alike one person's pictures are.
    """
    rows, known = unit_rows(embeddings), np.asarray(labels, np.int64)
    people, sizes = np.unique(known[known >= 0], return_counts=True)
    people, sizes = people[sizes >= min_photos], sizes[sizes >= min_photos].astype(np.int64)
    if len(people) < 2:
        return ()
    sums = np.stack([rows[known == p].sum(axis=0) for p in people])
    within = _within(sums, sizes)
    found = []
    for start, cross in _blocks(sums):
        part = slice(start, start + len(cross))
        cosine = cross / (sizes[part, None] * sizes[None])
        scale = np.sqrt(within[part, None] * within[None])
        likeness = np.where(scale > 0, cosine / np.where(scale > 0, scale, 1), 0)
        a, b = np.nonzero(likeness >= above)
        for k in np.flatnonzero(b > a + start):
            found.append(
                SameFace(
                    int(people[a[k] + start]), int(people[b[k]]), float(cosine[a[k], b[k]]), float(likeness[a[k], b[k]])
                )
            )
    return tuple(sorted(found, key=lambda f: (-f.likeness, f.a, f.b)))


def plant(
    labels: ArrayLike, share: float, seed: int, min_photos: int = 10
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Wrong names put in on purpose, to see how many are found.

    Args:
        labels: (n,) int.
        share: of the pictures of people with at least `min_photos`, 0..1; each gets another such person's name.
    Returns:
        the labels with the wrong names, and the rows that have them, ascending.
    """
    known = np.asarray(labels, np.int64).copy()
    people, sizes = np.unique(known[known >= 0], return_counts=True)
    people = people[sizes >= min_photos]
    if len(people) < 2 or not 0 < share < 1:
        raise InputError(f"Planting needs a share between 0 and 1 and two people with {min_photos} pictures or more.")
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(np.isin(known, people))
    rows = np.sort(rng.permutation(rows)[: max(1, round(share * len(rows)))])
    place = np.searchsorted(people, known[rows])
    known[rows] = people[(place + rng.integers(1, len(people), len(rows))) % len(people)]
    return known, rows


def recall(ranked: Sequence[Suspect], wrong: ArrayLike, share: float) -> float:
    """Share of the wrong rows that stand within the first `share` of the ranking."""
    first = {s.row for s in ranked[: int(share * len(ranked))]}
    rows = np.asarray(wrong).tolist()
    return sum(row in first for row in rows) / len(rows)


def _within(sums: Floats, sizes: NDArray[np.int64]) -> Floats:
    """Mean cosine between the pictures of each person, (people,), 0 or more."""
    within = np.maximum(((sums**2).sum(axis=1) - sizes) / (sizes * (sizes - 1)), 0)
    return np.asarray(np.where(sizes < PLENTY, np.maximum(within, np.median(within)), within))


def _medians(rows: Floats) -> Floats:
    """Of each row's cosines to the others."""
    cosine = rows @ rows.T
    others = cosine[~np.eye(len(rows), dtype=bool)].reshape(len(rows), -1)
    return np.asarray(np.median(others, axis=1))


def _blocks(sums: Floats) -> Iterator[tuple[int, Floats]]:
    for start in range(0, len(sums), _CHUNK):
        yield start, sums[start : start + _CHUNK] @ sums.T
