"""Faces without photos: unit rows that lie as those of the released network do, and the thresholds that go with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_facenet.clustering import Faces, Grouping, group
from edge_facenet.manifest import Threshold, Thresholds

Rows = npt.NDArray[np.float32]
# Those of the first released network, rounded: strangers are at 0.0 ± 0.117.
THRESHOLDS = Thresholds(
    source="test",
    identities=100,
    genuine=5000,
    impostor=500_000,
    at=(Threshold(0.1, 0.15), Threshold(0.01, 0.27), Threshold(1e-3, 0.36), Threshold(1e-4, 0.436)),
)


def unit(rows: npt.ArrayLike) -> Rows:
    """Rows of length 1."""
    wide = np.asarray(rows, np.float64)
    found: Rows = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    return found


def people(count: int, photos: int, *, alike: float = 0.6, seed: int = 0, common: float = 0.0) -> tuple[Rows, Rows]:
    """(count * photos, 128) faces and (count * photos,) who they are.

    Args:
        alike: mean cosine between two photos of one person.
        common: mean cosine between two strangers.
    """
    rng = np.random.default_rng(seed)
    own = unit(rng.normal(size=(count, 128)))
    noise = unit(rng.normal(size=(count * photos, 128)))
    shared = unit(rng.normal(size=(1, 128)))
    who = np.repeat(np.arange(count), photos)
    rows = np.sqrt(alike - common) * own[who] + np.sqrt(1 - alike) * noise + np.sqrt(common) * shared
    return unit(rows), who


def chain(links: int, degrees: float) -> Rows:
    """C135: v(k) = cos v(k-1) + sin e(k); neighbours are alike, the ends have nothing in common."""
    turn = np.radians(degrees)
    rows = np.zeros((links, links))
    rows[0, 0] = 1.0
    for k in range(1, links):
        rows[k] = np.cos(turn) * rows[k - 1]
        rows[k, k] += np.sin(turn)
    return unit(rows)


def grouped(rows: npt.ArrayLike, *, photos: npt.ArrayLike | None = None, good: npt.ArrayLike | None = None) -> Grouping:
    """`group` with a photo a face, all good, unless told."""
    count = len(np.asarray(rows))
    return group(
        Faces(
            rows,
            np.arange(count) if photos is None else photos,
            np.ones(count, bool) if good is None else good,
        ),
        THRESHOLDS,
    )


def sets(found: Grouping) -> set[frozenset[int]]:
    """The groups, without order."""
    return {frozenset(one.members) for one in found.groups}
