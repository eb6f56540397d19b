"""Lessons: for each step, pictures and what the teacher says of them.

Puts plan, views, bank and ring together. Everything follows from (seed, step): the bank and the ring only save time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from . import views
from .bank import Bank
from .plan import Plan
from .ring import Ring
from .teacher import Teacher

Pictures = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.float32]
BLOCK = 8
"""Views per call of the teacher: a fixed grouping by number, so that a resumed run asks in the same groups."""
_MIX = 2
"""Purpose of the generator that decides on a mix."""


class Crops(Protocol):
    """What lessons need of a crop set."""

    @property
    def margin(self) -> int:
        """px around the template on each side, at the crops' own scale."""
        ...

    def crops(self, rows: npt.NDArray[np.int64]) -> Pictures:
        """(m, s, s, 3) uint8 RGB."""
        ...


@dataclass(frozen=True)
class ViewMaker:
    """View number -> picture."""

    crops: Crops
    rows: npt.NDArray[np.int64]
    """Rows that are trained on."""
    plan: Plan
    mix: float = 0.0
    """Share of views that are mixes of two faces."""

    def __call__(self, number: int) -> Pictures:
        """(112, 112, 3) uint8 RGB."""
        place, pass_number = self.plan.face_of(number)
        seed = views.Seed(self.plan.seed, int(self.rows[place]), pass_number)
        picture = self._one(seed)
        if self.mix == 0:
            return picture
        rng = seed.generator(_MIX)
        if rng.random() >= self.mix:
            return picture
        partner = int(self.rows[rng.integers(len(self.rows))])
        other = views.Seed(self.plan.seed, partner, pass_number + 1_000_000)
        return views.mixed(picture, self._one(other), seed)

    def _one(self, seed: views.Seed) -> Pictures:
        crop = self.crops.crops(np.array([seed.face]))[0]
        return views.view(crop, self.crops.margin, seed)


class Lessons:
    """Batches of (pictures, teacher's rows) by step."""

    def __init__(self, plan: Plan, size: int, make: ViewMaker, teacher: Teacher, bank: Bank) -> None:
        self.plan, self._size, self._make, self._teacher, self._bank = plan, size, make, teacher, bank
        self._ring: Ring | None = None

    def keep(self, ring: Callable[[Callable[[int], Pictures]], Ring]) -> None:
        """Keep small views in the ring that `ring` opens (it is given the maker of a small view)."""
        self._ring = ring(lambda number: views.shrunk(self._make(number), self._size))

    def batch(self, step: int) -> tuple[Pictures, Rows]:
        """(batch, size, size, 3) uint8 RGB and (batch, dimension) float32 unit rows of one step."""
        numbers = self.plan.views_of(step)
        self._answer(self.plan.drawn(step + 1))
        pictures = np.stack([self._small(int(number)) for number in numbers])
        return pictures, self._bank.rows(numbers)

    def close(self) -> None:
        """Let go of the bank."""
        self._bank.close()

    def _answer(self, until: int) -> None:
        """Ask the teacher for all views below `until` that the bank does not hold."""
        while len(self._bank) < until:
            first = len(self._bank) // BLOCK * BLOCK
            made = [self._make(number) for number in range(first, first + BLOCK)]
            if self._ring is not None:
                for number, picture in enumerate(made, first):
                    self._ring.put(number, views.shrunk(picture, self._size))
            self._bank.append(self._teacher.embed(np.stack(made))[len(self._bank) - first :])

    def _small(self, number: int) -> Pictures:
        if self._ring is not None:
            return self._ring.get(number)
        return views.shrunk(self._make(number), self._size)
