"""Which views a step sees: a pure function of (seed, step), so that a resumed run needs no other state.

Views are numbered. View v shows the face at place v of an endless row of permutations of the training faces. Each view
costs a teacher's answer, so each is seen about `reuse` times: a step takes some new ones and fills up with past ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..schema import doc

Numbers = npt.NDArray[np.int64]
_OLD, _ORDER = 0x01D, 0x0DE4
"""Purposes, so that no two draws share a generator."""


@dataclass(frozen=True)
class Plan:
    """The order of views."""

    seed: int = doc("everything random follows from it and the step")
    faces: int = doc("training faces")
    batch: int = doc("pictures a step sees", 64)
    reuse: float = doc("how often a view is seen on average, at least 1", 3.0)
    ring: int = doc("past views are taken from this many newest ones", 100_000)
    fill: int = doc("the run begins with new views alone until there are this many", 4096)

    def drawn(self, steps: int) -> int:
        """Views numbered so far, after `steps` steps."""
        seen = steps * self.batch
        if seen <= self.fill:
            return seen
        return min(seen, int(self.fill * (1 - 1 / self.reuse) + seen / self.reuse))

    def views_of(self, step: int) -> Numbers:
        """(batch,) view numbers of a step (from 0): new ones in order, then past ones."""
        first, end = self.drawn(step), self.drawn(step + 1)
        new = np.arange(first, end, dtype=np.int64)
        if len(new) == self.batch:
            return new
        rng = np.random.default_rng([self.seed, _OLD, step])
        return np.concatenate([new, rng.integers(max(0, first - self.ring), first, self.batch - len(new))])

    def face_of(self, view: int) -> tuple[int, int]:
        """(place of the face among the training faces, how often it had its turn before)."""
        pass_number, place = divmod(int(view), self.faces)
        return int(_permutation(self.seed, pass_number, self.faces)[place]), pass_number


@functools.lru_cache(maxsize=16)
def _permutation(seed: int, pass_number: int, faces: int) -> Numbers:
    return np.random.default_rng([seed, _ORDER, pass_number]).permutation(faces)
