"""BlazeFace, short and full range: where the faces of a photo are.

Source of the network and its decoding: MediaPipe's face detection (Bazarevsky et al., "BlazeFace", 2019), Apache-2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from edge_facenet.engines import Engine
from edge_facenet.errors import ManifestError
from edge_facenet.pixels import PixelSpec

from .align import Floats, Pixels, shrink

THRESHOLD, LOW_THRESHOLD, PADDING = 0.5, 0.3, 1 / 3
"""Tries in this order: score above 0.5; the same on the photo padded by a third (tight crops); score above 0.3."""
_OVERLAP = 0.3
_GRIDS = {896: ((16, 2), (8, 6)), 2304: ((48, 1),)}
"""Cells per side and anchors per cell, by the number of anchors: short range, full range."""


@dataclass(frozen=True)
class Detection:
    """One face."""

    score: float
    """0..1."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom, px of the photo; may reach over its edge."""
    points: Floats
    """(6, 2) px: eye, eye (the face's own from its picture's left), nose tip, middle of the mouth, ear, ear."""
    turns: int = 0
    """Quarter turns anti-clockwise that the photo was looked at with."""

    @property
    def centre(self) -> Floats:
        """(2,) px."""
        return np.array([(self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2])

    @property
    def side(self) -> float:
        """The box's longer side, px."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


class Finds(Protocol):
    """Anything that finds faces in a photo."""

    def detect(self, photo: Pixels, turns: int = 0) -> list[Detection]:
        """Faces of an (h, w, 3) uint8 RGB photo looked at after `turns` quarter turns anti-clockwise, best first.

        Boxes and points are px of the photo as it was given.
        """
        ...


@dataclass(frozen=True)
class Letterbox:
    """A photo centred on a square of the network's size: photo px = network px * scale + shift, exactly."""

    pixels: Pixels
    scale: float
    shift: tuple[float, float]

    def back(self, points: Floats) -> Floats:
        """Network px to photo px, (n, 2)."""
        moved: Floats = points * self.scale + np.array(self.shift)
        return moved


def letterbox(photo: Pixels, size: int, padding: float = 0.0) -> Letterbox:
    """Bring a photo onto a square of `size` px.

    One warp with exact fractions: rounding the padding to whole pixels would move every point by up to half a pixel.

    Args:
        padding: share of the longer side added all round; 0 pads the shorter side with black, more repeats the border.
    """
    height, width = photo.shape[:2]
    side = max(height, width) * (1 + 2 * padding)
    scale, shift = side / size, ((width - side) / 2, (height - side) / 2)
    factor = max(int(scale), 1)
    small = shrink(photo, factor) if factor > 1 else photo
    step = scale / factor
    # pixel centre i of the network is at (i + 0.5) * scale + shift of the photo, measured from its corner
    matrix = np.array([[step, 0, 0.5 * step - 0.5 + s / factor] for s in shift])
    matrix[1] = matrix[1, [1, 0, 2]]
    border = cv2.BORDER_REPLICATE if padding else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return Letterbox(cv2.warpAffine(small, matrix, (size, size), flags=flags, borderMode=border), scale, shift)


class BlazeFace:
    """The detector.

    Args:
        engine: graph with regressors (1, n, 16) and classificators (1, n, 1); n = 896 (short range) or 2,304 (full).
        pixels: size, mean and scale from its manifest.
    Raises:
        ManifestError: the graph has other outputs.
    """

    def __init__(self, engine: Engine, pixels: PixelSpec) -> None:
        self._engine, self._pixels = engine, pixels
        last = [spec.shape[-1] for spec in engine.outputs]
        if sorted(last) != [1, 16]:
            raise ManifestError(f"A face detector has outputs of 16 and 1 values per anchor, this one has {last}.")
        self._boxes_at, self._scores_at = last.index(16), last.index(1)
        count = int(np.prod(engine.outputs[self._scores_at].shape))
        if count not in _GRIDS:
            raise ManifestError(f"A face detector has 896 or 2,304 anchors, this one has {count:,}.")
        self._anchors = _anchors(_GRIDS[count])

    def detect(self, photo: Pixels, turns: int = 0) -> list[Detection]:
        """Faces of an (h, w, 3) uint8 RGB photo, best first; empty when all tries find none."""
        plain = letterbox(photo, self._pixels.size)
        scores, shapes = self.raw(np.rot90(plain.pixels, turns))
        tries = [(plain, scores, shapes, THRESHOLD), (plain, scores, shapes, LOW_THRESHOLD)]
        if not (scores > THRESHOLD).any():
            padded = letterbox(photo, self._pixels.size, PADDING)
            tries.insert(1, (padded, *self.raw(np.rot90(padded.pixels, turns)), THRESHOLD))
        for boxed, found, where, threshold in tries:
            if (keep := found > threshold).any():
                return [_detection(score, shape, boxed, turns) for score, shape in _merge(found[keep], where[keep])]
        return []

    def propose(self, photo: Pixels, turns: int = 0, threshold: float = LOW_THRESHOLD) -> list[Detection]:
        """Where faces may be, best first: one look, every score above `threshold`."""
        plain = letterbox(photo, self._pixels.size)
        scores, shapes = self.raw(np.rot90(plain.pixels, turns))
        keep = scores > threshold
        return [_detection(score, shape, plain, turns) for score, shape in _merge(scores[keep], shapes[keep])]

    @property
    def size(self) -> int:
        """Side of the network's input, px."""
        return self._pixels.size

    def raw(self, square: Pixels) -> tuple[Floats, Floats]:
        """Scores (n,) 0..1, and (n, 8, 2) network px: centre, (width, height), six points."""
        outputs = self._engine.run([self._pixels.tensor(square[None])])
        logits = outputs[self._scores_at].reshape(-1).astype(np.float64)
        shapes = outputs[self._boxes_at].reshape(-1, 8, 2).astype(np.float64)
        others = [0, *range(2, 8)]
        shapes[:, others] += self._anchors[:, None] * self._pixels.size
        return 1 / (1 + np.exp(-np.clip(logits, -80, 80))), shapes


def _anchors(layers: tuple[tuple[int, int], ...]) -> Floats:
    """(n, 2) anchor centres, 0..1: row by row, repeats innermost."""
    grids = []
    for cells, repeats in layers:
        centre = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centre, centre, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), repeats, axis=0))
    return np.concatenate(grids)


def _merge(scores: Floats, shapes: Floats) -> list[tuple[float, Floats]]:
    """Overlapping candidates become one, the mean weighted by score, with the best one's score."""
    order = np.argsort(-scores, kind="stable")
    low, high = shapes[:, 0] - shapes[:, 1] / 2, shapes[:, 0] + shapes[:, 1] / 2
    area = np.prod(np.maximum(high - low, 0), axis=1)
    merged = []
    while len(order):
        best = order[0]
        common = np.minimum(high[best], high[order]) - np.maximum(low[best], low[order])
        shared = np.prod(np.maximum(common, 0), axis=1)
        group = shared > _OVERLAP * np.maximum(area[best] + area[order] - shared, 1e-12)
        group[0] = True  # a box without area overlaps nothing, not even itself
        weights = scores[order[group]]
        mean = np.tensordot(weights, shapes[order[group]], 1) / weights.sum()
        merged.append((float(scores[best]), mean))
        order = order[~group]
    return merged


def _detection(score: float, shape: Floats, boxed: Letterbox, turns: int) -> Detection:
    corners = np.stack([shape[0] - shape[1] / 2, shape[0] + shape[1] / 2])
    upright = _unturn(np.concatenate([corners, shape[2:]]), turns, boxed.pixels.shape[0])
    points = boxed.back(upright)
    (left, top), (right, bottom) = points[:2].min(0).tolist(), points[:2].max(0).tolist()
    return Detection(score, (left, top, right, bottom), points[2:], turns % 4)


def _unturn(points: Floats, turns: int, size: int) -> Floats:
    """Points of a square turned anti-clockwise, as points of the square before."""
    for _ in range(turns % 4):
        points = np.column_stack([size - points[:, 1], points[:, 0]])
    return points
