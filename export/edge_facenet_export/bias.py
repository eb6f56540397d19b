"""What int8 adds to every face alike is taken off the last layer's bias.

Rounded weights move the mean of each layer's outputs, and the embedding carries the sum of it: the same vector for
everybody. What taking it off buys: export/README.md.

Source: bias correction, Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019), section
4.2; there layer by layer, here at the last one, by what the int8 file itself answers on the calibration faces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge_facenet.engines import open_engine
from edge_facenet.errors import InputError
from edge_facenet.pixels import Pixels, PixelSpec

from .graph import answers, copied

Convert = Callable[[Any], bytes]
"""A network -> its int8 file."""


def corrected(
    model: keras.Model, convert: Convert, pixels: PixelSpec, faces: Pixels, wanted: npt.NDArray[np.floating[Any]]
) -> bytes:
    """The int8 file of `model` without the error that all `faces` share: converted twice.

    Args:
        model: unit norm behind a layer with a bias, as `fold` leaves it; left as it is.
        pixels: what the int8 file takes.
        faces: (n, s, s, 3) uint8 RGB crops of people trained on.
        wanted: (n, d) unit rows, the float network's answers.
    Raises:
        InputError: the layer before the norm has no bias.
    """
    copy = copied(model)
    last = copy.layers[-2]
    if getattr(last, "bias", None) is None:
        raise InputError(f"int8 wants a layer with a bias as the network's last one; found {last.name}.")
    raw = answers(keras.Model(copy.input, last.output), faces)
    error = (wanted - _answers_of(convert(copy), pixels, faces)).mean(axis=0)
    last.bias.assign_add(error * np.linalg.norm(raw, axis=1).mean())
    return convert(copy)


def _answers_of(graph: bytes, pixels: PixelSpec, faces: Pixels) -> npt.NDArray[np.float64]:
    """(n, d) unit rows by the file itself."""
    engine = open_engine(graph)
    return np.concatenate([engine.run([face[None]])[0] for face in pixels.tensor(faces)]).astype(np.float64)
