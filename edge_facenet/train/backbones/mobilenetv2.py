"""MobileNetV2 at any width and input size.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2 (t, c, n, s).
The embedding layer behind the mean is a dense layer without bias and a batch normalisation.
"""

from __future__ import annotations

from typing import Any

from keras import Input, Model, layers

BLOCKS = (  # expansion t, channels c, repeats n, stride s of the first repeat
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
LAST = 1280
MOMENTUM = 0.9  # of batch normalisation: short fine-tunings on few people must not keep stale statistics


def build(*, size: int, width: float = 1.0, dimension: int = 128) -> Model:
    """See `backbones.build`."""
    image = Input((size, size, 3), name="image")
    x = _conv(image, channels(32, width), kernel=3, stride=2, name="stem")
    for number, (expansion, filters, repeats, stride) in enumerate(BLOCKS, start=1):
        for repeat in range(repeats):
            name = f"block{number}{chr(ord('a') + repeat)}"
            x = _bottleneck(x, expansion, channels(filters, width), stride if repeat == 0 else 1, name)
    x = _conv(x, last_channels(width), kernel=1, stride=1, name="last")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(dimension, use_bias=False, name="embedding")(x)
    return Model(image, _norm(x, "embedding_norm"), name="mobilenetv2")


def channels(base: int, width: float) -> int:
    """`base * width` to the nearest multiple of 8, never more than 10 % below it (the authors' rule)."""
    wanted = base * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def last_channels(width: float) -> int:
    """Channels of the last convolution.

    The paper keeps 1280 below width 1. For 128 numbers out of a small input that would be most of the parameters, so
    here it shrinks with the width down to 0.5 (640 channels), and grows with it as the paper says.
    """
    return channels(LAST, max(width, 0.5))


def _conv(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(_norm(x, f"{name}_norm"))


def _bottleneck(x: Any, expansion: int, filters: int, stride: int, name: str) -> Any:
    inside = x if expansion == 1 else _conv(x, x.shape[-1] * expansion, 1, 1, f"{name}_expand")
    inside = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(inside)
    inside = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(_norm(inside, f"{name}_depthwise_norm"))
    inside = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(inside)
    inside = _norm(inside, f"{name}_project_norm")
    if stride == 1 and x.shape[-1] == filters:
        return layers.Add(name=f"{name}_add")([x, inside])
    return inside


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-3, name=name)(x)
