"""Faults of pair lists: the same entry twice, a picture with itself, two answers for one pair, one picture as two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..schema import doc
from .pairs import Pairs


@dataclass(frozen=True)
class PairCounts:
    """What a pair list holds besides distinct pairs."""

    listed: int = doc("pairs given")
    scored: int = doc("pairs left when those that prove nothing are taken out")
    repeated: int = doc("pairs listed before in the same order; scored as listed, as the literature does")
    reversed_repeats: int = doc("pairs listed before the other way round; scored as listed")
    self_pairs: int = doc("a picture with itself; not scored")
    contradictions: int = doc("distinct pairs marked same and different, or against their people's names; refused")
    byte_equal_same: int = doc("pairs marked same of two pictures with equal bytes; not scored")
    byte_equal_different: int = doc("pairs marked different of two pictures with equal bytes; not scored")
    byte_equal_pictures: int = doc("pictures that occur under two names or more")

    def notes(self) -> tuple[str, ...]:
        """One remark per kind found."""
        kinds = (
            (self.repeated, "repeated pairs (scored as listed)"),
            (self.reversed_repeats, "repeated pairs, the other way round (scored as listed)"),
            (self.self_pairs, "pairs of a picture with itself (not scored)"),
            (self.contradictions, "pairs marked same and different"),
            (self.byte_equal_same, "pairs marked same of byte-equal pictures (not scored)"),
            (self.byte_equal_different, "pairs marked different of byte-equal pictures (not scored)"),
            (self.byte_equal_pictures, "byte-equal pictures under two names"),
        )
        return tuple(f"{what}: {number:,}" for number, what in kinds if number)


def clean(pairs: Pairs, digests: Sequence[str] | None = None) -> tuple[Pairs, PairCounts]:
    """The pairs worth scoring, and what was found.

    Args:
        digests: one hash per row of the embedding matrix, of the crop's bytes; without them the byte-equal kinds are 0.
    Raises:
        InputError: one pair has two answers, or nothing is left.
    """
    counts, keep, contradictory = _examine(pairs, digests)
    if counts.contradictions:
        first = int(np.flatnonzero(contradictory)[0])
        raise InputError(
            f"The pairs contradict themselves {counts.contradictions:,} times: pair {first + 1} (rows {pairs.a[first]} and "
            f"{pairs.b[first]}) is the same person and is not. Found in all: {'; '.join(counts.notes())}. Mend the list."
        )
    if not counts.scored:
        raise InputError(
            f"None of {counts.listed:,} pairs can be scored: {'; '.join(counts.notes()) or 'the list is empty'}."
        )
    return (pairs if counts.scored == counts.listed else pairs.take(keep)), counts


def _examine(pairs: Pairs, digests: Sequence[str] | None) -> tuple[PairCounts, NDArray[np.bool_], NDArray[np.bool_]]:
    low, high = np.minimum(pairs.a, pairs.b), np.maximum(pairs.a, pairs.b)
    key = low * (int(high.max(initial=0)) + 1) + high
    _, first, entry = np.unique(key, return_index=True, return_inverse=True)
    first = first[entry]  # for each pair, where it stands for the first time
    itself = pairs.a == pairs.b
    again = (np.arange(len(pairs)) != first) & ~itself
    agrees = pairs.same == pairs.same[first]
    forward = pairs.a == pairs.a[first]
    contradictory = (again & ~agrees) | (((pairs.identity_a == pairs.identity_b) != pairs.same) & ~itself)
    equal, pictures = _byte_equal(pairs, digests)
    equal &= ~itself
    keep = ~itself & ~equal
    counts = PairCounts(
        listed=len(pairs),
        scored=_count(keep),
        repeated=_count(again & agrees & forward),
        reversed_repeats=_count(again & agrees & ~forward),
        self_pairs=_count(itself),
        contradictions=len(np.unique(key[contradictory])),
        byte_equal_same=_count(equal & pairs.same),
        byte_equal_different=_count(equal & ~pairs.same),
        byte_equal_pictures=pictures,
    )
    return counts, keep, contradictory


def _byte_equal(pairs: Pairs, digests: Sequence[str] | None) -> tuple[NDArray[np.bool_], int]:
    if digests is None:
        return np.zeros(len(pairs), bool), 0
    content = np.unique(np.asarray(digests), return_inverse=True)[1]
    rows = np.union1d(pairs.a, pairs.b)
    return content[pairs.a] == content[pairs.b], _count(np.bincount(content[rows], minlength=1) > 1)


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))
