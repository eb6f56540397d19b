"""A distillation in a process of its own that kills itself: distil_child.py CROPS RUN TEACHER STEPS WHERE COUNT.

WHERE: "bank" = with half of a record written, at the COUNTth call of the teacher; "checkpoint" = while the COUNTth one is
being written; "step" = before step COUNT; "never".
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import train_faces

from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import bank, checkpoint, config, trainer
from edge_facenet.train.config import TrainConfig

SETTINGS = (
    "objective=distil",
    "backbone.name=tiny",
    "backbone.size=16",
    "split.test=0",
    "split.calibrate=2",
    "optimizer.name=muon",
    "optimizer.learning_rate=1e-2",
    "schedule.shape=constant-linear",
    "average=0.9",
    "distil.batch=8",
    "distil.fill=16",
    "distil.ring=40",
    "distil.mix=0.3",
    "save_every=4",
    "log_every=2",
    "deterministic=true",
    "fused_norm=true",
    "threads=1",
)


def distil(teacher: Path, steps: int = 12, *assignments: str) -> TrainConfig:
    """A distillation of seconds."""
    teachers = f'distil.teachers=["{teacher}"]'
    return config.override(TrainConfig(steps), [*SETTINGS, teachers, *assignments])


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(where: str, count: int) -> None:
    calls = [0]

    def counted() -> bool:
        calls[0] += 1
        return calls[0] == count

    if where == "bank":
        append = bank.Bank.append

        def torn(self: Any, rows: Any) -> None:
            if counted():
                self._stream.write(rows[0].astype("f2").tobytes()[:50])
                self._stream.flush()
                _die()
            append(self, rows)

        bank.Bank.append = torn  # type: ignore[method-assign]
    if where == "checkpoint":
        synchronise = checkpoint._synchronise
        checkpoint._synchronise = lambda folder: _die() if counted() else synchronise(folder)
    if where == "step":
        step = trainer._Session._step
        trainer._Session._step = lambda self, n, batch: _die() if n == count else step(self, n, batch)  # type: ignore[method-assign,assignment,return-value]


if __name__ == "__main__":
    train_faces.register_tiny()
    crops, run, teacher, steps, where, count = sys.argv[1:]
    _die_at(where, int(count))
    trainer.train(CropSet.open(Path(crops)), Path(run), distil(Path(teacher), int(steps)))
