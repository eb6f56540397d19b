"""Views for distillation: seeded, harsh augmentations of an aligned face. Everything about a view follows from its seed.

The mild kind (40 %) only turns, shifts and mirrors a little; the hard kind adds what cameras do: low resolution, blur,
light, colour cast, JPEG, noise, and something in front of the face. One view costs about 0.6 ms of one core.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Chances = npt.NDArray[np.float64]

VERSION = 1
"""Raised whenever a view of the same seed looks different; banks of another version are refused."""
SIZE = 112
"""px; the template's own size, which teachers see."""


@dataclass(frozen=True)
class Seed:
    """What one view follows from."""

    seed: int
    face: int
    """Row of the crop set."""
    pass_number: int
    """How often the face had its turn before."""

    def generator(self, purpose: int = 0) -> np.random.Generator:
        """A generator of its own for each seed and purpose."""
        return np.random.Generator(np.random.PCG64([self.seed, self.face, self.pass_number, purpose]))


def view(crop: Picture, margin: int, seed: Seed) -> Picture:
    """One augmented view.

    Args:
        crop: (s, s, 3) uint8 RGB, the template with `margin` px on each side.
    Returns:
        (112, 112, 3) uint8 RGB.
    """
    rng = seed.generator()
    chance = rng.random(24)
    hard = bool(chance[0] < 0.6)
    picture = _placed(crop, margin, hard, chance, rng)
    if not hard:
        return picture
    picture = _coarse(picture, chance)
    picture = _lit(picture, chance)
    picture = _compressed(picture, chance)
    return _disturbed(picture, chance, rng)


def mixed(first: Picture, second: Picture, seed: Seed) -> Picture:
    """A picture of two faces; a teacher's answer to it is as good a lesson as any other.

    Half are blends (weight of the first 0.5 to 1), the rest halves side by side, one above the other, or a patch.
    """
    chance = seed.generator(purpose=1).random(6)
    if chance[0] < 0.5:
        weight = 0.5 + 0.5 * chance[1]
        return np.asarray(cv2.addWeighted(first, weight, second, 1 - weight, 0), np.uint8)
    out = first.copy()
    if chance[0] < 0.75:
        edge = int(36 + 40 * chance[1])
        out[:, edge:] = second[:, edge:]
    elif chance[0] < 0.875:
        edge = int(42 + 40 * chance[1])
        out[edge:] = second[edge:]
    else:
        width, height = (28 + 52 * chance[1:3]).astype(int)
        x, y = int(chance[3] * (SIZE - width)), int(chance[4] * (SIZE - height))
        out[y : y + height, x : x + width] = second[y : y + height, x : x + width]
    return out


def shrunk(picture: Picture, size: int) -> Picture:
    """The picture at the network's input size, (size, size, 3)."""
    if picture.shape[0] == size:
        return picture
    how = cv2.INTER_AREA if size < picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size, size), interpolation=how), np.uint8)


@functools.cache
def fingerprint() -> str:
    """What views look like here: version, and a hash of 64 views of a drawn picture.

    OpenCV's and NumPy's bits are part of a view. The hash notices when another version of them draws differently.
    """
    y, x = np.mgrid[0:128, 0:128]
    waves = np.stack([x * 2, y * 2, (x * y) >> 6], -1)
    face = ((waves + 40 * np.sin(x / 9.0 + y / 5.0)[..., None]) % 256).astype(np.uint8)
    digest = hashlib.sha256()
    for number in range(64):
        one = view(face, 8, Seed(0, number, 0))
        digest.update(one.tobytes())
        digest.update(mixed(one, face[8:120, 8:120], Seed(0, number, 0)).tobytes())
    return f"{VERSION}:{digest.hexdigest()[:16]}"


def _placed(crop: Picture, margin: int, hard: bool, chance: Chances, rng: np.random.Generator) -> Picture:
    """Turned (s.d. 4 or 1.5 degrees), scaled (+-10 or 3 %), shifted (+-4 or 1.5 px), mirrored by half."""
    base = SIZE / (crop.shape[0] - 2 * margin)
    angle = np.deg2rad(rng.normal(0, 4 if hard else 1.5))
    scale = base * np.exp((chance[1] - 0.5) * (0.2 if hard else 0.06))
    shift = (chance[2:4] - 0.5) * (8 if hard else 3)
    mirror = -1 if chance[4] < 0.5 else 1
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cosine * mirror, -sine, 0], [sine * mirror, cosine, 0]])
    centre = (crop.shape[0] - 1) / 2
    matrix[:, 2] = (SIZE - 1) / 2 + shift - matrix[:, :2] @ [centre, centre]
    placed = cv2.warpAffine(crop, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(placed, np.uint8)


def _coarse(picture: Picture, chance: Chances) -> Picture:
    """Low resolution (24 to 80 px) in 20 %, blur in 10 %, grey in 10 %."""
    if chance[5] < 0.2:
        small = int(24 + 56 * chance[6])
        how = cv2.INTER_LINEAR if chance[7] < 0.5 else cv2.INTER_CUBIC
        tiny = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(tiny, (SIZE, SIZE), interpolation=how), np.uint8)
    elif chance[5] < 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5 + 1.5 * chance[6]), np.uint8)
    if chance[8] < 0.1:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        picture = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    return picture


def _lit(picture: Picture, chance: Chances) -> Picture:
    """Gamma, contrast, brightness; a colour cast in half of them."""
    gamma = np.exp((chance[9] - 0.5) * 0.8)
    curve = 255 * (np.arange(256) / 255.0) ** gamma
    curve = (curve - 128) * (0.75 + 0.5 * chance[10]) + 128 + (chance[11] - 0.5) * 50
    cast = 1 + (chance[12:15] - 0.5) * (0.16 if chance[15] < 0.5 else 0)
    table = np.clip(curve[:, None] * cast, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table[None]), np.uint8)


def _compressed(picture: Picture, chance: Chances) -> Picture:
    """JPEG of quality 20 to 80 in 20 %."""
    if chance[16] >= 0.2:
        return picture
    _, code = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(20 + 60 * chance[17])])
    decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def _disturbed(picture: Picture, chance: Chances, rng: np.random.Generator) -> Picture:
    """Noise (s.d. 3 to 12) in 12 %, a plain rectangle of 12 to 47 px in 15 %."""
    if chance[18] < 0.12:
        noise = rng.normal(0, 3 + 9 * chance[19], picture.shape)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if chance[20] < 0.15:
        width, height = rng.integers(12, 48, 2)
        x, y = rng.integers(0, SIZE - width), rng.integers(0, SIZE - height)
        picture = picture.copy()
        picture[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    return picture
