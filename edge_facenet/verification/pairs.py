"""Pairs of faces, and the cosine of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

MAX_PAIRS = 5_000_000  # 40 bytes a pair and as much again while scoring: 400 MB, what a 1-GB board can still bear
_CHUNK = 4_000_000  # numbers gathered at a time


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows of an embedding matrix, in a fixed order.

    Attributes:
        a, b: (n,) int64 row numbers.
        same: (n,) bool, whether both rows show one person (a genuine pair); otherwise an impostor pair.
        identity_a, identity_b: (n,) int64, who is on each row; pairs that share a person are not independent.
        fold: (n,) int64 fold number of each pair when a pair file fixes it (LFW), else None.
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    same: NDArray[np.bool_]
    identity_a: NDArray[np.int64]
    identity_b: NDArray[np.int64]
    fold: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        columns = [self.a, self.b, self.same, self.identity_a, self.identity_b]
        columns += [] if self.fold is None else [self.fold]
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"columns of unequal length: {', '.join(str(len(c)) for c in columns)}")

    def __len__(self) -> int:
        return len(self.a)

    @property
    def genuine(self) -> int:
        """Pairs of one person."""
        return int(np.count_nonzero(self.same))

    @property
    def impostor(self) -> int:
        """Pairs of two people."""
        return len(self) - self.genuine

    @property
    def identities(self) -> int:
        """People in these pairs."""
        return len(np.union1d(self.identity_a, self.identity_b))

    @property
    def genuine_identities(self) -> int:
        """People with a genuine pair."""
        return len(np.unique(self.identity_a[self.same]))

    def take(self, chosen: ArrayLike) -> Pairs:
        """The pairs at these positions (an index or a mask), in that order."""
        rows = np.asarray(chosen)
        fold = None if self.fold is None else self.fold[rows]
        return Pairs(self.a[rows], self.b[rows], self.same[rows], self.identity_a[rows], self.identity_b[rows], fold)


def all_pairs(labels: ArrayLike) -> Pairs:
    """Every unordered pair of labelled rows, by first row, then second.

    Args:
        labels: (n,) int, one identity number per row of the embedding matrix; negative = unlabelled, left out.
    Raises:
        InputError: more than MAX_PAIRS pairs; `sampled_pairs` draws some of them.

    >>> pairs = all_pairs([0, 0, 1])
    >>> pairs.a.tolist(), pairs.b.tolist(), pairs.same.tolist()
    ([0, 0, 1], [1, 2, 2], [True, False, False])
    """
    known = np.asarray(labels, np.int64)
    rows = np.flatnonzero(known >= 0)
    count = len(rows) * (len(rows) - 1) // 2
    if count > MAX_PAIRS:
        raise InputError(
            f"{len(rows):,} faces make {count:,} pairs, more than the {MAX_PAIRS:,} held in memory. Sample them instead."
        )
    first, second = np.triu_indices(len(rows), 1)
    return _labelled(known, rows[first], rows[second])


def sampled_pairs(labels: ArrayLike, genuine: int, impostor: int, seed: int) -> Pairs:
    """Distinct pairs drawn at random: up to `genuine` of one person, up to `impostor` of two; genuine pairs first.

    Args:
        labels: (n,) int, negative = unlabelled.
        genuine, impostor: how many; all there are when there are fewer.
        seed: the same labels and seed give the same pairs.
    Raises:
        InputError: more than MAX_PAIRS pairs asked for.
    """
    if genuine + impostor > MAX_PAIRS:
        raise InputError(f"{genuine + impostor:,} pairs asked for; at most {MAX_PAIRS:,} are held in memory.")
    known = np.asarray(labels, np.int64)
    rows = np.flatnonzero(known >= 0)
    rows = rows[np.argsort(known[rows], kind="stable")]  # one person's rows side by side
    rng = np.random.default_rng(seed)
    first_g, second_g = _draw_genuine(known[rows], genuine, rng)
    first_i, second_i = _draw_impostor(known[rows], impostor, rng)
    first, second = np.concatenate([first_g, first_i]), np.concatenate([second_g, second_i])
    return _labelled(known, np.minimum(rows[first], rows[second]), np.maximum(rows[first], rows[second]))


def cosines(embeddings: ArrayLike, pairs: Pairs) -> NDArray[np.float64]:
    """Cosine similarity of each pair, (n,) float64.

    Rows need not be of unit length. A row of zeros has no direction: its cosine is 0, and `evaluate_embeddings` reports
    it. NaN stays NaN.
    """
    matrix = np.asarray(embeddings)
    if matrix.ndim != 2:
        raise InputError(f"Embeddings have the shape (faces, dimension); found {matrix.shape}.")
    if len(pairs) and max(int(pairs.a.max()), int(pairs.b.max())) >= len(matrix):
        raise InputError(f"Pairs name row {max(int(pairs.a.max()), int(pairs.b.max()))} of {len(matrix)} embeddings.")
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    norms[norms == 0] = 1.0
    scores = np.empty(len(pairs), np.float64)
    step = max(1, _CHUNK // max(matrix.shape[1], 1))
    for start in range(0, len(pairs), step):
        part = slice(start, start + step)
        a, b = pairs.a[part], pairs.b[part]
        with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are reported by the protocol
            products = np.einsum("ij,ij->i", matrix[a], matrix[b], dtype=np.float64)
            scores[part] = products / (norms[a] * norms[b])
    return scores


def unit_rows(embeddings: ArrayLike) -> NDArray[np.float64]:
    """Unit rows; what has no direction becomes zeros, which resemble nobody."""
    wide = np.nan_to_num(np.asarray(embeddings, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(lengths > 0, lengths, 1))


def _labelled(labels: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64]) -> Pairs:
    return Pairs(a, b, labels[a] == labels[b], labels[a], labels[b])


def _draw_genuine(labels: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    """Number the genuine pairs row by row (a row with the later rows of its person), draw numbers, turn them back."""
    ends = _person_ends(labels)
    return _draw(ends - np.arange(len(labels)) - 1, np.arange(len(labels)) + 1, wanted, rng)


def _draw_impostor(labels: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    """The same with all rows behind the row's person."""
    ends = _person_ends(labels)
    return _draw(len(labels) - ends, ends, wanted, rng)


def _person_ends(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of sorted labels: for each row, the place behind its person's last row."""
    _, person, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.cumsum(sizes)[person] if len(labels) else np.empty(0, np.int64)


def _draw(
    partners: NDArray[np.int64], first_partner: NDArray[np.int64], wanted: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], ...]:
    until = np.cumsum(partners)
    total = int(until[-1]) if len(until) else 0
    number = _distinct(total, min(wanted, total), rng)
    row = np.searchsorted(until, number, "right")
    return row, first_partner[row] + number - (until[row] - partners[row])


def _distinct(total: int, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`wanted` distinct numbers below `total`, sorted, without a list of all when that would be long."""
    if total <= 4 * wanted:
        return np.sort(rng.permutation(total)[:wanted])
    drawn = np.empty(0, np.int64)
    while len(drawn) < wanted:
        more = np.concatenate([drawn, rng.integers(0, total, wanted - len(drawn) + 16)])
        distinct, first = np.unique(more, return_index=True)
        drawn = distinct[np.argsort(first)][:wanted]  # in the order drawn, so that the cut favours no number
    return np.sort(drawn)
