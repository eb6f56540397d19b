"""FaceNet's offline mining: every n steps the newest weights embed a subset, and its hardest triplets feed the next n steps.

Within the subset each photo is an anchor once: its positive is the furthest photo of the same person (argmax), its negative
the nearest of another (argmin). The triplets of an interval are a function of (seed, interval, the weights at its first
step); they are written into the run's folder before the interval begins, so that a resumed run reads the same ones.

Source: Schroff, Kalenichenko, Philbin, "FaceNet" (2015), section 3.2, first of its two ways.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import files
from ..errors import InputError
from .checkpoint import oldest
from .course import Course
from .embedding import embed
from .sampler import IdentitySampler, Rows

Triplets = npt.NDArray[np.int64]
_SUBSET, _ORDER, _VIEWS = 11, 12, 13
"""Purposes of the generators."""


def hardest_triplets(embeddings: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> Triplets:
    """(m, 3) places of anchor, furthest positive and nearest negative; the first of equals.

    Args:
        embeddings: (n, d) unit rows.
        labels: (n,) identities; anchors without a positive, or without a negative, are left out.
    """
    distances = 2.0 - 2.0 * (embeddings @ embeddings.T)
    same = labels[:, None] == labels[None, :]
    positive = same & ~np.eye(len(labels), dtype=bool)
    furthest = np.where(positive, distances, -np.inf).argmax(1)
    nearest = np.where(same, np.inf, distances).argmin(1)
    anchors = np.flatnonzero(positive.any(1) & ~same.all(1))
    return np.column_stack([anchors, furthest[anchors], nearest[anchors]]).astype(np.int64)


class OfflineMiner:
    """Triplets of each step, as rows of the crop set."""

    def __init__(self, course: Course, rows: list[Rows]) -> None:
        """
        Args:
            rows: for each label, the rows of that person.
        """
        config = course.config
        options = config.triplet
        people = min(options.subset_people, len(rows))
        self._course, self._every = course, options.every
        self._subset = IdentitySampler(rows, people, options.subset_images, config.seed + _SUBSET)
        self._size = max(1, config.batch.people * config.batch.images // 3)
        self._plans: dict[int, tuple[Triplets, npt.NDArray[np.int32]]] = {}
        self._news = threading.Condition()
        self._stopped = False

    def draw(self, step: int) -> tuple[Rows, npt.NDArray[np.int32], np.random.Generator]:
        """Rows (3m,): m anchors, their positives, their negatives; labels; the generator of this step's augmentation.

        Waits until the interval's triplets are there.
        """
        triplets, labels = self._plan(step // self._every)
        seed = self._course.config.seed
        wanted = np.arange(self._size) + (step % self._every) * self._size
        rounds, places = wanted // len(triplets), wanted % len(triplets)
        order = {int(r): np.random.default_rng([seed, _ORDER, step // self._every, int(r)]) for r in set(rounds)}
        shuffled = {r: rng.permutation(len(triplets)) for r, rng in order.items()}
        chosen = np.array([shuffled[int(r)][p] for r, p in zip(rounds, places, strict=True)])
        return triplets[chosen].T.reshape(-1), labels[chosen].T.reshape(-1), np.random.default_rng([seed, _VIEWS, step])

    def ready(self, step: int, network: Callable[[], Any]) -> None:
        """Mine when `step` begins an interval; read what was mined when it lies within one.

        Raises:
            InputError: the triplets of a resumed interval are gone.
        """
        interval = step // self._every
        if interval in self._plans:
            return
        path, there = self._path(interval), self._path(interval).exists()
        self._course.team.meet(f"looking for triplets {interval}")  # nobody writes before everybody has looked
        if not there:
            if step % self._every:
                raise InputError(
                    f"{path} is gone: step {step} needs the triplets mined at step {interval * self._every}. "
                    "Bring the file back, or train into a new folder."
                )
            mined = self._mine(interval, network())  # by every process, so that none waits for minutes
            if self._course.team.leads:
                self._write(interval, *mined)
            self._course.team.meet(f"triplets {interval}")
        with np.load(path) as kept, self._news:
            self._plans = {interval: (kept["triplets"], kept["labels"])}
            self._news.notify_all()

    def stop(self) -> None:
        """No more intervals will come."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def _plan(self, interval: int) -> tuple[Triplets, npt.NDArray[np.int32]]:
        with self._news:
            self._news.wait_for(lambda: self._stopped or interval in self._plans)
            if interval not in self._plans:
                raise InputError(f"The training stopped before the triplets of interval {interval} were mined.")
            return self._plans[interval]

    def _mine(self, interval: int, network: Any) -> tuple[Triplets, npt.NDArray[np.int32]]:
        drawn, labels, _ = self._subset.draw(interval)
        rows, first = np.unique(drawn, return_index=True)  # people with few photos come more than once
        labels = labels[first]
        places = hardest_triplets(
            embed(network, self._course.crops.cut(rows, self._course.config.backbone.size)), labels
        )
        if not len(places):
            raise InputError("Offline mining found no triplet: every person of the subset has one photo. Add photos.")
        return rows[places], labels[places]

    def _write(self, interval: int, triplets: Triplets, labels: npt.NDArray[np.int32]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, triplets=triplets, labels=labels)
        files.write_bytes(self._path(interval), buffer.getvalue())
        first = min(oldest(self._course.run) // self._every, interval - 1)  # where a run that is killed now goes on
        wanted = {self._path(kept) for kept in range(max(0, first), interval + 1)}
        for old in self._course.run.glob("triplets-*.npz"):  # later ones, too: the run went on from an older checkpoint
            if old not in wanted:
                old.unlink(missing_ok=True)

    def _path(self, interval: int) -> Path:
        return self._course.run / f"triplets-{interval:05d}.npz"
