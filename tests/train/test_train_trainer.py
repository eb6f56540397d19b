"""Trainings of seconds: what they write, how they go on, what they refuse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import train_faces
from train_faces import arrays, tiny

from edge_facenet.errors import BudgetExceeded, ConfigError, GateError, InputError
from edge_facenet.photos.cropset import CropSet
from edge_facenet.pixels import PixelSpec

pytest.importorskip("keras")

from edge_facenet.train import checkpoint, embedding, monitor, objectives, trainer

pytestmark = pytest.mark.usefixtures("tiny_backbone")
CHILD = Path(__file__).with_name("train_child.py")


def _same(one: Path, two: Path) -> bool:
    a, b = arrays(one), arrays(two)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def _folders(run: Path) -> list[str]:
    return sorted(path.name for path in run.iterdir() if path.name[0] != ".")


@pytest.fixture(scope="module")
def undisturbed(eight_people: CropSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight steps with everything on, in one go."""
    train_faces.register_tiny()
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    result = trainer.train(eight_people, run, tiny(8, *EVERYTHING))
    assert (result.step, result.started_at) == (8, 0)
    return run


EVERYTHING = ("objective=softmax+triplet", "average=0.9", "l2=1e-4", "look_every=4")


def test_a_run_s_folder(undisturbed: Path) -> None:
    assert _folders(undisturbed)[:3] == ["config.json", "log.csv", "split.json"]
    assert {"step-0000006", "step-0000008"} <= set(_folders(undisturbed)[3:])
    rows = monitor.read_log(undisturbed / "log.csv")
    assert [int(row["step"]) for row in rows] == list(range(1, 9))
    assert {"loss", "softmax", "triplet", "l2", "accuracy", "active_triplets", "mean_cosine"} <= rows[0].keys()
    for row in rows:
        parts = sum(float(row[name]) for name in ("softmax", "triplet", "l2"))
        assert float(row["loss"]) == pytest.approx(parts, rel=1e-4)  # the log has six digits
        assert 0 <= float(row["active_triplets"]) <= 1
    assert [bool(row["val_accuracy"]) for row in rows] == [False] * 3 + [True] + [False] * 3 + [True]


def test_what_load_embedder_gives(undisturbed: Path, eight_people: CropSet) -> None:
    restored = checkpoint.load_embedder(undisturbed)
    assert (restored.backbone, restored.size, restored.width, restored.step) == ("tiny", 16, 1.0, 8)
    assert restored.config["objective"] == "softmax+triplet"
    people = (*restored.split.train, *restored.split.calibrate, *restored.split.test)
    assert sorted(people) == sorted(eight_people.identities)
    faces = eight_people.cut(np.arange(6), 16)
    together = embedding.embed(restored.model, faces)
    assert together.shape == (6, 8) and np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-6


def test_c051_a_face_alone_first_and_last_in_a_batch_after_training(undisturbed: Path, eight_people: CropSet) -> None:
    """The network itself, with batches of any length (after export: tests/export, tests/core). In training mode, where
    statistics are the batch's, the same comparison fails by far."""
    model = checkpoint.load_embedder(undisturbed).model
    pixels = PixelSpec(16).tensor(eight_people.cut(np.arange(33) % len(eight_people.labels), 16)).astype(np.float32)
    face, others = pixels[7:8], pixels[np.arange(33) != 7]
    batches = (face, np.concatenate([face, others]), np.concatenate([others, face]))
    for training, right in ((False, True), (True, False)):
        given = [np.asarray(model(batch, training=training)) for batch in batches]
        unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in given]
        farthest = max(np.abs(unit[1][0] - unit[0][0]).max(), np.abs(unit[2][-1] - unit[0][0]).max())
        assert (farthest < 1e-5) == right, f"training={training}: {farthest}"
    alone = embedding.embed(model, eight_people.cut([7], 16))[0]
    assert np.abs(embedding.embed(model, eight_people.cut(np.arange(32), 16))[7] - alone).max() < 1e-5


def test_averaged_weights_are_the_average(run: Path, eight_people: CropSet) -> None:
    """Two steps: average = init, then kept 1/8 (+7/8 of the weights before step 1), then 2/9 (+7/9 before step 2)."""
    trainer.train(eight_people, run, tiny(2, "average=0.99", "save_every=1", "seed=1"))
    first, second = (arrays(run / f"step-000000{n}") for n in (1, 2))
    kernels = [name for name in first if name.startswith("averaged") and name.endswith("conv2d/vars/0")]
    assert kernels
    for name in kernels:
        raw = first[name.replace("averaged", "weights", 1)]
        wanted = 2 / 9 * first[name] + 7 / 9 * raw
        assert np.abs(second[name] - wanted).max() < 1e-6  # one float32 step at size 1


def _killed(crops: CropSet, run: Path, wait: float, *assignments: str) -> None:
    """Train in a child and kill -9 it `wait` seconds after its next checkpoint."""
    before = _folders(run) if run.exists() else []
    words = [sys.executable, str(CHILD), str(crops.path), str(run), "8", *assignments]
    child = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(CHILD.parent)}, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 200
    while child.poll() is None and time.monotonic() < deadline:
        if run.exists() and any(name.startswith("step") and name not in before for name in _folders(run)):
            time.sleep(wait)
            break
        time.sleep(0.005)
    child.kill()
    _, said = child.communicate()
    assert child.returncode in (-signal.SIGKILL, 0), said.decode()


def test_killed_stopped_and_gone_on_it_ends_with_the_same_bits(
    undisturbed: Path, run: Path, eight_people: CropSet
) -> None:
    """kill -9 after the first checkpoint, then SIGTERM in the middle, then left alone (20 kills: tests/soak)."""
    _killed(eight_people, run, 0.01, *EVERYTHING)

    def stop(done: int, total: int) -> None:
        if done == 5:
            signal.raise_signal(signal.SIGTERM)

    if "step-0000006" not in _folders(run):  # the child was killed in time
        with pytest.raises(KeyboardInterrupt):
            trainer.train(eight_people, run, tiny(8, *EVERYTHING), trainer.Listeners(on_progress=stop))
        assert "step-0000005" in _folders(run)
    result = trainer.train(eight_people, run, tiny(8, *EVERYTHING))
    assert result.started_at >= 5 and result.step == 8
    assert _same(run / "step-0000008", undisturbed / "step-0000008")
    assert [row["step"] for row in monitor.read_log(run / "log.csv")] == [str(step) for step in range(1, 9)]
    assert not [path for path in run.iterdir() if path.name.startswith(".writing")]


def test_a_finished_run_is_left_as_it_is(undisturbed: Path, eight_people: CropSet) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("step-*/*")}
    result = trainer.train(eight_people, undisturbed, tiny(8, *EVERYTHING))
    assert result.started_at == result.step == 8
    assert {path: path.stat().st_mtime_ns for path in undisturbed.glob("step-*/*")} == before


def test_another_configuration_is_refused_by_key(undisturbed: Path, eight_people: CropSet) -> None:
    with pytest.raises(ConfigError, match=r"optimizer.learning_rate was 0.003, now 0.01"):
        trainer.train(eight_people, undisturbed, tiny(8, *EVERYTHING, "optimizer.learning_rate=0.01"))


def test_tensorboard_holds_curves_and_distances(run: Path, eight_people: CropSet) -> None:
    """Read back out of the event files; a resumed run goes on in the same folder."""
    from tensorboardX.proto.event_pb2 import Event

    trainer.train(eight_people, run, tiny(4, "tensorboard=true", "look_every=2", "objective=triplet"))
    found: dict[str, list[int]] = {}
    for path in (run / "tensorboard").iterdir():
        data, at = path.read_bytes(), 0
        while at < len(data):  # length (8 bytes), its checksum (4), the event, its checksum (4)
            length = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    assert {"loss", "active_triplets", "mean_cosine", "learning_rate", "val_accuracy"} <= found.keys()
    assert found["loss"] == [1, 2, 3, 4]
    assert found["squared_distance/one_person"] == found["squared_distance/two_people"] == [2, 4]


def test_a_loss_that_is_no_number_keeps_the_checkpoint_before(run: Path, eight_people: CropSet) -> None:
    """The heads' weights are poisoned after step 5; step 6 stops, step 4 stays and is what is loaded."""
    session: list[Any] = []
    build = objectives.build

    def poison(done: int, total: int) -> None:
        if done == 5:
            session[0].heads[0].directions.assign(np.full(session[0].heads[0].directions.shape, np.nan))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objectives, "build", lambda course: session.append(build(course)) or session[0])
        with pytest.raises(GateError, match="not finite at step 6"):
            trainer.train(eight_people, run, tiny(8), trainer.Listeners(on_progress=poison))
    assert checkpoint.load_embedder(run).step == 4


def test_start_from_another_run(undisturbed: Path, run: Path, eight_people: CropSet) -> None:
    config = tiny(1, f"backbone.start_from={undisturbed}", "optimizer.learning_rate=1e-9", "schedule.floor=0")
    trainer.train(eight_people, run, config)
    kernel = "weights.weights.h5:layers/conv2d/vars/0"
    source = arrays(undisturbed / "step-0000008")["averaged.weights.h5:layers/conv2d/vars/0"]
    assert np.abs(arrays(run / "step-0000001")[kernel] - source).max() < 1e-6
    with pytest.raises(ConfigError, match="start_from"):
        trainer.train(
            eight_people, run.with_name("other"), tiny(1, f"backbone.start_from={undisturbed}", "backbone.dimension=9")
        )


@pytest.mark.parametrize(
    "settings",
    [
        ("optimizer.name=sgd", "optimizer.learning_rate=0.2"),
        ("optimizer.name=muon", "optimizer.learning_rate=0.02", "precision=mixed_bfloat16", "fused_norm=true"),
    ],
)
def test_the_other_optimisers_learn(run: Path, eight_people: CropSet, settings: tuple[str, ...]) -> None:
    """The loss of four easy people comes down in 12 steps; the checkpoint is float32 with ordinary layers."""
    common = (
        "schedule.warmup_least=1",
        "optimizer.weight_decay=0.001",
        "save_every=100",
        "schedule.shape=constant-linear",
    )
    trainer.train(eight_people, run, tiny(12, *common, *settings))
    losses = [float(row["loss"]) for row in monitor.read_log(run / "log.csv")]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    restored = checkpoint.load_embedder(run)
    assert {str(w.dtype) for w in restored.model.weights} == {"float32"}
    assert "FusedBatchNormalization" not in {type(layer).__name__ for layer in restored.model.layers}


def test_what_is_refused_before_anything_is_written(run: Path, eight_people: CropSet, tmp_path: Path) -> None:
    one_person = train_faces.crop_set(tmp_path / "one", people=1)
    one_photo = train_faces.crop_set(tmp_path / "photo", photos=1)
    for crops, config, error, says in (
        (one_person, tiny(), InputError, "Only one identity"),
        (one_photo, tiny(), InputError, "4 of 4 people have fewer than 2 photos"),
        (eight_people, tiny(4, "budget_muladds=1000"), BudgetExceeded, "above the budget"),
        (eight_people, tiny(4, "backbone.name=tyni"), ConfigError, 'did you mean "tiny"'),
        (eight_people, tiny(4, "objective=softmx"), ConfigError, 'did you mean "softmax"'),
        (eight_people, tiny(4, "batch.people=5"), InputError, "batch.people=4"),
        (eight_people, tiny(4, "split.test=7"), InputError, "Cannot split 8 people"),
    ):
        with pytest.raises(error, match=says):
            trainer.train(crops, run, config)
        assert not run.exists() or not list(run.glob("step-*")), says
    trainer.train(eight_people, run, tiny(1))  # and after all these a right one begins


def test_people_added_later_change_nothing(run: Path, tmp_path: Path) -> None:
    """C022 and resuming: a grown crop set trains on, with a word about it."""
    small, grown = (train_faces.crop_set(tmp_path / f"{people}", people) for people in (8, 9))
    with pytest.raises(KeyboardInterrupt):
        trainer.train(small, run, tiny(4), trainer.Listeners(on_progress=lambda *_: signal.raise_signal(signal.SIGINT)))
    split = (run / "split.json").read_bytes()
    said: list[str] = []
    trainer.train(grown, run, tiny(4), trainer.Listeners(on_message=said.append))
    assert (run / "split.json").read_bytes() == split and "crop set has changed" in said[0]


def test_jax_trains_and_tensorflow_reads_it(run: Path, eight_people: CropSet) -> None:
    pytest.importorskip("jax")
    settings = [word for word in EVERYTHING if not word.startswith("look")]
    words = [sys.executable, str(CHILD), str(eight_people.path), str(run), "3", *settings]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(CHILD.parent)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    losses = [float(row["loss"]) for row in monitor.read_log(run / "log.csv")]
    assert len(losses) == 3 and np.isfinite(losses).all()
    restored = checkpoint.load_embedder(run)
    rows = embedding.embed(restored.model, eight_people.cut(np.arange(4), 16))
    assert restored.step == 3 and np.isfinite(rows).all() and not np.allclose(rows[0], rows[-1])
