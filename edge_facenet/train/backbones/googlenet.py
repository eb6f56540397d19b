"""GoogLeNet (Inception v1) with batch normalisation, at any width and input size.

Each module runs four branches side by side; 1x1 convolutions before the 3x3 and 5x5 ones reduce the channels they see.
Batch normalisation stands where the paper has biases and local response normalisation. The two auxiliary heads look at the
maps "4a" and "4d" while training; they belong to the objective and never reach an export.

Source: Szegedy et al., "Going Deeper with Convolutions" (2014), table 1 and section 5; batch normalisation: Ioffe and
Szegedy (2015).
"""

from __future__ import annotations

from typing import Any

from keras import Input, Model, layers

from .mobilenetv2 import MOMENTUM, channels

MODULES = {  # 1x1; 3x3 reduction, 3x3; 5x5 reduction, 5x5; behind the pooling
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOLED_BEFORE = ("3a", "4a", "5a")


def build(*, size: int, width: float = 1.0, dimension: int = 128) -> Model:
    """See `backbones.build`."""
    image = Input((size, size, 3), name="image")
    x = _conv(image, channels(64, width), 7, "stem", stride=2)
    x = _pool(x, "pool_stem")
    x = _conv(x, channels(64, width), 1, "reduce")
    x = _conv(x, channels(192, width), 3, "conv")
    for name, filters in MODULES.items():
        if name in POOLED_BEFORE:
            x = _pool(x, f"pool_{name}")
        x = _module(x, [channels(f, width) for f in filters], name)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(dimension, use_bias=False, name="embedding")(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-3, name="embedding_norm")(x)
    return Model(image, x, name="googlenet")


def _module(x: Any, filters: list[int], name: str) -> Any:
    one, reduce3, three, reduce5, five, behind = filters
    pooled = layers.MaxPooling2D(3, 1, padding="same", name=f"{name}_pool")(x)
    branches = [
        _conv(x, one, 1, f"{name}_1x1"),
        _conv(_conv(x, reduce3, 1, f"{name}_reduce3"), three, 3, f"{name}_3x3"),
        _conv(_conv(x, reduce5, 1, f"{name}_reduce5"), five, 5, f"{name}_5x5"),
        _conv(pooled, behind, 1, f"{name}_behind"),
    ]
    return layers.Concatenate(name=name)(branches)


def _conv(x: Any, filters: int, kernel: int, name: str, stride: int = 1) -> Any:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-3, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _pool(x: Any, name: str) -> Any:
    return layers.MaxPooling2D(3, 2, padding="same", name=name)(x)
