"""Distillation as a training: resumed bit for bit, bank included; stale banks, grown inputs, label losses beside."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import train_faces
from distil_settings import distil

from edge_facenet.errors import ConfigError, InputError
from edge_facenet.photos import growing
from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import checkpoint, trainer
from edge_facenet.train.monitor import read_log

HERE = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a tiny network with embeddings of 128 numbers."""
    return tiny.artifact(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> CropSet:
    """Six people with four photos each, and ten faces without a name."""
    pictures, names = train_faces.crops(9, 4, seed=1)
    names = [name if number < 24 else "" for number, name in enumerate(names)]
    return growing.write(tmp_path_factory.mktemp("faces") / "crops", pictures[:34], names[:34])


class Legs:
    """Trainings in processes of their own, one after another (see distil_legs)."""

    def __init__(self, faces: CropSet, teacher: Path, steps: int) -> None:
        env = {**os.environ, "PYTHONPATH": str(HERE), "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(HERE / "distil_legs.py"), str(faces.path), str(teacher), str(steps)]
        self._process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, run: Path, where: str = "never", count: int = 0) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(run, where, count, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def equal(a: Path, b: Path) -> None:
    first, second = train_faces.arrays(a), train_faces.arrays(b)
    assert first.keys() == second.keys()
    differing = [name for name in first if not np.array_equal(first[name], second[name])]
    assert not differing


def test_killed_while_the_bank_and_a_checkpoint_are_written_it_ends_with_the_same_bits(
    faces: CropSet, teacher: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with contextlib.closing(Legs(faces, teacher, 12)) as legs:
        assert legs.run(whole) == 0
        assert legs.run(killed, "bank", 4) == -9
        assert checkpoint.newest(killed) is None
        assert legs.run(killed, "checkpoint", 2) == -9
        assert checkpoint.newest(killed).state.step == 4  # type: ignore[union-attr]
        assert legs.run(killed) == 0
    equal(whole / "step-0000012", killed / "step-0000012")
    assert (whole / "bank/rows.bin").read_bytes() == (killed / "bank/rows.bin").read_bytes()


def test_the_student_comes_nearer_to_its_teacher(faces: CropSet, teacher: Path, run: Path) -> None:
    trainer.train(faces, run, distil(teacher, 60, "look_every=60", "distil.mix=0", "log_every=10"))
    rows = read_log(run / "log.csv")
    assert float(rows[-1]["cosine"]) < 0.7 * float(rows[0]["cosine"])
    assert float(rows[-1]["relational"]) < float(rows[0]["relational"])
    assert float(rows[-1]["loss"]) == pytest.approx(float(rows[-1]["cosine"]) + float(rows[-1]["relational"]), rel=1e-4)
    assert float(rows[-1]["train_teacher_cosine"]) > 0.3
    assert all(rows[-1][name] for name in ("val_accuracy", "val_teacher_cosine"))


def test_faces_without_a_name_are_used_and_held_out_people_are_not(faces: CropSet, teacher: Path, run: Path) -> None:
    from edge_facenet.train import distil as distilling
    from edge_facenet.train.course import Course
    from edge_facenet.verification import Split

    split = Split(0, ("p0", "p2"), ("p1", "p3"), ("p4",))
    rows = distilling.training_rows(Course(distil(teacher), faces, split, run))
    assert rows.tolist() == [0, 1, 2, 3, 8, 9, 10, 11, *range(24, 34)]
    nobody = Course(distil(teacher), train_faces_only(faces), Split(0, (), ("p0",), ()), run)
    with pytest.raises(InputError, match="everybody is held out"):
        distilling.training_rows(nobody)


def train_faces_only(faces: CropSet) -> CropSet:
    """The same crop set, as if all had names."""

    class Named:
        labels = np.zeros(34, np.int32)
        rows_of = faces.rows_of

    return Named()  # type: ignore[return-value]


def test_a_stale_bank_stops_the_training_by_name(faces: CropSet, teacher: Path, tmp_path: Path) -> None:
    shared = f"distil.bank={tmp_path / 'bank'}"
    trainer.train(faces, tmp_path / "first", distil(teacher, 2, shared))
    trainer.train(faces, tmp_path / "same", distil(teacher, 2, shared))
    other = tiny.artifact(tmp_path / "other", margin=3)
    with pytest.raises(InputError, match="another teacher"):
        trainer.train(faces, tmp_path / "second", distil(other, 2, shared))
    pictures, names = train_faces.crops(8, 4, seed=5)
    strangers = growing.write(tmp_path / "strangers", pictures, names)
    with pytest.raises(InputError, match="other crops"):
        trainer.train(strangers, tmp_path / "third", distil(teacher, 2, shared))
    with pytest.raises(InputError, match="another seed or mixing"):
        trainer.train(faces, tmp_path / "fourth", distil(teacher, 2, shared, "distil.mix=0.4"))


def test_a_run_goes_on_at_another_size(faces: CropSet, teacher: Path, tmp_path: Path) -> None:
    mobile = ("backbone.name=mobile", "backbone.width=0.1")
    trainer.train(faces, tmp_path / "small", distil(teacher, 2, *mobile, "backbone.size=32"))
    grown = distil(teacher, 2, *mobile, "backbone.size=64", f"backbone.start_from={tmp_path / 'small'}")
    trainer.train(faces, tmp_path / "large", grown)
    assert checkpoint.load_embedder(tmp_path / "large").size == 64


def test_label_losses_stand_beside(faces: CropSet, teacher: Path, run: Path) -> None:
    config = distil(teacher, 4, "objective=distil+softmax", "batch.people=2", "batch.images=3")
    trainer.train(faces, run, config)
    row = read_log(run / "log.csv")[-1]
    parts = sum(float(row[name]) for name in ("cosine", "relational", "softmax"))
    assert float(row["loss"]) == pytest.approx(parts, rel=1e-4)


def test_without_a_teacher_it_says_what_to_type(faces: CropSet, teacher: Path, run: Path) -> None:
    with pytest.raises(ConfigError, match="needs a teacher"):
        trainer.train(faces, run, distil(teacher, 2, "distil.teachers=[]"))


@pytest.mark.parametrize(
    "assignment", ["distil.reuse=0.5", "distil.mix=1.5", "distil.batch=1", "distil.ring=2", "distil.relational=-1"]
)
def test_impossible_settings_are_refused(teacher: Path, assignment: str) -> None:
    with pytest.raises(ConfigError):
        distil(teacher, 2, assignment)
