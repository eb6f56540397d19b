"""Two JAX processes on loopback: the global batch of one, the loss of a worker, and what is refused."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from train_faces import arrays, tiny

from edge_facenet.errors import ConfigError
from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import config, workers

pytest.importorskip("jax")

CHILD = Path(__file__).with_name("worker_child.py")
PLAIN = ("optimizer.name=sgd", "optimizer.learning_rate=0.05", "schedule.warmup_least=1")
ARCFACE = ("objective=softmax", "softmax.margin_kind=arcface", "softmax.margin_warmup=0", "softmax.smoothing=0")
LOSSES = {"triplet": ("objective=triplet", "triplet.mining=semi-hard"), "arcface": ARCFACE}
STEPS = 6
DIFFERENCE = 2e-5
"""Two workers add the same float32 numbers in another order. A gradient sums some 400 products (6 photos x 64 places), so its
rounding is about sqrt(400) x 6e-8 = 1.2e-6 of its size, at most 5 after clipping: 6e-6. Six steps at a rate of 0.05 with
Nesterov momentum (at most 6 x 0.05 x 6 = 1.8 gradients in all) give 1.1e-5; statistics of batches err less. Found: 1.5e-6."""
AMPLIFIED = 1e-3
"""What a batch of its own for each worker would exceed by far: triplets across workers, statistics of 3 photos for 6."""


class Worker:
    """One process; answers a line with a line."""

    def __init__(self, crops: CropSet, team: tuple[str, int] | None = None, devices: int = 1) -> None:
        flags = f"--xla_force_host_platform_device_count={devices} --xla_cpu_multi_thread_eigen=false"
        environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(CHILD.parent), "XLA_FLAGS": flags}
        if team:
            names = workers.ENVIRONMENT
            environment |= {names["coordinator"]: team[0], names["processes"]: "2", names["process"]: str(team[1])}
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), str(crops.path)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if not line.startswith("[Gloo]"):
                return line.strip()
        return f"gone ({self.process.wait()})"

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def _pair(crops: CropSet) -> list[Worker]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    return [Worker(crops, (place, number)) for number in range(2)]


class Team:
    """One worker alone (of two devices) and two together; they are kept, because JAX takes long to begin."""

    def __init__(self, crops: CropSet) -> None:
        self._crops, self.alone, self.pair = crops, Worker(crops, devices=2), _pair(crops)

    def new_pair(self) -> list[Worker]:
        """In the place of one that lost a worker."""
        _end(*self.pair)
        self.pair = _pair(self._crops)
        return self.pair


def _end(*workers: Worker) -> None:
    for worker in workers:
        worker.end()


@pytest.fixture(scope="module")
def team(eight_people: CropSet) -> Iterator[Team]:
    """The workers of all tests here."""
    made = Team(eight_people)
    yield made
    _end(made.alone, *made.pair)


@pytest.fixture(scope="module")
def undisturbed(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint 8 of a run that lost nobody."""
    whole = tmp_path_factory.mktemp("undisturbed") / "run"
    team.alone.ask(whole, 8, *LOSSES["triplet"], *PLAIN)
    assert team.alone.answer() == "8 0"
    return whole / "step-0000008"


def _farthest(one: Path, two: Path) -> float:
    a, b = arrays(one), arrays(two)
    assert a.keys() == b.keys()
    return max(float(np.abs(a[name].astype(float) - b[name]).max()) for name in a)


@pytest.mark.parametrize("loss", LOSSES)
def test_two_workers_are_one_with_the_same_global_batch(team: Team, tmp_path: Path, loss: str) -> None:
    """6 photos a step, 3 to each worker, so that one person's pair stands in both."""
    alone, pair = team.alone, team.pair
    settings = (STEPS, *LOSSES[loss], *PLAIN, "average=0.9", "look_every=3")
    alone.ask(tmp_path / "one", *settings)
    alone.ask(tmp_path / "local", *settings, "devices.local=2")
    for worker in pair:
        worker.ask(tmp_path / "two", *settings)
    assert [worker.answer() for worker in (alone, alone, *pair)] == [f"{STEPS} 0"] * 4
    last = f"step-{STEPS:07d}"
    assert _farthest(tmp_path / "one" / last, tmp_path / "two" / last) < DIFFERENCE
    assert _farthest(tmp_path / "one" / last, tmp_path / "local" / last) < DIFFERENCE
    assert _farthest(tmp_path / "one" / last, tmp_path / "one" / "step-0000004") > AMPLIFIED  # it does learn
    rows = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("one", "two")]
    assert len(rows[0]) == len(rows[1]) == STEPS + 1  # one process writes


@pytest.mark.parametrize(
    ("lost", "moment", "left"),
    [(1, "die=5", [2, 4]), (0, "die-saving=4", [2])],
    ids=["a worker in step 6", "process 0 while it saves step 4"],
)
def test_a_lost_worker_leaves_what_one_or_two_go_on_with(
    team: Team, undisturbed: Path, tmp_path: Path, lost: int, moment: str, left: list[int]
) -> None:
    """kill -9: whole checkpoints stay, and both ways on end where an undisturbed run does. Process 0 is the one that JAX's
    others meet at and that writes."""
    settings = (*LOSSES["triplet"], *PLAIN)
    team.pair[lost].ask(tmp_path / "run", 8, *settings, moment)
    team.pair[1 - lost].ask(tmp_path / "run", 8, *settings)
    assert team.pair[lost].answer() == f"gone ({-signal.SIGKILL})"
    said = team.pair[1 - lost].answer()
    # by our sentence, or, when the one that all meet at is lost, by JAX's own, which may come first
    assert (
        said.startswith("SetupError Another of the 2 processes was lost in step") or said == f"gone ({-signal.SIGABRT})"
    )
    assert sorted(int(path.name[5:]) for path in (tmp_path / "run").glob("step-*")) == left
    shutil.copytree(tmp_path / "run", tmp_path / "by-one")
    team.alone.ask(tmp_path / "by-one", 8, *settings)
    again = team.new_pair()
    for worker in again:
        worker.ask(tmp_path / "run", 8, *settings)
    assert [worker.answer() for worker in (team.alone, *again)] == [f"8 {left[-1]}"] * 3
    for run in ("by-one", "run"):
        assert _farthest(tmp_path / run / "step-0000008", undisturbed) < DIFFERENCE


@pytest.mark.parametrize(
    ("backend", "settings", "says"),
    [
        ("tensorflow", ("devices.local=2",), "Set KERAS_BACKEND=jax"),
        ("jax", ("objective=distil", "devices.processes=2", "devices.coordinator=a:1"), "one writer"),
        ("jax", ("devices.local=64",), "XLA_FLAGS"),
    ],
)
def test_what_is_refused(backend: str, settings: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        workers.join(tiny(1, *settings), backend)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("devices.processes=2", "HOST:PORT"),
        ("devices.process=1", r"0\.\.processes-1"),
        ("devices.local=-1", "at least 0"),
    ],
)
def test_impossible_devices(setting: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        config.override(tiny(1), [setting])


def test_the_environment_wins_and_is_read_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FACENET_PROCESSES", "2")
    with pytest.raises(ConfigError, match=r"HOST:PORT.*\(From EDGE_FACENET_PROCESSES\.\)"):
        workers.join(tiny(1), "jax")
    monkeypatch.setenv("EDGE_FACENET_PROCESSES", "two")
    with pytest.raises(ConfigError, match="whole number, found 'two'"):
        workers.join(tiny(1), "jax")


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ((), "6 rows"),
        (("objective=triplet", "triplet.mining=offline", "batch.people=4"), "6 rows"),
        (("objective=distil", "distil.batch=10"), "10 rows"),
    ],
)
def test_rows_that_cannot_be_dealt_out(settings: tuple[str, ...], count: str) -> None:
    with pytest.raises(ConfigError, match=f"{count} a step"):
        workers._check_rows(tiny(1, *settings), 4)


def test_shares_put_together_are_the_batch() -> None:
    batch = {"image": np.arange(12).reshape(6, 2), "label": np.arange(6)}
    shares = [workers.Team(3, number, ("a", "b", "c")).share(batch) for number in range(3)]
    for name, rows in batch.items():
        assert np.array_equal(np.concatenate([share[name] for share in shares]), rows)
