"""The network in training: one Keras model whose `compute_loss` is the objective, alike under TensorFlow and JAX.

Averaged weights are kept here too, by assignment inside `compute_loss`, because that is the one place both backends
run once a step within the compiled step. The weights averaged at step s are those *before* its update (they lag one
step); the statistics of batch normalisation are averaged with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from . import losses
from .backend import jit_compile
from .config import TrainConfig
from .course import Objective
from .optimisation import build as build_optimizer

ALWAYS = ("loss", "mean_cosine")
"""Logged for every objective: the sum of the losses, and how alike the batch's embeddings are."""


class Learner(keras.Model):  # type: ignore[misc]  # keras has no types
    """Takes `Objective.batch`, gives raw embeddings.

    Args:
        network: the network in its form for training.
        taps: layers of it whose maps the objective's auxiliary heads look at.
        average: an ordinary copy of it that holds the averaged weights, or None.
    """

    def __init__(
        self, network: Any, average: Any, objective: Objective, config: TrainConfig, taps: Sequence[str] = ()
    ) -> None:
        super().__init__(name="learner")
        shown = [network.get_layer(name).output for name in taps]
        self.shown = keras.Model(network.input, [network.output, *shown]) if shown else network
        self.network, self.heads, self.average = network, list(objective.heads), average
        if average is not None:
            average.trainable = False
        self.most_kept, self.l2 = config.average, config.l2
        self.objective = objective
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        names = (*objective.names, *(("l2",) if config.l2 else ()), *ALWAYS[1:])
        self.meters = [keras.metrics.Mean(name=name) for name in names]
        self.built = True
        self.compile(build_optimizer(config.optimizer), jit_compile=jit_compile())
        self.optimizer.build(self.trainable_variables)

    def call(self, batch: dict[str, Any], training: bool = False) -> Any:
        """batch["image"] (n, size, size, 3) uint8 -> (n, dimension) float32, and the maps at the taps if there are any."""
        pixels = (ops.cast(batch["image"], "float32") - 128.0) / 128.0
        given = self.shown(pixels, training=training)
        return [ops.cast(x, "float32") for x in given] if isinstance(given, list) else ops.cast(given, "float32")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Sum of the objective's losses and the L2 term; meters and averages are brought up to date on the way."""
        embeddings, *maps = y_pred if isinstance(y_pred, (list, tuple)) else [y_pred]
        terms = self.objective.terms(embeddings, x, maps)
        parts = dict(terms.losses)
        if self.l2:
            parts["l2"] = self.l2 * losses.l2(self.kernels)
        values = {**parts, **terms.figures, "mean_cosine": losses.mean_cosine(losses.unit(embeddings))}
        for meter in self.meters:
            meter.update_state(values[meter.name])
        if training:
            self._keep_average()
            self.step.assign(self.step + 1)
        return sum(parts.values(), ops.zeros(()))

    @property
    def kernels(self) -> list[Any]:
        """Weights that L2 holds small: all but vectors (biases, normalisation)."""
        return [v for v in self.trainable_variables if len(v.shape) >= 2]

    def _keep_average(self) -> None:
        if self.average is None:
            return
        step = ops.cast(self.step, "float32")
        kept = ops.minimum(self.most_kept, (1.0 + step) / (8.0 + step))  # short memory at first: early weights are poor
        for mean, weight in zip(self.average.weights, self.network.weights, strict=True):
            mean.assign(kept * mean + (1.0 - kept) * ops.cast(weight, mean.dtype))

    def state(self) -> list[Any]:
        """Variables beyond the network's weights that a resumed run needs, in a fixed order."""
        heads = [v for head in self.heads for v in head.weights]
        return [self.step, *self.optimizer.variables, *heads]
