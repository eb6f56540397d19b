"""Before int8: channels of one tensor are brought to like ranges, and the network answers as before.

int8 has one scale for a whole tensor, so a channel far wider than the others costs all of them their steps. ReLU, pooling and
addition commute with positive factors per channel: what makes a channel is divided by a factor, what reads it multiplied.
In one residual sum of a trained `mobile` the widest channel had six times the median's range. What it buys: export/README.md.

Sources: cross-layer equalization, Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction"
(2019), section 4.1; ranges of activations on faces stand where it has those of the first layer's weights, as in Xiao et al.,
"SmoothQuant" (2022), equation 4 with alpha 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from .graph import LINEAR, by_output, copied, read_by, several

Channels = npt.NDArray[np.floating[Any]]
"""(c,) one number per channel."""

_PASSING = (
    layers.Add,
    layers.AveragePooling2D,
    layers.Dropout,
    layers.GlobalAveragePooling2D,
    layers.MaxPooling2D,
    layers.ZeroPadding2D,
)
_FAMILY = (keras.activations.linear, keras.activations.relu)
_BATCH = 16


@dataclass(eq=False)
class Stream:
    """Tensors whose channels share their factors, and the layers that make and read them."""

    tensors: list[Any] = field(default_factory=list)
    makers: list[Any] = field(default_factory=list)
    readers: list[Any] = field(default_factory=list)
    fixed: bool = False  # the model's input or output, or at a layer that factors cannot pass


def equalized(model: keras.Model, images: npt.NDArray[np.generic]) -> keras.Model:
    """A copy of `model` with the same answers, whose tensors have channels of like range wherever that is possible.

    Args:
        model: functional, (None, s, s, 3) -> (None, d).
        images: (n, s, s, 3) network input values that show the ranges.
    """
    copy = copied(model)
    free = [stream for stream in streams(copy) if not stream.fixed]
    for stream, widest in zip(free, _widest(copy, free, images), strict=True):
        factors = _factors(widest, stream.readers)
        for layer in stream.makers:
            _scale_made(layer, 1 / factors)
        for layer in stream.readers:
            layer.kernel.assign(layer.kernel * factors[:, None])
    return copy


def streams(model: keras.Model) -> list[Stream]:
    """All tensors of a functional model, by what binds their channels' factors together."""
    of: dict[int, Stream] = {}

    def at(tensor: Any) -> Stream:
        return of.setdefault(id(tensor), Stream([tensor]))

    for layer in model.layers:
        reads, makes = several(layer.input), several(layer.output)
        if _passes(layer):
            joined = _joined([at(tensor) for tensor in [*reads, *makes]])
            of.update({id(tensor): joined for tensor in joined.tensors})
            continue
        for tensor in reads:
            at(tensor).readers.append(layer)
            at(tensor).fixed |= not _can_read(layer)
        for tensor in makes:
            at(tensor).makers.append(layer)
            at(tensor).fixed |= not _can_make(layer)
    for tensor in several(model.output):
        at(tensor).fixed = True
    return list({id(stream): stream for stream in of.values()}.values())


def _joined(parts: Sequence[Stream]) -> Stream:
    each = list({id(part): part for part in parts}.values())
    return Stream(
        [tensor for part in each for tensor in part.tensors],
        [layer for part in each for layer in part.makers],
        [layer for part in each for layer in part.readers],
        any(part.fixed for part in each),
    )


def _passes(layer: Any) -> bool:
    """Whether factors go through it unchanged."""
    if isinstance(layer, layers.ReLU):
        return layer.max_value is None and not layer.threshold
    if isinstance(layer, layers.Activation):
        return layer.activation in _FAMILY
    if isinstance(layer, layers.Flatten):  # of a single place: channels stay channels
        return tuple(layer.input.shape[1:-1]) == (1, 1)
    return isinstance(layer, _PASSING)


def _can_read(layer: Any) -> bool:
    return isinstance(layer, LINEAR) and getattr(layer, "groups", 1) == 1


def _can_make(layer: Any) -> bool:
    if isinstance(layer, layers.BatchNormalization):
        return bool(layer.scale and layer.center)
    return _can_read(layer) and layer.activation in _FAMILY and getattr(layer, "depth_multiplier", 1) == 1


def _widest(model: keras.Model, free: Sequence[Stream], images: npt.NDArray[np.generic]) -> list[Channels]:
    """Per stream, the largest magnitude of each channel in any tensor that int8 has: what ReLU reads is cut before it is kept."""
    if not free:
        return []
    cut = read_by(model, layers.ReLU, layers.Activation)
    kept = [[tensor for tensor in stream.tensors if id(tensor) not in cut] for stream in free]
    watched = keras.Model(model.input, [tensor for tensors in kept for tensor in tensors])
    batches = (several(watched(images[at : at + _BATCH], training=False)) for at in range(0, len(images), _BATCH))
    found = zip(
        *([_magnitudes(keras.ops.convert_to_numpy(tensor)) for tensor in batch] for batch in batches), strict=True
    )
    by_tensor = (np.max(magnitudes, axis=0) for magnitudes in found)
    return [np.max([next(by_tensor) for _ in tensors], axis=0) for tensors in kept]


def _magnitudes(tensor: npt.NDArray[np.floating[Any]]) -> Channels:
    return np.asarray(np.abs(tensor).reshape(-1, tensor.shape[-1]).max(axis=0))


def _factors(widest: Channels, readers: Sequence[Any]) -> Channels:
    """sqrt(range / weight) around a median of 1; a channel that is always 0 keeps its scale.

    A reader's weights have a scale per output, so an input channel weighs as much as its largest share of such a range. A
    depthwise reader has a scale per channel: it bears any factor.
    """
    alive = widest > 0
    if not alive.any():
        return np.ones_like(widest)
    shares = [_share(layer) for layer in readers if not isinstance(layer, layers.DepthwiseConv2D)]
    factors = np.sqrt(widest / np.max(shares, axis=0)) if shares else widest
    return np.where(alive, factors / np.median(factors[alive]), 1).astype(np.float32)


def _share(layer: Any) -> Channels:
    """Of each input channel: its largest weight as a share of the largest that the same output has."""
    kernel = np.abs(keras.ops.convert_to_numpy(layer.kernel)).reshape(-1, *layer.kernel.shape[-2:])  # (places, in, out)
    most = kernel.max(axis=0)
    share = most / np.maximum(most.max(axis=0), np.finfo(np.float32).tiny)
    return np.asarray(np.maximum(share.max(axis=1), 1e-6))  # of a channel that nobody reads: far below any step of int8


def _scale_made(layer: Any, factors: Channels) -> None:
    if isinstance(layer, layers.BatchNormalization):
        layer.gamma.assign(layer.gamma * factors)
        layer.beta.assign(layer.beta * factors)
        return
    layer.kernel.assign(layer.kernel * by_output(layer, factors))
    if layer.use_bias:
        layer.bias.assign(layer.bias * factors)
