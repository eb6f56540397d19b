"""kill -9 at 20 random moments of a training, then the same command: the bits of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

TRAIN = Path(__file__).parents[1] / "train"
sys.path.insert(0, str(TRAIN))

import train_faces  # noqa: E402

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]
STEPS, ROUNDS = 400, 20
SETTINGS = ("objective=softmax+triplet", "average=0.99", "l2=1e-4", "save_every=3", "look_every=50", "log_every=2")


def _child(crops: Path, run: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, str(TRAIN / "train_child.py"), str(crops), str(run), str(STEPS), *SETTINGS]
    return subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(TRAIN)}, stderr=subprocess.PIPE)


def _finish(crops: Path, run: Path) -> Path:
    child = _child(crops, run)
    _, said = child.communicate()
    assert child.returncode == 0, said.decode()
    return run / f"step-{STEPS:07d}"


def test_twenty_kills(tmp_path: Path) -> None:
    crops = train_faces.crop_set(tmp_path / "crops").path
    undisturbed = train_faces.arrays(_finish(crops, tmp_path / "undisturbed"))
    run, rng = tmp_path / "run", np.random.default_rng(11)
    killed = 0
    for _ in range(ROUNDS):
        child = _child(crops, run)
        while child.poll() is None and not (run / ".lock").exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 8))  # from before the first step to well within training, on two cores
        child.send_signal(signal.SIGKILL)
        child.communicate()
        killed += child.returncode == -signal.SIGKILL
    found = train_faces.arrays(_finish(crops, run))
    assert killed >= ROUNDS // 2, "most rounds must have been killed before the training ended"
    assert found.keys() == undisturbed.keys()
    assert all(np.array_equal(found[name], undisturbed[name]) for name in found)
