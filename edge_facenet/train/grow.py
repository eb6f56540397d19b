"""The same network at another input size: only a global depthwise kernel, as large as the last map, changes its shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

Weights = list[npt.NDArray[Any]]


def fitted(weights: Weights, shapes: Sequence[tuple[int, ...]], what: str) -> Weights:
    """Weights for a network of the same layers whose last map has another size.

    A depthwise kernel (h, w, channels, 1) is resized bilinearly, its sum kept: a flat map gives the same output.

    Args:
        what: where the weights come from, the start of the message.
    Raises:
        ConfigError: any other difference of shapes.
    """
    found = [tuple(w.shape) for w in weights]
    if len(found) != len(shapes) or any(not _alike(a, tuple(b)) for a, b in zip(found, shapes, strict=True)):
        raise ConfigError(f"{what}: its network has other shapes; take the same backbone, width and dimension.")
    return [_resized(w, tuple(s)) for w, s in zip(weights, shapes, strict=True)]


def _alike(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    if found == wanted:
        return True
    return len(found) == len(wanted) == 4 and found[2:] == wanted[2:] and wanted[3] == 1


def _resized(kernel: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if kernel.shape == shape:
        return kernel
    import cv2

    height, width, channels, _ = shape
    planes = [cv2.resize(kernel[:, :, c, 0], (width, height), interpolation=cv2.INTER_LINEAR) for c in range(channels)]
    resized = np.stack(planes, axis=-1)[..., None] * (kernel.size / (height * width * channels))
    missing = kernel.sum((0, 1), keepdims=True) - resized.sum((0, 1), keepdims=True)
    return np.asarray(resized + missing / (height * width), kernel.dtype)
