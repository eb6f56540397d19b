"""What sits on the embedding during training only."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from .losses import unit
from .sections import AuxiliaryConfig


class CosineHead(layers.Layer):  # type: ignore[misc]  # keras has no types
    """One direction per identity; logits are scaled cosines.

    Input: (n, d) unit rows. Output: (n, classes) float32, `scale * cos`. The column of an identity is its place in the
    split's `train` list, by name: never the order of a folder.
    """

    def __init__(self, dimension: int, classes: int, scale: float) -> None:
        super().__init__(name="cosine_head", dtype="float32")
        self.scale = scale
        self.directions = self.add_weight(
            shape=(dimension, classes), initializer="glorot_uniform", name="directions", dtype="float32"
        )
        self.built = True

    def call(self, embeddings: Any) -> Any:
        """(n, d) unit rows -> (n, classes)."""
        return self.scale * self.cosines(embeddings)

    def cosines(self, embeddings: Any) -> Any:
        """(n, d) unit rows -> (n, classes), cosine to each identity's direction."""
        return ops.matmul(embeddings, ops.transpose(unit(ops.transpose(self.directions))))


class Centres(layers.Layer):  # type: ignore[misc]
    """One running centre per identity, for centre loss; moved by rule, saved and resumed with the run.

    Source: Wen et al. (2016), equation 4: a centre moves by `rate` x sum of (centre - embedding) / (1 + number of photos)
    over its identity's photos in the batch.
    """

    def __init__(self, dimension: int, classes: int, rate: float) -> None:
        super().__init__(name="centres", dtype="float32")
        self.rate, self.classes = rate, classes
        self.positions = self.add_weight(
            shape=(classes, dimension), initializer="zeros", name="positions", dtype="float32", trainable=False
        )
        self.built = True

    def of(self, labels: Any) -> Any:
        """(n,) -> (n, d): each row's centre."""
        return ops.take(self.positions, labels, axis=0)

    def move(self, embeddings: Any, labels: Any) -> Any:
        """Bring the batch's centres nearer to their photos; returns the mean distance of the photos to their centres
        before."""
        rows = ops.stop_gradient(embeddings)
        away = self.of(labels) - rows
        sums = ops.segment_sum(away, labels, num_segments=self.classes)
        counts = ops.segment_sum(ops.ones_like(away[:, :1]), labels, num_segments=self.classes)
        drift = ops.mean(ops.sqrt(ops.sum(ops.square(away), axis=-1)))
        self.positions.assign(self.positions - self.rate * sums / (1.0 + counts))
        return drift


class AuxiliaryHead(layers.Layer):  # type: ignore[misc]
    """An embedding of an inner map, while training only: mean over 5x5 windows, 1x1 convolution, dense, embedding.

    Input: (n, h, w, channels). Output: (n, dimension) float32, raw. Every loss is computed on it at the auxiliary weight:
    a classifier follows under softmax, the embedding itself under metric losses.
    Source: Szegedy et al., "Going Deeper with Convolutions" (2014), section 5. Their dropout of 70 % is left out: its random
    state would belong into every checkpoint; batch normalisation stands in its place.
    """

    def __init__(self, shape: tuple[int, ...], settings: AuxiliaryConfig, dimension: int, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        width = {"use_bias": False, "dtype": "float32"}
        self.parts = [
            layers.AveragePooling2D(5, 3, padding="same", dtype="float32"),
            layers.Conv2D(settings.channels, 1, name="reduce", **width),
            layers.BatchNormalization(name="reduce_norm", dtype="float32"),
            layers.ReLU(dtype="float32"),
            layers.Flatten(dtype="float32"),
            layers.Dense(settings.hidden, name="hidden", **width),
            layers.BatchNormalization(name="hidden_norm", dtype="float32"),
            layers.ReLU(dtype="float32"),
            layers.Dense(dimension, name="embedding", **width),
            layers.BatchNormalization(name="embedding_norm", dtype="float32"),
        ]
        place: tuple[int | None, ...] = (None, *shape)
        for part in self.parts:
            part.build(place)
            place = part.compute_output_shape(place)
        self.built = True

    def call(self, inner: Any) -> Any:
        """(n, h, w, channels) -> (n, dimension), normalised by the batch."""
        x = ops.cast(inner, "float32")
        for part in self.parts:
            x = part(x, training=True) if isinstance(part, layers.BatchNormalization) else part(x)
        return x
