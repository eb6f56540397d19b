"""Embeddings of crops by a Keras model: the float reference that exports and looks compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..pixels import Pixels, PixelSpec


def embed(model: Any, crops: Pixels, batch: int = 64) -> npt.NDArray[np.float32]:
    """Unit embeddings by the network in inference mode.

    Args:
        model: "image" -> raw embedding, as `backbones.build` or `checkpoint.load_embedder` gives.
        crops: (n, size, size, 3) uint8 RGB at the network's own size.
        batch: faces per call; the last call is filled up, so that every face sees the same arithmetic.
    Returns:
        (n, dimension) float32 rows of length 1.
    """
    pixels = PixelSpec(size=int(model.input_shape[1]))
    rows = []
    for first in range(0, len(crops), batch):
        part = pixels.tensor(crops[first : first + batch]).astype(np.float32)
        full = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), np.float32)])
        rows.append(np.asarray(_numpy(model(full, training=False)), np.float32)[: len(part)])
    raw = np.concatenate(rows) if rows else np.zeros((0, int(model.output_shape[-1])), np.float32)
    return _unit(raw)


def _unit(raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows of length 1. Scaled first: an untrained network gives numbers of 1e-13, whose squares would vanish."""
    largest = np.abs(raw).max(axis=1, keepdims=True, initial=0)
    scaled = raw / np.where(largest > 0, largest, 1)
    unit: npt.NDArray[np.float32] = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    return unit


def _numpy(tensor: Any) -> Any:
    from keras import ops

    return ops.convert_to_numpy(tensor)
