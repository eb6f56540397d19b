"""What a training says of itself: log.csv, and warnings when it goes wrong."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..errors import GateError, OutputError
from .config import TrainConfig

Figures = dict[str, float]
FIXED = ("step", "seconds", "cpu_seconds", "images_per_second", "learning_rate", "loss")
LOOKS = ("val_accuracy", "val_tar_at_1e-2", "val_tar_at_1e-3")
ALIKE = 0.95
"""Mean cosine between different embeddings of a batch above which they are called collapsed. Faces of one good network
have about 0.0 to 0.3; a batch of one constant has 1. Where the last layer is a batch normalisation, a batch is centred
and this stays near 0 even then: the stuck loss below sees that case."""
STUCK = 0.02
"""A triplet loss within this share of its margin, with nearly all triplets active, learns nothing: d(a,p) = d(a,n)."""
PATIENCE = 5
"""Rows of the log in a row before a warning: the first steps of any training look like that."""


@dataclass(frozen=True)
class Status:
    """Where a training stands, at every row of the log."""

    step: int
    steps: int
    images_per_second: float
    seconds_left: float
    figures: Figures


class Monitor:
    """Collects figures of each step, writes a row every `log_every` steps, warns once of each kind of trouble."""

    def __init__(
        self,
        run: Path,
        config: TrainConfig,
        names: Sequence[str],
        on_message: Callable[[str], None],
        *,
        writes: bool = True,
    ) -> None:
        """`names`: columns beyond `FIXED` and `LOOKS`; `writes`: whether the log is this process's."""
        self._writes = writes
        self._path, self._config, self._on_message = run / "log.csv", config, on_message
        self._columns = (*FIXED, *names, *LOOKS)
        self._sums: Figures = {}
        self._count = self._images = 0
        self._last = time.monotonic()
        self._seconds = self._cpu = 0.0
        self._trouble: dict[str, int] = {}
        self._told: set[str] = set()
        self._newest: Figures = {}
        self._all_images, self._began = 0, self._last

    def begin(self, start: int) -> None:
        """Keep the rows of steps up to `start` (a killed run has written more than it saved); begin the file anew if none."""
        rows = [row for row in read_log(self._path) if int(row["step"]) <= start]
        self._seconds = float(rows[-1]["seconds"]) if rows else 0.0
        self._cpu = (float(rows[-1].get("cpu_seconds") or 0.0) if rows else 0.0) - time.process_time()
        self._last = self._began = time.monotonic()
        if not self._writes:
            return
        lines = [",".join(self._columns), *(",".join(row.get(c, "") for c in self._columns) for row in rows)]
        files.write_bytes(self._path, ("\n".join(lines) + "\n").encode())

    def summary(self) -> tuple[float, Figures]:
        """Images per second since `begin`, and the figures of the last row."""
        return self._all_images / max(time.monotonic() - self._began, 1e-9), self._newest

    def after(self, step: int, logs: Figures, images: int) -> None:
        """Take in the figures of a finished step.

        Raises:
            GateError: the loss is not finite.
        """
        if not math.isfinite(logs["loss"]):
            parts = ", ".join(f"{name} {value:g}" for name, value in logs.items() if not math.isfinite(value))
            saved = any(self._path.parent.glob("step-*"))
            kept = "the checkpoint before is kept" if saved else "there is no checkpoint yet"
            then = "train into a new folder" if saved else "give the same command again"
            raise GateError(
                f"The loss is not finite at step {step} ({parts}); {kept}. "
                f"Lower optimizer.learning_rate ({self._config.optimizer.learning_rate:g}) and {then}."
            )
        for name, value in logs.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        self._images += images
        self._all_images += images

    def row(self, step: int, rate: float, looked: Figures) -> Status:
        """Write the row of `step` (updates done) and say where the training stands; means since the last row."""
        now = time.monotonic()
        elapsed, self._last = max(now - self._last, 1e-9), now
        self._seconds += elapsed
        figures = {name: value / self._count for name, value in self._sums.items()}
        speed, per_step = self._images / elapsed, elapsed / self._count
        fixed = {
            "step": step,
            "seconds": round(self._seconds, 2),
            "cpu_seconds": round(self._cpu + time.process_time(), 1),
            "images_per_second": round(speed, 1),
            "learning_rate": rate,
        }
        self._append({**fixed, **figures, **looked})
        self._watch(step, figures)
        self._newest = {**figures, **looked}
        self._sums, self._count, self._images = {}, 0, 0
        left = (self._config.steps - step) * per_step
        return Status(step, self._config.steps, speed, left, self._newest)

    def _append(self, row: dict[str, float]) -> None:
        if not self._writes:
            return
        cells = (f"{row[c]:.6g}" if isinstance(row.get(c), float) else str(row.get(c, "")) for c in self._columns)
        try:
            with self._path.open("a", encoding="utf-8", newline="") as stream:
                stream.write(",".join(cells) + "\n")
        except OSError as error:
            raise OutputError(
                f"Cannot write {self._path}: {error.strerror}. Checkpoints are whole: make room, start again."
            ) from error

    def _watch(self, step: int, figures: Figures) -> None:
        alike = figures.get("mean_cosine", 0.0)
        self._warn_if(
            alike > ALIKE, "alike",
            f"Embeddings collapse: at step {step} different faces of a batch have a mean cosine of {alike:.3f} "
            f"(limit {ALIKE}). Lower optimizer.learning_rate, or begin with objective=softmax.",
        )  # fmt: skip
        if "triplet" in figures:
            triplet = self._config.triplet
            loss = figures["triplet"] / (triplet.weight or 1.0)
            stuck = abs(loss - triplet.margin) < STUCK * triplet.margin and figures["active_triplets"] > 0.98
            self._warn_if(
                stuck, "stuck",
                f"The triplet loss stands at its margin ({loss:.4f}, margin {triplet.margin:g}) at step {step}: all faces "
                f"have one embedding. Lower optimizer.learning_rate, or begin with objective=softmax.",
            )  # fmt: skip

    def _warn_if(self, trouble: bool, kind: str, sentence: str) -> None:
        if kind in self._told:
            return
        self._trouble[kind] = self._trouble.get(kind, 0) + 1 if trouble else 0
        if self._trouble[kind] == PATIENCE:
            self._told.add(kind)
            self._on_message(sentence)


def read_log(path: Path) -> list[dict[str, str]]:
    """Complete rows of a log.csv; a last line torn by a crash is left out."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    rows = list(csv.DictReader(whole.splitlines()))
    return [row for row in rows if None not in row.values() and (row.get("step") or "").isdigit()]
