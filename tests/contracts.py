"""What every member of a registry must hold to; a new member is tested by being registered."""

from __future__ import annotations

from typing import Any

import numpy as np

# Not among the layers of a backbone: not delegated when quantized, or random, or the norm that export adds itself.
UNWANTED = {
    "PReLU", "Activation", "Dropout", "SpatialDropout2D", "UnitNormalization", "AveragePooling2D",
    "LayerNormalization", "GroupNormalization",
}  # fmt: skip


def check_backbone(model: Any, size: int, dimension: int = 128) -> None:
    """Input and output as promised, layers that stay whole on every delegate, all of them known to the MUL-ADD count.

    Args:
        model: as `backbones.build` gives it, with random weights.
        size: px it was built for.
    """
    from edge_facenet.train.costs import layer_costs

    assert [tensor.name for tensor in model.inputs] == ["image"], "the input is called image"
    assert tuple(model.input_shape) == (None, size, size, 3), "input shape"
    assert tuple(model.output_shape) == (None, dimension), "output shape"
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}, "weights are float32"
    kinds = {type(layer).__name__ for layer in model._flatten_layers()}
    assert not kinds & UNWANTED, f"layers a backbone must not have: {kinds & UNWANTED}"
    assert kinds & {"GlobalAveragePooling2D", "DepthwiseConv2D"}, "global pooling: a mean, or depthwise over the map"
    assert sum(layer.muladds for layer in layer_costs(model)) > 0, "MUL-ADDs"
    faces = np.random.default_rng(0).uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
    first, second = np.asarray(model(faces, training=False), np.float64) * 1e9  # random weights: numbers of 1e-13
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert np.isfinite(cosine) and cosine < 0.99999, "different faces have one embedding"
