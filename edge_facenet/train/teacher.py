"""Teachers: any artifact with a manifest, a hand-written one included, answers to faces with unit embeddings.

Several at once: their unit embeddings side by side, so that the cosine of two rows is the mean of the teachers'
cosines. Where the rows are longer than the student's embedding, they are projected on their strongest directions
(principal axes through the origin, found on training faces) and brought back to unit length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .. import files
from ..errors import ConfigError, InputError
from ..pixels import Pixels

Rows = npt.NDArray[np.float32]
SAMPLE = 2048
"""Training faces that the projection is found on."""


class Teacher(Protocol):
    """What distillation asks of a teacher."""

    @property
    def fingerprint(self) -> str:
        """What its rows follow from."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a row."""
        ...

    def embed(self, crops: Pixels) -> Rows:
        """(n, 112, 112, 3) uint8 RGB, the template without margin -> (n, dimension) float32 unit rows."""
        ...


class ArtifactTeacher:
    """One artifact, opened as everybody opens it.

    Raises:
        ManifestError: damaged, or not an artifact.
        InputError: it was made for faces aligned otherwise.
    """

    def __init__(self, path: str | Path, template: str) -> None:
        from .. import embedder

        self._embedder = embedder.load(path)
        manifest = self._embedder.manifest
        if manifest.template != template:
            raise InputError(
                f"Teacher {path} was made for faces aligned to {manifest.template}, the crops are aligned to {template}. "
                "Take another teacher or another crop set."
            )
        if manifest.margin:
            raise InputError(
                f"Teacher {path} takes crops with a margin of {manifest.margin} px, lessons have none. Take another teacher."
            )
        self.dimension = manifest.dimension
        self.fingerprint = self._embedder.fingerprint

    def embed(self, crops: Pixels) -> Rows:
        """See `Teacher.embed`."""
        return self._embedder.embed(crops)


@dataclass(frozen=True)
class Faculty:
    """Several teachers as one, projected when `directions` is given."""

    teachers: Sequence[Teacher]
    directions: Rows | None = None
    """(sum of dimensions, student's dimension), columns of unit length."""

    @property
    def fingerprint(self) -> str:
        """Of all teachers in their order, and of the projection."""
        parts = [teacher.fingerprint for teacher in self.teachers]
        if self.directions is not None:
            parts.append(hashlib.sha256(self.directions.tobytes()).hexdigest())
        return parts[0] if len(parts) == 1 else files.sha256("\n".join(parts).encode())

    @property
    def dimension(self) -> int:
        """Length of a row."""
        if self.directions is not None:
            return int(self.directions.shape[1])
        return sum(teacher.dimension for teacher in self.teachers)

    def embed(self, crops: Pixels) -> Rows:
        """See `Teacher.embed`."""
        rows = np.concatenate([teacher.embed(crops) for teacher in self.teachers], axis=1)
        if self.directions is not None:
            rows = rows @ self.directions
        return unit_rows(rows)


def unit_rows(rows: npt.NDArray[np.floating]) -> Rows:
    """Rows of unit length, float32."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12), np.float32)


def strongest_directions(rows: Rows, count: int) -> Rows:
    """The `count` principal axes through the origin of (n, d) rows: (d, count) float32, each with its largest entry positive.

    Raises:
        InputError: fewer rows than directions.
    """
    if len(rows) < count:
        raise InputError(f"A projection to {count} numbers needs at least as many training faces, found {len(rows)}.")
    second_moment = rows.astype(np.float64).T @ rows.astype(np.float64)
    _, vectors = np.linalg.eigh(second_moment)
    axes = vectors[:, ::-1][:, :count]
    signs = np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(count)])
    return np.asarray(axes * signs, np.float32)


def faculty(teachers: Sequence[Teacher], dimension: int, keep: Path, sample: Callable[[], Pixels]) -> Faculty:
    """Teachers for a student of `dimension` numbers.

    Args:
        keep: file of the projection; written once, so that a resumed run has the same bits.
        sample: plain training faces (n, 112, 112, 3), asked for only when a projection has to be found.
    Raises:
        ConfigError: no teacher, or together shorter than the student's embedding.
    """
    if not teachers:
        raise ConfigError(
            "Distillation needs a teacher: --set distil.teachers='[\"TEACHER.json\"]', the path of its manifest."
        )
    plain = Faculty(teachers)
    if plain.dimension < dimension:
        raise ConfigError(
            f"The teachers give {plain.dimension} numbers, fewer than backbone.dimension={dimension}. Set it to {plain.dimension}."
        )
    if plain.dimension == dimension:
        return plain
    if not keep.exists():
        with files.atomic_writer(keep) as stream:
            np.save(stream, strongest_directions(plain.embed(sample()), dimension))
    return Faculty(teachers, np.load(keep))
