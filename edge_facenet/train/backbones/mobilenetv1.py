"""MobileNetV1 at any width and input size.

Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications" (2017),
table 1. The embedding layer behind the mean is a dense layer without bias and a batch normalisation.
"""

from __future__ import annotations

from typing import Any

from keras import Input, Model, layers

from .mobilenetv2 import MOMENTUM, channels

STEM = 32
BLOCKS = (  # channels and stride of each depthwise-separable block
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)


def build(*, size: int, width: float = 1.0, dimension: int = 128) -> Model:
    """See `backbones.build`."""
    image = Input((size, size, 3), name="image")
    x = layers.Conv2D(channels(STEM, width), 3, 2, padding="same", use_bias=False, name="stem")(image)
    x = _norm_relu(x, "stem")
    for number, (filters, stride) in enumerate(BLOCKS, start=1):
        x = _separable(x, channels(filters, width), stride, f"block{number}")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(dimension, use_bias=False, name="embedding")(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-3, name="embedding_norm")(x)
    return Model(image, x, name="mobilenetv1")


def _separable(x: Any, filters: int, stride: int, name: str) -> Any:
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = _norm_relu(x, f"{name}_depthwise")
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
    return _norm_relu(x, f"{name}_pointwise")


def _norm_relu(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-3, name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
