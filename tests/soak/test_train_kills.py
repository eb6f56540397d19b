"""kill -9 at 20 random moments of a 200-step training, for each family of losses: the bits of an undisturbed run.

Distillation builds its bank of teacher answers on the way; that is compared too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import tiny

TRAIN = Path(__file__).parents[1] / "train"
sys.path.insert(0, str(TRAIN))

import distil_settings  # noqa: E402
import train_faces  # noqa: E402

from edge_facenet.train import checkpoint, config, course  # noqa: E402

STEPS, KILLS, MOST_LEGS = 200, 20, 200
FAMILIES = {
    "softmax-center": ("objective=softmax+center", "l2=1e-4"),
    "semi-hard": ("objective=triplet", "triplet.mining=semi-hard"),
    "batch-hard": ("objective=triplet", "triplet.mining=batch-hard", "optimizer.name=sgd"),
    "random": ("objective=triplet", "triplet.mining=random", "view_threads=2"),
    "hardest": ("objective=triplet", "triplet.mining=hardest"),
    "offline": ("objective=triplet", "triplet.mining=offline", "triplet.every=17", "triplet.subset_people=4"),
    "arcface": ("objective=softmax", "softmax.margin_kind=arcface"),
    "cosface-then-triplet": (
        "objective=softmax+triplet", "softmax.margin_kind=cosface", "softmax.margin=0.35", "softmax.until=0.5",
        "triplet.since=0.5", "optimizer.name=muon",
    ),
    "distillation": distil_settings.SETTINGS,
}  # fmt: skip
CHOICES = ("objective", "softmax.margin_kind", "triplet.mining")
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
    paths = os.pathsep.join(filter(None, [str(TRAIN), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
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
    banks = [run / "bank" / "rows.bin" for run in (one, two)]
    assert banks[0].exists() == banks[1].exists()
    assert not banks[0].exists() or banks[0].read_bytes() == banks[1].read_bytes()


def _finished(run: Path) -> bool:
    saved = checkpoint.newest(run)
    return saved is not None and saved.state.step == STEPS


def _settings(family: str, folder: Path) -> tuple[str, ...]:
    if family != "distillation":
        return FAMILIES[family]
    return (*FAMILIES[family], f'distil.teachers=["{tiny.artifact(folder / "teacher")}"]')


def test_every_term_margin_and_miner_has_a_family() -> None:
    settings = dict.fromkeys(setting for family in FAMILIES.values() for setting in family)
    values = {key: {s.partition("=")[2] for s in settings if s.startswith(f"{key}=")} for key in CHOICES}
    assert {term for objective in values.pop("objective") for term in objective.split("+")} == set(course.TERMS)
    for key, found in values.items():
        group, name = key.split(".")
        choices = get_args(get_type_hints(type(getattr(config.TrainConfig(1), group)))[name])
        assert found == set(choices) - {"none"}, key


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", FAMILIES)
def test_twenty_kills(tmp_path: Path, family: str, record_property: Callable[[str, object], None]) -> None:
    crops = train_faces.crop_set(tmp_path / "crops").path
    whole, run, rng = tmp_path / "whole", tmp_path / "run", np.random.default_rng(11)
    kills = legs_run = within = compared = 0
    with _legs(crops, _settings(family, tmp_path)) as legs:
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
                compared += 1
                shutil.rmtree(run)
        assert kills == KILLS and within >= KILLS // 2, "most must have been killed after the training had begun"
        assert legs.run(run)[0] == 0
    _equal(whole, run)
    for name, value in {"kills": kills, "after the training began": within, "compared": compared + 1}.items():
        record_property(name, value)
