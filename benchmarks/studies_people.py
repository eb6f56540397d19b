"""Who a study trains on and who judges it: views of crop sets in which everybody else has no name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_facenet import files
from edge_facenet.photos.cropset import CropSet
from edge_facenet.train.holdout import Quota, hold_out

QUOTAS = (Quota("celeba_matush", 60, 8), Quota("celeba_small", 45, 4))
"""Those of the preset `mobile-distil`, and so with its seed the same 105 people, whom `mobile` never trained on either."""
QUOTA_SEED = 7
LEAST_PHOTOS = 2


@dataclass(frozen=True)
class Cast:
    """The people of one training."""

    train: tuple[str, ...]
    test: tuple[str, ...]  # only the verdict sees them


class View:
    """A crop set in which only some people are named: what the trainer is given (`train.course.Crops`).

    Rows keep their numbers; everybody else is unlabelled, so no label loss, miner or split can reach them.
    """

    def __init__(self, crops: CropSet, people: Sequence[str]) -> None:
        self._crops, chosen = crops, set(people)
        self.margin, self.template = crops.margin, crops.template
        self.identities = tuple(name for name in crops.identities if name in chosen)
        self._places = {name: place for place, name in enumerate(self.identities)}
        by_label = np.array([*(self._places.get(name, -1) for name in crops.identities), -1], np.int32)
        self.labels: npt.NDArray[np.int32] = by_label[crops.labels]
        self.sha256 = files.sha256("\n".join([crops.sha256, *self.identities]).encode())

    def crops(self, rows: Any) -> npt.NDArray[np.uint8]:
        """(m, s, s, 3) uint8 RGB with margin."""
        return self._crops.crops(rows)

    def rows_of(self, identities: Any) -> npt.NDArray[np.int64]:
        """Rows of these people; KeyError for one who is not in the view."""
        return np.flatnonzero(np.isin(self.labels, [self._places[name] for name in identities])).astype(np.int64)

    def cut(self, rows: Any, size: int) -> npt.NDArray[np.uint8]:
        """(m, size, size, 3) uint8 RGB, the template without margin."""
        return self._crops.cut(rows, size)


def photos(crops: CropSet) -> dict[str, int]:
    """Number of photos by name."""
    counts = np.bincount(crops.labels[crops.labels >= 0], minlength=len(crops.identities))
    return {name: int(count) for name, count in zip(crops.identities, counts, strict=True)}


def held_out(crops: CropSet) -> Cast:
    """105 people judge; all others with two photos train, each under one name (37 stand in both sources)."""
    counts = photos(crops)
    split = hold_out(counts, QUOTAS, QUOTA_SEED)
    once = {name.partition("/")[2]: name for name in reversed(split.train) if counts[name] >= LEAST_PHOTOS}
    kept = set(once.values())
    return Cast(tuple(name for name in split.train if name in kept), split.calibrate)


def some(people: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """`count` of them, drawn by the seed; a smaller draw of the same seed is part of a larger one."""
    order = np.random.default_rng([seed, len(people)]).permutation(len(people))[:count]
    return tuple(people[place] for place in sorted(order.tolist()))
