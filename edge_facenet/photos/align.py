"""Five points to an upright crop: a similarity transform onto the ArcFace template.

Pixel coordinates are those of pixel centres: (0, 0) is the middle of the first pixel.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge_facenet.errors import InputError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

TEMPLATE_NAME = "arcface-112"
TEMPLATE_SIDE = 112
TEMPLATE: Floats = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""(5, 2) px at 112: eye, eye, nose tip, mouth corner, mouth corner, each from the picture's left.
Source: the reference points published with ArcFace (Deng et al., 2019), used by the field at large."""
INNER = (28, 40, 84, 104)
"""Left, top, right, bottom, px at 112: eyes, nose and mouth with some room."""
BORDER = "replicate"
"""Outside the photo its border pixels are repeated: no black bars that a network could learn."""


def target(size: int = TEMPLATE_SIDE, margin: int = 0) -> Floats:
    """(5, 2) px: where the five points belong in a crop of `size` px with `margin` px around the template."""
    scale = (size - 2 * margin) / TEMPLATE_SIDE
    return (TEMPLATE + 0.5) * scale - 0.5 + margin


def similarity(src: npt.ArrayLike, dst: npt.ArrayLike) -> Floats:
    """Least-squares rotation, scale and shift that takes `src` to `dst`, in closed form.

    Args:
        src, dst: (n, 2), n >= 2.
    Returns:
        (2, 3): dst ~ M[:, :2] @ src + M[:, 2]; never a mirror image.
    Raises:
        InputError: the source points coincide, or are not finite.
    """
    a, b = np.asarray(src, np.float64), np.asarray(dst, np.float64)
    a_mean, b_mean = a.mean(0), b.mean(0)
    a, b = a - a_mean, b - b_mean
    spread = float((a**2).sum())
    if not np.isfinite(spread) or spread < 1e-9:
        raise InputError("The five points of the face coincide: it cannot be aligned.")
    p = float((a * b).sum()) / spread
    q = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[p, -q], [q, p]])
    return np.column_stack([turn, b_mean - turn @ a_mean])


def align(photo: Pixels, points: npt.ArrayLike, size: int = TEMPLATE_SIDE, margin: int = 0) -> Pixels:
    """Cut a face out of a photo, upright, in one warp straight to the size wanted.

    Args:
        photo: (h, w, 3) uint8 RGB.
        points: (5, 2) px of the photo, in the template's order.
        size: side of the crop, px, margin included.
    Returns:
        (size, size, 3) uint8 RGB.
    Raises:
        InputError: the points coincide.
    """
    return warp(photo, similarity(points, target(size, margin)), size)


def warp(photo: Pixels, matrix: Floats, size: int, border: int = cv2.BORDER_REPLICATE) -> Pixels:
    """Bilinear warp; a photo that has to become less than half as large is shrunk by area first.

    Without that, thin details alias: `warpAffine` takes INTER_AREA and silently does INTER_LINEAR.
    """
    factor = int(1 / max(scale_of(matrix), 1e-6) + 1e-6)
    if factor >= 2:
        photo, origin = _region(photo, matrix, size, factor)
        photo = shrink(photo, factor)
        # index x of the photo is (x - origin + 0.5) / factor - 0.5 here
        back = np.array([[factor, 0, origin[0] + 0.5 * factor - 0.5], [0, factor, origin[1] + 0.5 * factor - 0.5]])
        matrix = matrix[:, :2] @ back + np.column_stack([np.zeros((2, 2)), matrix[:, 2]])
    warped: Pixels = cv2.warpAffine(photo, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    return warped


def shrink(photo: Pixels, factor: int) -> Pixels:
    """Mean over `factor` x `factor` blocks; right and bottom are continued by the border's pixels to a whole block."""
    height, width = photo.shape[:2]
    missing = (-height % factor, -width % factor)
    if any(missing):
        photo = cv2.copyMakeBorder(photo, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
    size = (photo.shape[1] // factor, photo.shape[0] // factor)
    small: Pixels = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    return small


def scale_of(matrix: Floats) -> float:
    """Crop px per photo px of a similarity."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def apply(matrix: Floats, points: npt.ArrayLike) -> Floats:
    """(n, 2) points through a (2, 3) matrix."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: Floats) -> Floats:
    """The (2, 3) matrix of the way back."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]])


def outside(matrix: Floats, shape: tuple[int, ...], size: int, margin: int) -> tuple[float, float]:
    """How much of a crop comes from outside a photo of `shape` (h, w, ...).

    Returns:
        share of the whole crop, and of the face's inner part (eyes to mouth), 0..1 each.
    """
    back = invert(matrix)
    ends = apply(back, [(0, 0), (size - 1, 0), (0, size - 1), (size - 1, size - 1)])
    if (ends >= 0).all() and (ends <= (shape[1] - 1, shape[0] - 1)).all():
        return 0.0, 0.0  # the corners lie inside, so everything does
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2)
    x, y = apply(back, grid).T
    beyond = ((x < -0.5) | (y < -0.5) | (x > shape[1] - 0.5) | (y > shape[0] - 0.5)).reshape(size, size)
    scale = (size - 2 * margin) / TEMPLATE_SIDE
    left, top, right, bottom = (round(v * scale) + margin for v in INNER)
    return float(beyond.mean()), float(beyond[top:bottom, left:right].mean())


def _region(photo: Pixels, matrix: Floats, size: int, factor: int) -> tuple[Pixels, tuple[int, int]]:
    """The part of a photo that a crop needs, so that a large photo is not shrunk whole."""
    corners = apply(invert(matrix), [(0, 0), (size, 0), (0, size), (size, size)])
    height, width = photo.shape[:2]
    low = np.clip(np.floor(corners.min(0)) - 2 * factor, 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 2 * factor, low + 1, (width, height)).astype(int)
    return photo[low[1] : high[1], low[0] : high[0]], (int(low[0]), int(low[1]))
