"""Faces that set the ranges of an int8 network: from the people it was trained on, chosen by seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_facenet.errors import InputError
from edge_facenet.photos.cropset import CropSet
from edge_facenet.pixels import Pixels
from edge_facenet.verification.splits import Split

from .quiet import quiet

DEFAULT_FACES = 100
Ranges = dict[str, tuple[float, float]]
"""Lowest and highest value by tensor name."""


def representative(crops: CropSet, split: Split, size: int, faces: int = DEFAULT_FACES, seed: int = 0) -> Pixels:
    """Faces of the split's training people (of unlabelled faces when the run trained on nobody by name).

    Args:
        size: of the network's input, px.
        faces: how many; all there are when there are fewer.
    Returns:
        (n, size, size, 3) uint8 RGB, the same for the same crop set, split and seed.
    Raises:
        InputError: the crop set lacks the split's people, or has nobody to calibrate with.
    """
    rows = crops.rows_of(split.train) if split.train else np.flatnonzero(crops.labels < 0)
    if faces < 1 or not len(rows):
        raise InputError(
            f"Range calibration takes at least 1 face of the people trained on; {crops.path} has {len(rows)}, {faces} asked for."
        )
    chosen = np.random.default_rng(seed).permutation(rows)[:faces]
    return crops.cut(np.sort(chosen), size)


def check_calibration(crops: Any, size: int) -> None:
    """Refuse what cannot be calibration crops.

    Raises:
        InputError: not a (n, size, size, 3) uint8 array with n >= 1; says type, shape and range found.
    """
    wanted = f"Calibration crops must be (n, {size}, {size}, 3) uint8 RGB with n at least 1"
    if not isinstance(crops, np.ndarray):
        raise InputError(f"{wanted}; found {type(crops).__name__}.")
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3) or not len(crops):
        span = ""
        if crops.dtype.kind in "iuf" and crops.size:
            span = f", values {crops.min():g} to {crops.max():g}"
        raise InputError(
            f"{wanted}; found {crops.shape} {crops.dtype}{span}. Give pixels as they are, 0 to 255, not file names or scaled values."
        )


def ranges_of(float_model: bytes, images: npt.NDArray[np.generic]) -> Ranges:
    """Ranges of every tensor of a float TFLite network over `images`, (n, s, s, 3) float32 network input values.

    The extremes over all faces. ai-edge-quantizer's own calibration keeps a running mean of each face's extremes instead,
    which cuts off half of the faces: on a trained MobileNetV2 the mean cosine to float is 0.9968 this way and 0.9836 that
    way, the worst of 700 faces 0.975 and 0.795. A black and a white picture among the faces change nothing (0.9967): only
    the input's range would need them, and that is set by construction.
    """
    from ai_edge_litert.interpreter import Interpreter

    with quiet():  # "preserve_all_tensors is for debugging": it is what is wanted here
        interpreter = Interpreter(model_content=float_model, num_threads=1, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    inner = {d["index"]: d["name"] for d in interpreter.get_tensor_details() if d["dtype"] == np.float32 and d["name"]}
    low = np.full((len(images), len(inner)), np.inf)
    high = -low
    for face, image in enumerate(images):
        interpreter.set_tensor(entry, image[None])
        interpreter.invoke()
        for place, index in enumerate(inner):
            values = interpreter.get_tensor(index)
            low[face, place], high[face, place] = values.min(), values.max()
    return {name: (float(low[:, k].min()), float(high[:, k].max())) for k, name in enumerate(inner.values())}
