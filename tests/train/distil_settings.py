"""The configuration of a distillation of seconds."""

from __future__ import annotations

from pathlib import Path

from edge_facenet.train import config
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
    """A distillation of a network with a few thousand weights."""
    return config.override(TrainConfig(steps), [*SETTINGS, f'distil.teachers=["{teacher}"]', *assignments])
