"""Which rows of the crop set a step sees: P identities x K images, a function of (seed, step) alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import InputError

Rows = npt.NDArray[np.int64]


class IdentitySampler:
    """Draws P different identities and K images of each, anew for every step."""

    def __init__(self, rows: Sequence[Rows], people: int, images: int, seed: int) -> None:
        """
        Args:
            rows: for each label, the rows of that person; label = place in this list.
            people, images: P and K.
            seed: of the whole order.
        Raises:
            InputError: fewer identities than P.
        """
        if len(rows) < people:
            raise InputError(
                f"A batch of {people} people needs as many to train on, found {len(rows)}. "
                f"Add people, or give the same command with --set batch.people={max(2, len(rows))}."
            )
        self._rows, self._people, self._images, self._seed = list(rows), people, images, seed

    def draw(self, step: int) -> tuple[Rows, npt.NDArray[np.int32], np.random.Generator]:
        """Rows (P*K,), labels (P*K,) grouped by person, and the generator to go on with for this step's augmentation.

        A person with fewer than K images gives all of them, then some again.
        """
        rng = np.random.default_rng([self._seed, step])
        labels = rng.permutation(len(self._rows))[: self._people]
        rows = np.concatenate([self._some(self._rows[label], rng) for label in labels])
        return rows, np.repeat(labels, self._images).astype(np.int32), rng

    def _some(self, rows: Rows, rng: np.random.Generator) -> Rows:
        rounds = -(-self._images // len(rows))
        return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[: self._images]
