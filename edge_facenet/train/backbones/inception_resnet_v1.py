"""Inception-ResNet-v1, as the common FaceNet implementation has it.

Source: Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning" (2016),
figures 10-14; scale factors and layer order as in github.com/davidsandberg/facenet,
src/models/inception_resnet_v1.py: 5 x block35 (scale 0.17), 10 x block17 (0.10), 5 x block8 (0.20) and a last block8
without activation (1.0). At 160 px and 128 numbers: 1,417 M MUL-ADDs, 22.81 M parameters. Its dropout before the
embedding layer is left out: here everything random is a function of (seed, step), and small sets overfit elsewhere.
"""

from __future__ import annotations

from typing import Any

from keras import Input, Model, layers


def build(*, size: int, width: float = 1.0, dimension: int = 128) -> Model:
    """See `backbones.build`; `width` has no meaning here."""
    image = Input((size, size, 3), name="image")
    x = _stem(image)
    for number in range(1, 6):
        x = _block35(x, f"block35_{number}")
    x = _reduction_a(x)
    for number in range(1, 11):
        x = _block17(x, f"block17_{number}")
    x = _reduction_b(x)
    for number in range(1, 6):
        x = _block8(x, f"block8_{number}", scale=0.20)
    x = _block8(x, "block8_6", scale=1.0, activate=False)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(dimension, use_bias=False, name="embedding")(x)
    return Model(image, _norm(x, "embedding_norm"), name="inception_resnet_v1")


def _stem(x: Any) -> Any:
    x = _conv(x, 32, 3, "stem1", stride=2, padding="valid")
    x = _conv(x, 32, 3, "stem2", padding="valid")
    x = _conv(x, 64, 3, "stem3")
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    x = _conv(x, 80, 1, "stem4", padding="valid")
    x = _conv(x, 192, 3, "stem5", padding="valid")
    return _conv(x, 256, 3, "stem6", stride=2, padding="valid")


def _block35(x: Any, name: str) -> Any:
    a = _conv(x, 32, 1, f"{name}_a")
    b = _conv(_conv(x, 32, 1, f"{name}_b1"), 32, 3, f"{name}_b2")
    c = _conv(_conv(_conv(x, 32, 1, f"{name}_c1"), 32, 3, f"{name}_c2"), 32, 3, f"{name}_c3")
    return _residual(x, [a, b, c], name, scale=0.17)


def _block17(x: Any, name: str) -> Any:
    a = _conv(x, 128, 1, f"{name}_a")
    b = _conv(_conv(_conv(x, 128, 1, f"{name}_b1"), 128, (1, 7), f"{name}_b2"), 128, (7, 1), f"{name}_b3")
    return _residual(x, [a, b], name, scale=0.10)


def _block8(x: Any, name: str, scale: float, activate: bool = True) -> Any:
    a = _conv(x, 192, 1, f"{name}_a")
    b = _conv(_conv(_conv(x, 192, 1, f"{name}_b1"), 192, (1, 3), f"{name}_b2"), 192, (3, 1), f"{name}_b3")
    return _residual(x, [a, b], name, scale, activate)


def _reduction_a(x: Any) -> Any:
    a = _conv(x, 384, 3, "reduction_a_a", stride=2, padding="valid")
    b = _conv(_conv(x, 192, 1, "reduction_a_b1"), 192, 3, "reduction_a_b2")
    b = _conv(b, 256, 3, "reduction_a_b3", stride=2, padding="valid")
    pool = layers.MaxPooling2D(3, 2, name="reduction_a_pool")(x)
    return layers.Concatenate(name="reduction_a")([a, b, pool])


def _reduction_b(x: Any) -> Any:
    a = _conv(_conv(x, 256, 1, "reduction_b_a1"), 384, 3, "reduction_b_a2", stride=2, padding="valid")
    b = _conv(_conv(x, 256, 1, "reduction_b_b1"), 256, 3, "reduction_b_b2", stride=2, padding="valid")
    c = _conv(_conv(x, 256, 1, "reduction_b_c1"), 256, 3, "reduction_b_c2")
    c = _conv(c, 256, 3, "reduction_b_c3", stride=2, padding="valid")
    pool = layers.MaxPooling2D(3, 2, name="reduction_b_pool")(x)
    return layers.Concatenate(name="reduction_b")([a, b, c, pool])


def _residual(x: Any, branches: list[Any], name: str, scale: float, activate: bool = True) -> Any:
    mixed = layers.Concatenate(name=f"{name}_mixed")(branches)
    up = layers.Conv2D(x.shape[-1], 1, name=f"{name}_up")(mixed)
    y = layers.Add(name=f"{name}_add")([x, layers.Rescaling(scale, name=f"{name}_scale")(up)])
    return layers.ReLU(name=f"{name}_relu")(y) if activate else y


def _conv(
    x: Any, filters: int, kernel: int | tuple[int, int], name: str, *, stride: int = 1, padding: str = "same"
) -> Any:
    x = layers.Conv2D(filters, kernel, stride, padding=padding, use_bias=False, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(_norm(x, f"{name}_norm"))


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(momentum=0.995, epsilon=1e-3, scale=False, name=name)(x)
