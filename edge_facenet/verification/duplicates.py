"""One picture twice within a set: under one name it flatters a figure, under two names it spoils one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..schema import doc
from .leaks import NEAR_DUPLICATE

MOST_ROWS = 20_000  # 200 million comparisons of 256 numbers: some ten seconds
SHOWN = 5
_CHUNK = 2048


@dataclass(frozen=True)
class Twin:
    """Two pictures that look like one."""

    a: str = doc("source of the first")
    b: str = doc("source of the second")
    likeness: float = doc("correlation of their coarse grey pictures, -1..1; 1 for equal pixels")


@dataclass(frozen=True)
class Duplicates:
    """Pairs of pictures in a set that are, or nearly are, one picture."""

    exact: int = doc("pairs of crops with equal pixels, under one name")
    exact_other_name: int = doc("the same under two names")
    near: int = doc(f"pairs whose coarse pictures correlate above {NEAR_DUPLICATE}, under one name")
    near_other_name: int = doc("the same under two names: a wrong name, or one person under two")
    examples: tuple[Twin, ...] = doc(f"up to {SHOWN} across two names, the most alike first", ())

    def notes(self) -> tuple[str, ...]:
        """A remark per kind found."""
        shown = "; ".join(f"{t.a} and {t.b} ({t.likeness:.3f})" for t in self.examples)
        kinds = (
            (self.exact, "pairs of equal pictures under one name", ""),
            (
                self.exact_other_name,
                "pairs of equal pictures under two names",
                "" if self.near_other_name else f", {shown}",
            ),
            (self.near, "pairs of near duplicates under one name, which flatter the figures", ""),
            (
                self.near_other_name,
                "pairs of near duplicates under two names, a wrong name or one person",
                f", {shown}",
            ),
        )
        return tuple(f"{what}: {number:,}{more}" for number, what, more in kinds if number)


def duplicates(
    signatures: NDArray[np.float32], labels: ArrayLike, digests: Sequence[str], sources: Sequence[str]
) -> Duplicates:
    """Compare every picture with every other.

    Args:
        signatures: (n, 256) of `leaks.signatures`.
        labels: (n,) int, who is on each picture; negative = nobody knows, equal to no name.
        digests: (n,) hashes of the crops' pixels.
        sources: (n,) names to show.
    """
    who, content = np.asarray(labels, np.int64), np.unique(np.asarray(digests), return_inverse=True)[1]
    counts = np.zeros(4, np.int64)
    across: list[tuple[float, int, int]] = []
    for start in range(0, len(signatures), _CHUNK):
        rows = slice(start, start + _CHUNK)
        likeness = signatures[rows] @ signatures.T
        equal = content[rows, None] == content[None]
        a, b = np.nonzero((likeness >= NEAR_DUPLICATE) | equal)
        a, b, value = a[b > a + start], b[b > a + start], likeness[a, b][b > a + start]
        same = (who[a + start] == who[b]) & (who[b] >= 0)
        exact = content[a + start] == content[b]
        counts += [np.count_nonzero(k) for k in (exact & same, exact & ~same, ~exact & same, ~exact & ~same)]
        other = np.flatnonzero(~same)
        top = other[np.argsort(-value[other], kind="stable")][:SHOWN]
        across += [(float(min(value[k], 1)), int(a[k]) + start, int(b[k])) for k in top]
    across.sort(key=lambda twin: (-twin[0], twin[1:]))
    examples = tuple(Twin(sources[a], sources[b], round(value, 4)) for value, a, b in across[:SHOWN])
    exact, exact_other, near, near_other = (int(c) for c in counts)
    return Duplicates(exact, exact_other, near, near_other, examples)
