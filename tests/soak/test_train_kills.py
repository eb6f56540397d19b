"""kill -9 at 20 random moments of a 200-step training, for each family of losses: the bits of an undisturbed run.

Distillation, whose bank of teacher answers is built on the way: tests/train/test_distil_run.py, marked `soak` as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

TRAIN = Path(__file__).parents[1] / "train"
sys.path.insert(0, str(TRAIN))

import train_faces  # noqa: E402

from edge_facenet.train import checkpoint  # noqa: E402

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
STEPS, KILLS, MOST_LEGS = 200, 20, 200
FAMILIES = {
    "softmax-center": ("objective=softmax+center", "l2=1e-4"),
    "semi-hard": ("objective=triplet", "triplet.mining=semi-hard"),
    "batch-hard": ("objective=triplet", "triplet.mining=batch-hard", "optimizer.name=sgd"),
    "random": ("objective=triplet", "triplet.mining=random", "view_threads=2"),
    "offline": ("objective=triplet", "triplet.mining=offline", "triplet.every=17", "triplet.subset_people=4"),
    "arcface": ("objective=softmax", "softmax.margin_kind=arcface"),
    "cosface-then-triplet": (
        "objective=softmax+triplet", "softmax.margin_kind=cosface", "softmax.margin=0.35", "softmax.until=0.5",
        "triplet.since=0.5", "optimizer.name=muon",
    ),
}  # fmt: skip
COMMON = ("average=0.99", "save_every=3", "look_every=50", "log_every=2", "threads=1")


class Legs:
    """Legs of trainings, one after another (see label_legs)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, run: Path, milliseconds: int = 0) -> tuple[int, float]:
        """Exit status and seconds."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(run, milliseconds, file=self._process.stdin, flush=True)
        status, seconds = self._process.stdout.readline().split()
        return int(status), float(seconds)


@contextmanager
def _legs(crops: Path, settings: tuple[str, ...]) -> Iterator[Legs]:
    words = [sys.executable, str(TRAIN / "label_legs.py"), str(crops), str(STEPS), *COMMON, *settings]
    environment = {**os.environ, "PYTHONPATH": str(TRAIN), "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Legs(process)
    finally:
        process.communicate()


def _equal(one: Path, two: Path) -> None:
    last = f"step-{STEPS:07d}"
    a, b = train_faces.arrays(one / last), train_faces.arrays(two / last)
    assert a.keys() == b.keys()
    assert [name for name in a if not np.array_equal(a[name], b[name])] == []


def _finished(run: Path) -> bool:
    saved = checkpoint.newest(run)
    return saved is not None and saved.state.step == STEPS


@pytest.mark.parametrize("family", FAMILIES)
def test_twenty_kills(tmp_path: Path, family: str) -> None:
    crops = train_faces.crop_set(tmp_path / "crops").path
    whole, run, rng = tmp_path / "whole", tmp_path / "run", np.random.default_rng(11)
    kills = legs_run = within = 0
    with _legs(crops, FAMILIES[family]) as legs:
        status, took = legs.run(whole)
        assert status == 0
        while kills < KILLS and (legs_run := legs_run + 1) < MOST_LEGS:
            # From before the first batch to half as long as a whole run takes: the start, steps and checkpoints are hit.
            status, _ = legs.run(run, int(1000 * took * rng.uniform(0.05, 0.5)))
            assert status in (0, -9)
            kills += status == -9
            within += status == -9 and (run / "log.csv").exists()
            if _finished(run):
                _equal(whole, run)
                shutil.rmtree(run)
        assert kills == KILLS and within >= KILLS // 2, "most must have been killed after the training had begun"
        assert legs.run(run)[0] == 0
    _equal(whole, run)
