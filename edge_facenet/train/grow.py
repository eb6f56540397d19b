"""The same network at another input size: only a global depthwise kernel, as large as the last map, changes its shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Weights = list[npt.NDArray[Any]]


def alike(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a weight of shape `found` can become one of shape `wanted`: equal, or depthwise (h, w, channels, 1) kernels."""
    if found == wanted:
        return True
    return len(found) == len(wanted) == 4 and found[2:] == wanted[2:] and wanted[3] == 1


def resized(kernel: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A depthwise kernel (h, w, channels, 1) at another height and width, bilinearly, its sum kept: a flat map gives the
    same output. A kernel that has the shape already is given back."""
    if kernel.shape == shape:
        return kernel
    import cv2

    height, width, channels, _ = shape
    planes = [cv2.resize(kernel[:, :, c, 0], (width, height), interpolation=cv2.INTER_LINEAR) for c in range(channels)]
    resized = np.stack(planes, axis=-1)[..., None] * (kernel.size / (height * width * channels))
    missing = kernel.sum((0, 1), keepdims=True) - resized.sum((0, 1), keepdims=True)
    return np.asarray(resized + missing / (height * width), kernel.dtype)
