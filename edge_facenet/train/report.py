"""What a run's folder tells whoever looks in from outside: how far it is, how good, how long it will take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import InputError
from . import checkpoint, config, runs
from .config import TrainConfig
from .monitor import FIXED, read_log
from .optimisation import rate

RECENT = 10
"""Rows of the log that the speed is taken from."""
SILENT_S = 900.0
"""A running training whose log is older than this is called silent."""


@dataclass(frozen=True)
class Look:
    """Figures of one verification on the calibrate people."""

    step: int
    hours: float
    """Of training, clock time."""
    core_hours: float | None
    figures: dict[str, float]


@dataclass(frozen=True)
class RunReport:
    """The state of a run."""

    run: Path
    state: Literal["running", "paused", "finished", "new"]
    process: int | None
    step: int
    """Of the newest row of the log."""
    steps: int
    saved: int
    """Step of the newest checkpoint; 0 = none."""
    images_per_second: float
    seconds_left: float | None
    learning_rate: float
    falls_from: int | None
    """Step from which a constant learning rate falls."""
    figures: dict[str, float]
    """Newest losses and figures of the batches."""
    looks: tuple[Look, ...]
    silent_s: float
    """Since the newest row of the log."""

    @property
    def share(self) -> float:
        """Of the steps, 0..1."""
        return self.step / self.steps


def read(run: Path) -> RunReport:
    """Look into a run's folder.

    Raises:
        InputError: it is no run.
    """
    if not (run / "config.json").is_file():
        raise InputError(f"{run} is not a training run: it has no config.json. Give the folder that `train` wrote.")
    settings = config.read(run / "config.json")
    log = run / "log.csv"
    rows = read_log(log)
    process = runs.holder(run)
    saved = checkpoint.newest(run)
    done = saved.state.step if saved else 0
    step = int(rows[-1]["step"]) if rows else 0
    if process is None:
        step = done  # what a killed training did beyond its checkpoint will be done again
    speed, left = _pace(rows, settings.steps - step)
    return RunReport(
        run=run,
        state="running" if process else "finished" if done >= settings.steps else "paused" if rows or done else "new",
        process=process,
        step=step,
        steps=settings.steps,
        saved=done,
        images_per_second=speed,
        seconds_left=left,
        learning_rate=rate(settings, min(step, settings.steps - 1)),
        falls_from=_falls_from(settings),
        figures=_figures(rows[-1]) if rows else {},
        looks=tuple(_look(row) for row in rows if row.get("val_accuracy")),
        silent_s=max(0.0, time.time() - log.stat().st_mtime) if rows else 0.0,
    )


def _pace(rows: list[dict[str, str]], steps_left: int) -> tuple[float, float | None]:
    """(images per second, seconds left), from the newest rows; looks and checkpoints are in the second."""
    recent = rows[-RECENT:]
    if not recent:
        return 0.0, None
    speed = sum(float(row["images_per_second"]) for row in recent) / len(recent)
    steps = int(recent[-1]["step"]) - int(recent[0]["step"])
    if not steps:
        return speed, None
    return speed, steps_left * (float(recent[-1]["seconds"]) - float(recent[0]["seconds"])) / steps


def _falls_from(settings: TrainConfig) -> int | None:
    if settings.schedule.shape != "constant-linear":
        return None
    return round(settings.steps * (1 - settings.schedule.decay))


def _figures(row: dict[str, str]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in row.items()
        if value and (name == "loss" or name not in FIXED) and not name.startswith(("val_", "train_"))
    }


def _look(row: dict[str, str]) -> Look:
    found = {name: float(value) for name, value in row.items() if value and name.startswith(("val_", "train_"))}
    cpu = row.get("cpu_seconds")
    return Look(int(row["step"]), float(row["seconds"]) / 3600, float(cpu) / 3600 if cpu else None, found)
