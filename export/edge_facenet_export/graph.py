"""The network that is converted: backbone, then unit norm; one face, fixed sizes.

The norm's operators are chosen and measured, not written as they come: `t * rsqrt(sum(t * t) + e)` stays MUL, SUM, ADD,
RSQRT, MUL, all of them on XNNPACK and on the GPU delegate, while `l2_normalize`, `x / sqrt(…)` and `square` fuse into
L2_NORMALIZATION, which is on neither. Half precision (the GPU's default) holds numbers up to 65,504 and a sum of squares
of an embedding may not: `t` is the embedding scaled to about unit length by a power of two, which the converter folds into
the layer before, without any rounding.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from edge_facenet.errors import InputError, SetupError
from edge_facenet.pixels import Pixels, PixelSpec

from .names import TAIL

LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
"""Layers with a kernel: what int8 multiplies."""

# 2^-23: the smallest that still shows beside 1 in float32, and a (subnormal) number of float16; |y| is low by 6e-8.
_EPSILON = 2.0**-23
_BATCH = 32


class UnitNorm(keras.layers.Layer):  # type: ignore[misc]
    """(1, d) -> (1, d) of unit length; `scale` brings the usual embedding near unit length first."""

    def __init__(self, scale: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.scale = scale

    def get_config(self) -> dict[str, Any]:
        """What makes an equal layer."""
        return {**super().get_config(), "scale": self.scale}

    def call(self, embedding: Any) -> Any:
        """Plain operators, in float32; zero stays zero."""
        t = embedding * self.scale
        return t * ops.rsqrt(ops.sum(t * t, axis=-1, keepdims=True) + _EPSILON)


def with_unit_norm(model: keras.Model, raw: npt.NDArray[np.floating[Any]]) -> keras.Model:
    """`model` (raw embedding out) with the norm behind it.

    Args:
        raw: (n, d) embeddings of usual faces, not normalised; their median length sets the scale.
    Raises:
        InputError: the embeddings are zero or not finite: there is nothing to export.
        SetupError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise SetupError(
            f"Export converts with TensorFlow, Keras runs on {keras.backend.backend()}. Type: export KERAS_BACKEND=tensorflow; "
            "checkpoints trained on another backend load there."
        )
    length = float(np.median(np.linalg.norm(raw.astype(np.float64), axis=1)))
    if not math.isfinite(length) or length == 0.0:
        raise InputError(
            f"The network's embeddings have length {length:g}: training diverged or collapsed. Train again."
        )
    tail = UnitNorm(2.0 ** -round(math.log2(length)), name=TAIL)
    return keras.Model(model.input, tail(model.output), name="network")


def several(one_or_more: Any) -> list[Any]:
    """Keras gives one tensor as it is, more of them as a list."""
    return list(one_or_more) if isinstance(one_or_more, list | tuple) else [one_or_more]


def answers(model: keras.Model, faces: Pixels) -> npt.NDArray[np.float32]:
    """(n, d) what a network of pixels says of (n, s, s, 3) uint8 RGB crops."""
    images = PixelSpec(faces.shape[1]).tensor(faces)
    parts = [model(images[at : at + _BATCH], training=False) for at in range(0, len(images), _BATCH)]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts]).astype(np.float32)


def read_by(model: keras.Model, *kinds: Any) -> set[int]:
    """id() of each tensor that a layer of these kinds reads."""
    return {id(tensor) for layer in model.layers if isinstance(layer, kinds) for tensor in several(layer.input)}


def by_output(layer: Any, factors: Any) -> Any:
    """(c,) factors of a linear layer's output channels, shaped to multiply its kernel."""
    return ops.reshape(factors, layer.kernel.shape[2:]) if isinstance(layer, keras.layers.DepthwiseConv2D) else factors


def copied(model: keras.Model) -> keras.Model:
    """The same network with weights of its own."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
