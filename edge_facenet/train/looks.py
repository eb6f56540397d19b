"""Looks at a training from outside: verification on the calibrate people, who are never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..verification import Pairs, all_pairs, cosines, evaluate_embeddings
from .course import Crops
from .embedding import embed

MOST_ROWS = 1000
"""Photos looked at: more would take minutes on a large network."""
_FOLDS = 10
RATES = {"val_tar_at_1e-2": 1e-2, "val_tar_at_1e-3": 1e-3}


class Look:
    """Accuracy and TAR of a network on all pairs of some people."""

    def __init__(self, crops: Crops, people: Sequence[str], size: int) -> None:
        rows = [crops.rows_of([name])[: MOST_ROWS // 2] for name in people]  # one person alone has no impostors
        labels = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        chosen = np.concatenate([np.zeros(0, np.int64), *rows])[:MOST_ROWS]
        self.pairs: Pairs = all_pairs(labels[:MOST_ROWS])
        self._newest: Any = None
        self._pixels = crops.cut(chosen, size) if self.possible else None

    @property
    def possible(self) -> bool:
        """Whether there are enough genuine and impostor pairs for ten folds."""
        return min(self.pairs.genuine, len(self.pairs) - self.pairs.genuine) >= _FOLDS

    def figures(self, network: Any) -> dict[str, float]:
        """ "val_accuracy" (balanced, %) and `RATES` (share; absent when the pairs are too few); {} if impossible."""
        if self._pixels is None:
            return {}
        self._newest = embed(network, self._pixels)
        found = evaluate_embeddings(self._newest, self.pairs, folds=_FOLDS, balanced=True)
        shares = {point.far: point.val for point in found.val if point.val is not None}
        return {"val_accuracy": found.accuracy, **{name: shares[far] for name, far in RATES.items() if far in shares}}

    def cosines(self) -> npt.NDArray[np.float64]:
        """(pairs,) of the network that was looked at last; empty before the first look."""
        return np.empty(0) if self._newest is None else cosines(self._newest, self.pairs)
