"""Long trainings: detached, looked at, paused, gone on with, ended earlier or later."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny
import train_faces
from distil_settings import SETTINGS
from typer.testing import CliRunner

from edge_facenet.cli import train_jobs
from edge_facenet.cli.train import command
from edge_facenet.errors import ConfigError, InputError, SetupError
from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import config, report, runs, trainer
from edge_facenet.train.config import TrainConfig


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_backbone: None) -> Iterator[None]:
    """A user's data folder of one's own."""
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("edge_facenet.cli.train_jobs.START_S", 280.0)
    yield


def call(*words: object) -> str:
    result = CliRunner().invoke(command, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def begun(eight_people: CropSet, run: Path, *assignments: str) -> TrainConfig:
    """A run of twelve steps that was stopped after eight."""
    settings = train_faces.tiny(12, "look_every=4", "schedule.shape=constant-linear", "average=0.9", *assignments)

    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 8:
            raise Enough

    with pytest.raises(Enough):
        trainer.train(eight_people, run, settings, trainer.Listeners(on_progress=stop))
    train_jobs.remember(run, eight_people.path)
    return settings


def test_status_of_a_stopped_and_of_a_finished_run(eight_people: CropSet, run: Path) -> None:
    settings = begun(eight_people, run)
    text = call("status", run)
    assert "not running" in text
    assert "Step 8 of 12 (66.7 %)" in text
    assert "constant until step 8" in text or "falling to the end" in text
    assert "accuracy %" in text
    assert f"Go on: edge-facenet train resume {run}" in text
    trainer.train(eight_people, run, settings)
    text = call("status")  # the only one this machine knows
    assert "finished" in text
    assert "edge-facenet export" in text
    found = json.loads(call("status", run, "--json"))
    assert found["state"] == "finished"
    assert [look["step"] for look in found["looks"]] == [4, 8, 12]
    assert found["looks"][-1]["core_hours"] > 0
    with pytest.raises(InputError, match="nothing to resume"):
        call("resume", run)


def test_status_while_it_runs_names_the_process(eight_people: CropSet, run: Path) -> None:
    begun(eight_people, run)
    with runs.opened(run):
        assert runs.holder(run) == os.getpid()
        text = call("status", run)
        assert f"running (process {os.getpid()})" in text
        assert f"Pause: edge-facenet train pause {run}" in text
        with pytest.raises(InputError, match="running already"):
            call("resume", run)
    assert runs.holder(run) is None
    with pytest.raises(InputError, match="No training runs"):
        call("pause", run)


def test_a_long_curve_is_thinned_and_its_newest_row_stays(run: Path, tmp_path: Path) -> None:
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"steps": 10_000}))
    lines = ["step,seconds,cpu_seconds,images_per_second,learning_rate,loss,val_accuracy,val_tar_at_1e-2"]
    lines += [f"{s},{s / 2},{s / 3},100,0.001,0.5,{60 + s / 300},0.3" for s in range(100, 9001, 100)]
    (run / "log.csv").write_text("\n".join(lines) + "\n9100,45")
    with runs.opened(run):
        text = call("status", run)
    table = [line for line in text.splitlines() if line.strip()[:1].isdigit()]
    assert len(table) <= 12
    assert table[-1].split()[0] == "9,000"
    assert "8 min left" in text  # 1,000 steps at half a second
    assert "▁" in text
    assert "█" in text


def test_no_training_yet_says_what_to_type() -> None:
    with pytest.raises(InputError, match="edge-facenet train CROPS RUN"):
        call("status")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a training run"):
        call("status", tmp_path)


def test_steps_change_only_while_the_rate_is_constant(eight_people: CropSet, tmp_path: Path) -> None:
    constant = ("schedule.decay=0.25", "schedule.warmup=0.0", "schedule.warmup_least=2")
    settings = begun(eight_people, tmp_path / "a", *constant)
    longer = config.override(settings, ["steps=16"])
    trainer.train(eight_people, tmp_path / "a", longer)
    trainer.train(eight_people, tmp_path / "whole", longer)
    one, other = (train_faces.arrays(tmp_path / name / "step-0000016") for name in ("a", "whole"))
    assert all(np.array_equal(one[name], other[name]) for name in one), "as if it had been so long from the start"
    assert config.read(tmp_path / "a/config.json").steps == 16
    with pytest.raises(ConfigError, match="Steps can only change before the learning rate falls"):
        trainer.train(eight_people, tmp_path / "a", config.override(settings, ["steps=20"]))


def test_detached_paused_and_resumed(tmp_path: Path) -> None:
    """The whole way of a user, with processes of their own: start, look, pause, resume, end."""
    pictures = train_faces.crop_set(tmp_path / "crops")
    teacher = tiny.artifact(tmp_path / "teacher")
    keep = ("objective", "split", "optimizer", "schedule", "average", "distil", "save_every", "log_every", "fused")
    words = [w for s in SETTINGS if s.startswith(keep) and "fill" not in s for w in ("--set", s)]
    net = ["--set", "backbone.name=mobile", "--set", "backbone.size=32", "--set", "backbone.width=0.1"]
    words += [
        *net,
        "--set",
        "distil.fill=16",
        "--set",
        "schedule.warmup_least=2",
        "--set",
        "steps=100000",
        "--set",
        "threads=1",
    ]
    run = tmp_path / "runs/one"
    said = call("run", pictures.path, run, "--preset", "mobile-distil", "--teacher", teacher, *words,
                "--set", "split.quotas=[]", "--detach")  # fmt: skip
    process = runs.holder(run)
    assert process is not None
    assert str(process) in said
    assert os.getsid(process) == process, "a session of its own: the shell's hang-up does not reach it"
    try:
        _wait(lambda: (run / "log.csv").exists() and report.read(run).step >= 4)
        assert "running" in call("status")
        assert "Paused" in call("pause")
        assert runs.holder(run) is None
        step = report.read(run).saved
        assert step >= 4
        with pytest.raises(SetupError, match=f"after step {step} the least number is {math.ceil(step / 0.7)}"):
            call("resume", "--steps", step)  # in such a plan the rate would have fallen by now, whatever the step
        assert f"from step {step} on" in call("resume", "--steps", 2 * step)
        _wait(lambda: runs.holder(run) is None)
        assert report.read(run).state == "finished"
    finally:
        if left := runs.holder(run):
            os.kill(left, signal.SIGKILL)


def _wait(there: object, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not there():  # type: ignore[operator]
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.2)


def test_a_training_that_cannot_start_says_why(eight_people: CropSet, run: Path) -> None:
    with pytest.raises(SetupError, match=r"did not start.*nobody\.json"):
        call("run", eight_people.path, run, "--preset", "mobile-distil", "--teacher", "nobody.json",
             "--set", "split.quotas=[]", "--set", "split.calibrate=2", "--detach")  # fmt: skip
    assert not run.exists()  # `train status` and `train resume` know nothing of it
