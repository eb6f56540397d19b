"""The registry of networks. The next backbone is one file and one line here.

A backbone takes "image" (None, size, size, 3) float32 with pixels (x - 128) / 128 and gives the raw embedding
(None, dimension), not of unit length. What it must hold to, so that every recipe stays whole on every delegate:
activations of the ReLU family, batch normalisation, and a global pooling that is a mean over the spatial axes (or a
depthwise convolution as large as the map). Its last layer is linear, with a bias or a normalisation directly behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ...errors import ConfigError
from ...schema import nearest

__all__ = ["BACKBONES", "Backbone", "build"]


@dataclass(frozen=True)
class Backbone:
    """One entry of the registry."""

    module: str  # holds build(*, size, width, dimension) -> keras.Model
    size: int  # usual input size, px
    least_size: int  # below this a stage would have no pixels left, px
    scalable: bool  # whether `width` means anything
    summary: str
    taps: tuple[str, ...] = ()  # layers whose maps auxiliary heads look at while training


BACKBONES: dict[str, Backbone] = {
    "mobilenetv1": Backbone("mobilenetv1", 160, 32, True, "Howard et al. 2017; depthwise-separable convolutions"),
    "mobilenetv2": Backbone("mobilenetv2", 160, 32, True, "Sandler et al. 2018; cheap per MUL-ADD on a phone"),
    "inception-resnet-v1": Backbone("inception_resnet_v1", 160, 75, False, "Szegedy et al. 2016; FaceNet's usual net"),
    "googlenet": Backbone(
        "googlenet", 208, 32, True, "Szegedy et al. 2014; Inception modules, two auxiliary heads", ("4a", "4d")
    ),
    "mobile": Backbone("mobile", 80, 32, True, "ours: plain 3x3 residual blocks, made for static int8"),
}


def build(name: str, *, size: int, width: float = 1.0, dimension: int = 128) -> Any:
    """A new network with random weights, under Keras' current precision policy.

    Args:
        name: a key of `BACKBONES`.
        size: height and width of the input, px.
        width: multiplier of the channel counts; 1.0 where the backbone has none.
        dimension: length of the embedding.
    Returns:
        keras.Model from "image" (None, size, size, 3) float32 to (None, dimension) raw embeddings.
    Raises:
        ConfigError: an unknown name, a size or width the network cannot have.
    """
    entry = find(name)
    if size < entry.least_size:
        raise ConfigError(f"Backbone {name} needs an input of at least {entry.least_size} px, found {size}.")
    if not 0.05 <= width <= 4 or dimension < 2:
        raise ConfigError(
            f"Backbone {name}: width must be 0.05..4 and dimension at least 2, found {width:g} and {dimension}."
        )
    if width != 1.0 and not entry.scalable:
        raise ConfigError(f"Backbone {name} has no width multiplier; found width {width:g}, leave it at 1.")
    make: Callable[..., Any] = import_module(f".{entry.module}", __name__).build
    return make(size=size, width=width, dimension=dimension)


def find(name: str) -> Backbone:
    """The registry's entry.

    Raises:
        ConfigError: an unknown name; the nearest known one is named.
    """
    if name not in BACKBONES:
        raise ConfigError(f'Unknown backbone "{name}" ({nearest(name, BACKBONES)})')
    return BACKBONES[name]
