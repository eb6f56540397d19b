"""What any network must beat, on the same pairs: pixels compared as they are, and Fisherfaces.

Source: Belhumeur, Hespanha, Kriegman, "Eigenfaces vs. Fisherfaces", PAMI 1997.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

RAW_SIZE = 112  # px: the template itself
FISHER_SIZE = 32  # px: keeps the whole picture within what a few hundred photos can span
FISHER_COMPONENTS = 60
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 luma
_REGULAR = 1e-5  # beside within-person variances of about 1e-2 in whitened space: keeps the inverse finite, no more


def raw_pixels(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey values as the embedding, not centred: (n, s, s, 3) uint8, cut at RAW_SIZE -> (n, s * s) float32 unit rows."""
    return unit(_grey(crops))


@dataclass(frozen=True, eq=False)
class Fisherfaces:
    """Linear discriminant of whitened principal components, learned from the training people.

    Attributes:
        mean: (pixels,) float32.
        projection: (pixels, people - 1) float32.
    """

    mean: NDArray[np.float32]
    projection: NDArray[np.float32]

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, s, s, 3) uint8 of the size it was fitted on -> (n, people - 1) float32 unit rows."""
        return unit((_standard(crops) - self.mean) @ self.projection)


def fisherfaces(crops: NDArray[np.uint8], labels: ArrayLike, components: int = FISHER_COMPONENTS) -> Fisherfaces:
    """Fit on training people.

    Args:
        crops: (n, s, s, 3) uint8 template cuts; FISHER_SIZE px is what the published figures use.
        labels: (n,) identity numbers.
        components: principal components kept, at most n - people so that the within-person scatter has full rank.
    Raises:
        InputError: fewer than two people, or nobody with two photos.
    """
    known = np.asarray(labels)
    people, sizes = np.unique(known, return_counts=True)
    if len(people) < 2 or sizes.max() < 2:
        raise InputError(
            f"Fisherfaces need two people and one of them twice; found {len(people)} people, {len(known)} photos."
        )
    pixels = _standard(crops)
    mean = pixels.mean(axis=0)
    _, spread, axes = np.linalg.svd((pixels - mean).astype(np.float64), full_matrices=False)
    kept = min(components, len(known) - len(people), int(np.count_nonzero(spread > 1e-6 * spread[0])))
    whitening = axes[:kept].T / spread[:kept]
    points = (pixels - mean) @ whitening
    within = sum(_covariance(points[known == p]) for p in people[sizes > 1]) / len(people) + _REGULAR * np.eye(kept)
    between = np.atleast_2d(_covariance(np.array([points[known == p].mean(axis=0) for p in people])))
    directions = _discriminants(between, within)[:, : len(people) - 1]
    return Fisherfaces(mean, (whitening @ directions).astype(np.float32))


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=-1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)


def _grey(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray((crops.astype(np.float32) @ _GREY).reshape(len(crops), -1))


def _standard(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Each picture to mean 0 and standard deviation 1; a picture of one grey becomes zeros."""
    rows = _grey(crops)
    rows = rows - rows.mean(axis=1, keepdims=True)
    deviation = rows.std(axis=1, keepdims=True)
    return np.asarray(rows / np.where(deviation > 0, deviation, 1))


def _covariance(points: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.cov(points.astype(np.float64), rowvar=False)


def _discriminants(between: NDArray[np.float64], within: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit directions of the largest between/within ratio first, through the Cholesky factor of `within`."""
    inverse = np.linalg.inv(np.linalg.cholesky(within))
    _, vectors = np.linalg.eigh(inverse @ between @ inverse.T)  # ratios rise
    directions = inverse.T @ vectors[:, ::-1]
    return np.asarray(directions / np.linalg.norm(directions, axis=0))
