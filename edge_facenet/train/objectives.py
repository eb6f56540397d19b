"""What a training minimises: an objective supplies the batch of a step and the loss terms. The next one is one entry.

The trainer owns the network, the optimiser, averaging and checkpoints; an objective owns its heads, its data and its
loss. It must be a function of (seed, step): `batch(step)` gives the same arrays whenever it is asked, in any process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..schema import nearest
from ..verification import Split
from .config import TrainConfig
from .jitter import jitter
from .sampler import IdentitySampler

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

    def batch(self, step: int) -> Batch:
        """Arrays of step `step` (from 0) with a fixed shape: "image" (n, size, size, 3) uint8 RGB, and targets.

        Called from one background thread, in order of steps.
        """
        ...

    def terms(self, embeddings: Any, batch: dict[str, Any]) -> Terms:
        """Loss terms of one step, in keras.ops: traced once, run every step.

        Args:
            embeddings: (n, dimension) float32 raw embeddings of batch["image"], not of unit length.
            batch: the tensors of `batch(step)`.
        """
        ...

    def look(self, network: Any) -> dict[str, float]:
        """Figures of a network in inference, every `look_every` steps, beside those of `looks.Look`."""
        ...

    def close(self) -> None:
        """Release files."""
        ...


class LabelObjective:
    """Softmax over the training identities, triplets within the batch, or both."""

    look_names: tuple[str, ...] = ()

    def __init__(self, course: Course, softmax: bool, triplet: bool) -> None:
        from .heads import CosineHead

        config = course.config
        self._course, self._softmax, self._triplet = course, softmax, triplet
        rows = [course.crops.rows_of([name]) for name in course.split.train]
        self._sampler = IdentitySampler(rows, config.batch.people, config.batch.images, config.seed)
        self.heads: Sequence[Any] = []
        if softmax:
            self.heads = [CosineHead(config.backbone.dimension, len(rows), config.softmax.scale)]
        self.names = (
            ("softmax",) * softmax + ("triplet",) * triplet + ("accuracy",) * softmax + ("active_triplets",) * triplet
        )

    def batch(self, step: int) -> Batch:
        """Views of P x K crops and their labels."""
        rows, labels, rng = self._sampler.draw(step)
        crops, config = self._course.crops, self._course.config
        size = config.backbone.size
        views = [jitter(crop, rng, config.jitter, size, crops.margin) for crop in crops.crops(rows)]
        return {"image": np.stack(views), "label": labels}

    def terms(self, embeddings: Any, batch: dict[str, Any]) -> Terms:
        """Named "softmax" and "triplet"; figures "accuracy" (of the batch, by the head) and "active_triplets" (share)."""
        from .losses import unit

        rows, losses, figures = unit(embeddings), {}, {}
        if self._softmax:
            losses["softmax"], figures["accuracy"] = self._softmax_term(rows, batch["label"])
        if self._triplet:
            losses["triplet"], figures["active_triplets"] = self._triplet_term(rows, batch["label"])
        return Terms(losses, figures)

    def _softmax_term(self, rows: Any, labels: Any) -> tuple[Any, Any]:
        from keras import ops

        from .losses import smoothed_cross_entropy

        config = self._course.config.softmax
        logits = self.heads[0](rows)
        right = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), ops.cast(labels, "int32"))
        loss = config.weight * smoothed_cross_entropy(logits, labels, config.smoothing)
        return loss, ops.mean(ops.cast(right, "float32"))

    def _triplet_term(self, rows: Any, labels: Any) -> tuple[Any, Any]:
        from .losses import squared_distances, triplet
        from .miners import MINERS, same_and_positive

        config = self._course.config.triplet
        distances = squared_distances(rows)
        negatives = MINERS[config.mining](distances, labels)
        loss, active = triplet(distances, negatives, same_and_positive(labels)[1], config.margin)
        return config.weight * loss, active

    def look(self, network: Any) -> dict[str, float]:
        """Nothing of its own."""
        return {}

    def close(self) -> None:
        """Nothing to release."""


class Sum:
    """Two objectives side by side: each brings its own pictures, and the losses are added."""

    def __init__(self, first: Objective, second: Objective) -> None:
        self.parts = (first, second)
        self.names: tuple[str, ...] = (*first.names, *second.names)
        self.look_names: tuple[str, ...] = (*first.look_names, *second.look_names)
        self.heads: Sequence[Any] = [*first.heads, *second.heads]
        self._first = 0

    def batch(self, step: int) -> Batch:
        """Arrays of both; the first one's pictures stand first."""
        first, second = (part.batch(step) for part in self.parts)
        self._first = len(first["image"])
        return {**first, **second, "image": np.concatenate([first["image"], second["image"]])}

    def terms(self, embeddings: Any, batch: dict[str, Any]) -> Terms:
        """Terms of both, each of its own pictures' embeddings."""
        first, second = self.parts
        a, b = first.terms(embeddings[: self._first], batch), second.terms(embeddings[self._first :], batch)
        return Terms({**a.losses, **b.losses}, {**a.figures, **b.figures})

    def look(self, network: Any) -> dict[str, float]:
        """Figures of both."""
        first, second = self.parts
        return {**first.look(network), **second.look(network)}

    def close(self) -> None:
        """Close both."""
        for part in self.parts:
            part.close()


def _distil(course: Course) -> Objective:
    made: Objective = import_module(".distil", __package__).objective(course)
    return made


LABELLED = ("softmax", "triplet", "softmax+triplet", "distil+softmax", "distil+triplet", "distil+softmax+triplet")
"""Objectives that learn from names, and so need people with several photos."""
OBJECTIVES: dict[str, Callable[[Course], Objective]] = {
    "softmax": lambda course: LabelObjective(course, softmax=True, triplet=False),
    "triplet": lambda course: LabelObjective(course, softmax=False, triplet=True),
    "softmax+triplet": lambda course: LabelObjective(course, softmax=True, triplet=True),
    "distil": _distil,
    "distil+softmax": lambda course: Sum(_distil(course), LabelObjective(course, softmax=True, triplet=False)),
    "distil+triplet": lambda course: Sum(_distil(course), LabelObjective(course, softmax=False, triplet=True)),
    "distil+softmax+triplet": lambda course: Sum(_distil(course), LabelObjective(course, softmax=True, triplet=True)),
}


def build(course: Course) -> Objective:
    """The objective named in the configuration.

    Raises:
        ConfigError: an unknown name.
        InputError: the crops cannot serve it.
    """
    name = course.config.objective
    if name not in OBJECTIVES:
        raise ConfigError(f'Unknown objective "{name}" ({nearest(name, OBJECTIVES)})')
    return OBJECTIVES[name](course)
