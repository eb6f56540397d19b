"""What an objective is, and what it is made from: the interface between the trainer and its aims.

The trainer owns the network, the optimiser, averaging and checkpoints; an objective owns its heads, its data and its
loss. It must be a function of (seed, step): `batch(step)` gives the same arrays whenever it is asked, in any process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..schema import nearest
from ..verification import Split
from .config import TrainConfig
from .workers import ALONE, Team

LABEL_TERMS = ("softmax", "center", "triplet")
"""Terms that learn from names, and so need people with several photos."""
TERMS = (*LABEL_TERMS, "distil")
Batch = dict[str, npt.NDArray[Any]]


class Crops(Protocol):
    """What training needs of a crop set (`photos.cropset.CropSet`)."""

    @property
    def margin(self) -> int:
        """px around the template on each side, at the crops' own scale."""
        ...

    @property
    def template(self) -> str:
        """Name of the alignment template."""
        ...

    @property
    def sha256(self) -> str:
        """Of the whole set."""
        ...

    @property
    def identities(self) -> tuple[str, ...]:
        """People, in natural order."""
        ...

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """(n,) index into `identities`, -1 = without a name."""
        ...

    def crops(self, rows: Any) -> npt.NDArray[np.uint8]:
        """(m, s, s, 3) uint8 RGB with margin."""
        ...

    def rows_of(self, identities: Any) -> npt.NDArray[np.int64]:
        """Rows of these people."""
        ...

    def cut(self, rows: Any, size: int) -> npt.NDArray[np.uint8]:
        """(m, size, size, 3) uint8 RGB, the template without margin."""
        ...


@dataclass(frozen=True)
class Course:
    """All that an objective is made from."""

    config: TrainConfig
    crops: Crops
    split: Split  # only `train` may be touched, and rows without identity
    run: Path  # the run's folder; an objective may keep caches in it that a resumed run can rebuild
    maps: tuple[tuple[int, ...], ...] = ()  # (h, w, channels) of each map that auxiliary heads may look at
    team: Team = ALONE  # the processes that train together


@dataclass(frozen=True)
class Terms:
    """What one step gave: the loss is the sum of `losses`, already weighted; `figures` are logged only."""

    losses: dict[str, Any]
    figures: dict[str, Any]


class Objective(Protocol):
    """A training's aim."""

    names: tuple[str, ...]
    """Names of all losses, then figures, that `terms` returns: the columns of log.csv."""
    look_names: tuple[str, ...]
    """Names of all figures that `look` returns."""
    heads: Sequence[Any]
    """Built Keras layers with trainable weights beyond the embedding; saved and resumed with the run."""

    in_any_order: bool
    """Whether `batch` depends on nothing but the step and what `ready` has brought."""

    def batch(self, step: int) -> Batch:
        """Arrays of step `step` (from 0) with a fixed shape: "image" (n, size, size, 3) uint8 RGB, and targets.

        Called in the background: in order of steps by one thread, or, if `in_any_order`, by several at once.
        """
        ...

    def terms(self, embeddings: Any, batch: dict[str, Any], maps: Sequence[Any] = ()) -> Terms:
        """Loss terms of one step, in keras.ops: traced once, run every step.

        Args:
            embeddings: (n, dimension) float32 raw embeddings of batch["image"], not of unit length.
            batch: the tensors of `batch(step)`.
            maps: (n, h, w, channels) float32, what the backbone shows to auxiliary heads (`Backbone.taps`).
        """
        ...

    def ready(self, step: int, network: Callable[[], Any]) -> None:
        """Told before step `step`: the time to mine. `network` gives a network with the weights the step starts from."""
        ...

    def look(self, network: Any) -> dict[str, float]:
        """Figures of a network in inference, every `look_every` steps, beside those of `looks.Look`."""
        ...

    def stop(self) -> None:
        """No step follows: a `batch` that waits for `ready` must give up."""
        ...

    def close(self) -> None:
        """Release files."""
        ...


def words(name: str) -> tuple[str, ...]:
    """The terms of an objective's name, "softmax+center" for one.

    Raises:
        ConfigError: an unknown term, or one twice.
    """
    terms = tuple(word.strip() for word in name.split("+"))
    for term in terms:
        if term not in TERMS:
            raise ConfigError(
                f'objective: unknown term "{term}" ({nearest(term, TERMS)}). Put terms together with "+".'
            )
    if len(set(terms)) < len(terms):
        raise ConfigError(f'objective "{name}" names a term twice.')
    return terms


def labelled(name: str) -> bool:
    """Whether an objective learns from names."""
    return any(term in LABEL_TERMS for term in words(name))
