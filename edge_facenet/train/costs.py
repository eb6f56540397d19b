"""MUL-ADDs of a Keras model, layer by layer, before it is trained.

Rule: `budget.RULE`. A layer or operation that multiplies and is not known here is an error, never a silent zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from ..budget import LayerCost
from ..errors import ConfigError

Shape = tuple[int, ...]


def layer_costs(model: Any) -> list[LayerCost]:
    """Every convolution and dense layer of a functional model, in order; a layer used twice is counted twice.

    Args:
        model: a built functional keras.Model with fixed spatial sizes; nested models are entered.
    Raises:
        ConfigError: a layer with weights that multiply (or a matrix operation) this count does not know, or an output
            whose size is not fixed.
    """
    return list(_walk(model, ""))


def _walk(model: Any, prefix: str) -> Iterator[LayerCost]:
    nodes_by_depth = getattr(model, "_nodes_by_depth", None)
    if nodes_by_depth is None:
        raise ConfigError(f"Cannot count the MUL-ADDs of {model.name}: it is not a functional Keras model.")
    for depth in sorted(nodes_by_depth, reverse=True):
        for node in nodes_by_depth[depth]:
            yield from _node_costs(node, prefix)


def _node_costs(node: Any, prefix: str) -> Iterator[LayerCost]:
    layer = getattr(node.operation, "_functional", None) or node.operation  # of a nested Sequential
    kind = type(layer).__name__
    name = prefix + layer.name
    if hasattr(layer, "_nodes_by_depth"):
        yield from _walk(layer, f"{name}/")
    elif count := _known(layer):
        yield from count(layer, name, _fixed(node.outputs[0].shape, name))
    elif kind in _MATRIX_OPERATIONS or _multiplies(layer):
        raise ConfigError(
            f"Cannot count the MUL-ADDs of layer {name} ({kind}); known: Conv1D, Conv2D, DepthwiseConv2D, SeparableConv2D, Dense."
        )


def _fixed(shape: Any, name: str) -> Shape:
    sizes = tuple(shape[1:])
    if any(size is None for size in sizes):
        raise ConfigError(f"Cannot count the MUL-ADDs of layer {name}: its output {shape} has no fixed size.")
    return (1, *sizes)


def _multiplies(layer: Any) -> bool:
    """Whether a layer holds a matrix (2 axes or more); normalisation and PReLU have vectors or say so by their class."""
    if type(layer).__name__ in _HARMLESS:
        return False
    return any(len(weight.shape) >= 2 for weight in getattr(layer, "weights", ()))


def _convolution(layer: Any, name: str, output: Shape) -> Iterator[LayerCost]:
    places = math.prod(output[1:-1]) if layer.data_format == "channels_last" else math.prod(output[2:])
    kernel = math.prod(layer.kernel.shape)  # its input channels are already divided by the groups
    yield LayerCost(name, "CONV_2D", output, places * kernel, kernel + _bias(layer))


def _depthwise(layer: Any, name: str, output: Shape) -> Iterator[LayerCost]:
    places = math.prod(output[1:-1]) if layer.data_format == "channels_last" else math.prod(output[2:])
    kernel = math.prod(layer.kernel.shape)
    yield LayerCost(name, "DEPTHWISE_CONV_2D", output, places * kernel, kernel + _bias(layer))


def _separable(layer: Any, name: str, output: Shape) -> Iterator[LayerCost]:
    places = math.prod(output[1:-1]) if layer.data_format == "channels_last" else math.prod(output[2:])
    depthwise, pointwise = (math.prod(k.shape) for k in (layer.depthwise_kernel, layer.pointwise_kernel))
    middle = (*output[:-1], int(layer.pointwise_kernel.shape[-2]))
    yield LayerCost(f"{name}/depthwise", "DEPTHWISE_CONV_2D", middle, places * depthwise, depthwise)
    yield LayerCost(f"{name}/pointwise", "CONV_2D", output, places * pointwise, pointwise + _bias(layer))


def _dense(layer: Any, name: str, output: Shape) -> Iterator[LayerCost]:
    kernel = math.prod(layer.kernel.shape)
    yield LayerCost(name, "FULLY_CONNECTED", output, math.prod(output[1:-1]) * kernel, kernel + _bias(layer))


def _bias(layer: Any) -> int:
    return int(math.prod(layer.bias.shape)) if getattr(layer, "bias", None) is not None else 0


Count = Callable[[Any, str, Shape], Iterator[LayerCost]]
_COUNTS: dict[str, Count] = {
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Dense": _dense,
}
_HARMLESS = {"PReLU", "BatchNormalization", "LayerNormalization", "GroupNormalization", "Rescaling"}
_MATRIX_OPERATIONS = {
    "Matmul", "Einsum", "Dot", "Tensordot", "Inner", "Outer", "Vdot", "Vecdot", "Conv", "DepthwiseConv", "SeparableConv",
    "ConvTranspose", "DotProductAttention", "Attention", "AdditiveAttention",
}  # fmt: skip


def _known(layer: Any) -> Count | None:
    """The count of a layer by its class or the nearest known base (a subclass that only changes names)."""
    return next((_COUNTS[base.__name__] for base in type(layer).__mro__ if base.__name__ in _COUNTS), None)
