"""A model's weights in the bytes of a Keras `.weights.h5` file, made in memory.

Keras writes that file through HDF5 straight to the disk, and HDF5 brings the process down (a segmentation fault) when
the disk is full. Made in memory, the bytes can be written by code that fails with a sentence.
"""

from __future__ import annotations

import io
import re
from typing import Any


def weights_h5(model: Any) -> bytes:
    """The weights of a functional keras.Model; equal weights give equal bytes.

    Args:
        model: a functional model; nested models are entered. `model.load_weights` reads the result.
    """
    import h5py  # type: ignore[import-untyped]

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _write_layers(file, model, "")
    return buffer.getvalue()


def _write_layers(file: Any, model: Any, prefix: str) -> None:
    """Keras' own layout: a group per layer, named after its class and a count, never after the layer's name."""
    counts: dict[str, int] = {}
    for layer in model.layers:
        kind = _snake_case(type(layer).__name__)
        number = counts[kind] = counts.get(kind, -1) + 1
        path = f"{prefix}layers/{kind}_{number}" if number else f"{prefix}layers/{kind}"
        if hasattr(layer, "layers"):
            _write_layers(file, layer, f"{path}/")
        elif layer.weights:
            group = file.create_group(f"{path}/vars")
            group.attrs["name"] = layer.name
            layer.save_own_variables(group)


def _snake_case(name: str) -> str:
    """'DepthwiseConv2D' -> 'depthwise_conv2d', 'ReLU' -> 're_lu'."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
