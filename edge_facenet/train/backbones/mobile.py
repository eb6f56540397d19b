"""`mobile`: a plain residual network for CPUs, wholly delegated when quantized.

Plain 3x3 convolutions train 2.6 to 3.9 times cheaper per MUL-ADD on a CPU than depthwise ones, and quantize well. The
head weighs every place of the last map once per channel (global depthwise convolution), then one dense layer embeds.
Source of the head: Chen et al., "MobileFaceNets" (2018), section 3.2 (GDConv).
"""

from __future__ import annotations

import keras
from keras import layers

STAGES = ((16, 1), (48, 1), (128, 2), (208, 1))
"""Channels and residual blocks; each stage halves the map."""


def build(*, size: int, width: float = 1.0, dimension: int = 128) -> keras.Model:
    """The network at any input size: 80 px costs 117 M MUL-ADDs, 112 px 230 M; 1.76 M parameters.

    Args:
        size: height and width of the input, px, at least 32 (below, the last map is a single place).
        width: factor on the channels of every stage.
        dimension: length of the embedding.
    Returns:
        "image" (None, size, size, 3) float32, pixels (x - 128) / 128 -> raw embedding (None, dimension) float32.
    """
    image = x = layers.Input((size, size, 3), name="image")
    for number, (channels, blocks) in enumerate(STAGES):
        filters = max(8, round(channels * width))
        x = _convolve(x, filters, 2, f"stage{number}_down")
        for block in range(blocks):
            x = _residual(x, filters, f"stage{number}_block{block}")
    x = layers.DepthwiseConv2D(x.shape[1], use_bias=False, name="head_places")(x)
    x = layers.Flatten(name="head_flat")(_normalise(x, "head_norm"))
    x = layers.Dense(dimension, use_bias=False, name="embedding_dense")(x)
    return keras.Model(image, _normalise(x, "embedding"), name="mobile")


def _normalise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=1e-3, momentum=0.97, name=name)(x)


def _convolve(x: keras.KerasTensor, filters: int, stride: int, name: str, relu: bool = True) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters, 3, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = _normalise(x, f"{name}_norm")
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _residual(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    y = _convolve(x, filters, 1, f"{name}_a")
    y = _convolve(y, filters, 1, f"{name}_b", relu=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))
