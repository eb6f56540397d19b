"""What sits on the embedding during training only."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from .losses import unit


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
        return self.scale * ops.matmul(embeddings, ops.transpose(unit(ops.transpose(self.directions))))
