"""Teachers: any artifact with a manifest, a hand-written one included, answers to views with unit embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]
Pictures = npt.NDArray[np.uint8]


class Teacher(Protocol):
    """What distillation asks of a teacher."""

    fingerprint: str
    """What its rows follow from."""
    dimension: int

    def embed(self, crops: Pictures) -> Rows:
        """(n, 112, 112, 3) uint8 RGB, the template without margin -> (n, dimension) float32 unit rows."""
        ...


class ArtifactTeacher:
    """One artifact, opened as everybody opens it."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        from .. import embedder

        self._embedder = embedder.load(path, threads=threads)
        manifest = self._embedder.manifest
        self.dimension = manifest.dimension
        self.fingerprint = str(manifest.fingerprint)

    def embed(self, crops: Pictures) -> Rows:
        return np.asarray(self._embedder.embed(crops), np.float32)
