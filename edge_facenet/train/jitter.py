"""Augmentation for label losses: one warp out of the crop with its margin, then light, blur and a hidden patch.

A picture is a function of (crop, generator, config, size) alone; the caller seeds the generator from (seed, step).
Distillation has `views`, whose pictures must be made again long after they were first used.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..pixels import Pixels
from ..schema import doc
from .sections import check


@dataclass(frozen=True)
class JitterConfig:
    """How far a view may stray; defaults are the ORL recipe's."""

    flip: float = doc("probability of mirroring left and right", 0.5)
    rotation: float = doc("uniform within +- degrees", 8.4)
    zoom: float = doc("scale e^u, u uniform within +- this", 0.105)
    shift: float = doc("uniform within +- this share of the side, both axes", 0.042)
    contrast: float = doc("factor e^u about grey, u uniform within +- this", 0.245)
    brightness: float = doc("uniform within +- grey levels, 0..255", 25.0)
    side_light: float = doc("probability of light from one side", 0.3)
    side_light_levels: float = doc("the most it adds at one edge and takes at the other, grey levels", 21.0)
    blur: float = doc("probability of a 3x3 Gaussian blur", 0.2)
    cutout: float = doc("probability of hiding one rectangle", 0.5)
    cutout_side: tuple[float, float] = doc("least and largest side of the rectangle, share of the side", (0.12, 0.4))

    def __post_init__(self) -> None:
        for name in ("flip", "side_light", "blur", "cutout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, found {getattr(self, name):g}.")
        # further nothing of the face is left
        check(self, "jitter", rotation="[0, 180]", zoom="[0, 2]", shift="[0, 1]", contrast="[0, 4]")
        check(self, "jitter", brightness="[0, 255]", side_light_levels="[0, 255]")
        if not 0 < self.cutout_side[0] <= self.cutout_side[1] <= 1:
            raise ValueError(f"cutout_side must rise within 0..1, found {self.cutout_side}.")


def jitter(crop: Pixels, rng: np.random.Generator, config: JitterConfig, size: int, margin: int) -> Pixels:
    """One augmented view of a crop, template px only.

    Args:
        crop: (s, s, 3) uint8 RGB with its margin.
        rng: what decides everything; the number of values drawn does not depend on the crop.
        size: side of the view, px.
        margin: px around the template on each side of `crop`, at the crop's own scale.
    Returns:
        (size, size, 3) uint8 RGB.
    """
    flags = cv2.INTER_LINEAR
    matrix = warp(rng, config, crop.shape[0], size, margin)
    warped = cv2.warpAffine(crop, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    real = _light(warped.astype(np.float32), rng, config)
    if rng.random() < config.blur:
        real = cv2.GaussianBlur(real, (3, 3), 0)
    if rng.random() < config.cutout:
        _hide(real, rng, config)
    pixels: Pixels = np.clip(np.rint(real), 0, 255).astype(np.uint8)
    return pixels


def warp(rng: np.random.Generator, config: JitterConfig, side: int, size: int, margin: int) -> np.ndarray:
    """Crop px to view px, about both middles (pixel centres are at whole numbers)."""
    angle = np.deg2rad(rng.uniform(-config.rotation, config.rotation))
    scale = np.exp(rng.uniform(-config.zoom, config.zoom)) * size / (side - 2 * margin)
    shift = rng.uniform(-config.shift, config.shift, 2) * size
    mirror = -1.0 if rng.random() < config.flip else 1.0
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cosine * mirror, -sine], [sine * mirror, cosine]])
    middle = np.full(2, (size - 1) / 2) + shift - turn @ np.full(2, (side - 1) / 2)
    return np.column_stack([turn, middle])


def _light(real: np.ndarray, rng: np.random.Generator, config: JitterConfig) -> np.ndarray:
    factor = np.exp(rng.uniform(-config.contrast, config.contrast))
    real = (real - 128) * np.float32(factor) + np.float32(128 + rng.uniform(-config.brightness, config.brightness))
    if rng.random() < config.side_light:
        slope = rng.uniform(-config.side_light_levels, config.side_light_levels)
        real += np.linspace(-slope, slope, real.shape[1], dtype=np.float32)[None, :, None]
    return real


def _hide(real: np.ndarray, rng: np.random.Generator, config: JitterConfig) -> None:
    """A grey rectangle; it may begin a little outside, so that edges are hidden as often as the middle."""
    size = real.shape[0]
    height, width = (rng.uniform(*config.cutout_side, 2) * size).astype(int)
    top, left = (rng.uniform(-0.1, 1.0, 2) * size).astype(int)
    real[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = 128 + rng.uniform(-100, 100)
