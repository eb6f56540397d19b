"""PixelSpec: from a uint8 RGB crop to a network's input tensor. It travels inside the artifact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .schema import doc

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PixelSpec:
    """How a network wants its pixels: real value = (pixel - mean) / scale, per channel.

    Ours is mean 128, scale 128: an int8 input then has scale 1/128 and zero point 0, and the quantized value is
    `pixel XOR 0x80`, so a phone hands over raw bytes.
    """

    size: int = doc("height and width of the input, px")
    layout: Literal["NHWC", "NCHW"] = doc("order of the input's axes", "NHWC")
    colour_order: Literal["RGB", "BGR"] = doc("order of the channels", "RGB")
    mean: tuple[float, float, float] = doc(
        "subtracted per channel, in the network's colour order, 0..255", (128.0, 128.0, 128.0)
    )
    scale: tuple[float, float, float] = doc(
        "divided by per channel, in the network's colour order", (128.0, 128.0, 128.0)
    )
    dtype: Literal["float32", "int8", "uint8"] = doc("type of the input tensor", "float32")
    quantization: tuple[float, int] | None = doc("scale and zero point of an integer input; None for float32", None)
    batch: int = doc("faces per call; fixed in the file", 1)

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch < 1:
            raise ValueError(f"size and batch are at least 1, found {self.size} and {self.batch}.")
        if any(s == 0 for s in self.scale):
            raise ValueError("scale must not be 0.")
        if (self.dtype == "float32") != (self.quantization is None):
            raise ValueError(f"dtype {self.dtype} {'has no' if self.dtype == 'float32' else 'needs a'} quantization.")
        if self.quantization is not None and not self.quantization[0] > 0:
            raise ValueError(f"the scale of a quantization is above 0, found {self.quantization[0]}.")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the input tensor."""
        s = self.size
        return (self.batch, s, s, 3) if self.layout == "NHWC" else (self.batch, 3, s, s)

    def tensor(self, crops: Pixels) -> npt.NDArray[np.generic]:
        """Input values of crops that already have the network's size.

        Args:
            crops: (n, size, size, 3) uint8 RGB; n need not be `batch`.
        Returns:
            (n, ...) in the network's layout, colour order and type.
        Raises:
            InputError: another shape or type.
        """
        want = (self.size, self.size, 3)
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != want:
            raise InputError(
                f"Crops must be (n, {want[0]}, {want[1]}, 3) uint8 RGB, found {crops.shape} {crops.dtype}."
            )
        pixels = crops[..., ::-1] if self.colour_order == "BGR" else crops
        if self.layout == "NCHW":
            pixels = pixels.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(self._values(pixels))

    def _values(self, pixels: Pixels) -> npt.NDArray[np.generic]:
        if self.is_xor:
            return (pixels ^ np.uint8(0x80)).view(np.int8)
        real = pixels.astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # a scale near 0: the embedder reports what is not finite
            real -= self._per_channel(self.mean)
            real /= self._per_channel(self.scale)
        if self.quantization is None:
            return real
        step, zero = self.quantization
        limits = np.iinfo(self.dtype)
        steps: npt.NDArray[np.float32] = np.round(real / np.float32(step)) + zero
        return np.clip(steps, limits.min, limits.max).astype(np.dtype(self.dtype))

    def _per_channel(self, values: tuple[float, float, float]) -> npt.NDArray[np.float32] | np.float32:
        """Values to broadcast; one number where all are equal, which is nine times as fast."""
        if len(set(values)) == 1:
            return np.float32(values[0])
        return np.array(values, np.float32).reshape((1, 1, 1, 3) if self.layout == "NHWC" else (1, 3, 1, 1))

    @property
    def is_xor(self) -> bool:
        """True when the int8 input is the pixel's bits with the highest one turned over: no arithmetic at all."""
        ours = self.mean == (128.0,) * 3 and self.scale == (128.0,) * 3
        return ours and self.dtype == "int8" and self.quantization == (1 / 128, 0)


def resize(crops: Pixels, size: int) -> Pixels:
    """Square crops at another size: area average when shrinking, linear when growing.

    Args:
        crops: (n, s, s, 3) uint8 RGB.
    Returns:
        (n, size, size, 3) uint8 RGB; `crops` itself when it has this size.
    Raises:
        InputError: another shape or type.
    """
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[3] != 3 or not 0 < crops.shape[1] == crops.shape[2]:
        raise InputError(f"Crops must be (n, s, s, 3) uint8 RGB, found {crops.shape} {crops.dtype}.")
    if crops.shape[1] == size or len(crops) == 0:
        return crops if crops.shape[1] == size else np.empty((0, size, size, 3), np.uint8)
    import cv2

    method = cv2.INTER_AREA if size < crops.shape[1] else cv2.INTER_LINEAR
    return np.stack([cv2.resize(crop, (size, size), interpolation=method) for crop in crops])
