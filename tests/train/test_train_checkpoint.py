"""Checkpoints that are whole or absent: full disks, damage, what is kept."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import train_faces
from train_faces import arrays, tiny

from edge_facenet.errors import InputError, OutputError

keras = pytest.importorskip("keras")

from edge_facenet.train import backbones, checkpoint  # noqa: E402
from edge_facenet.train.checkpoint import State  # noqa: E402
from edge_facenet.train.weights_file import weights_h5  # noqa: E402


@pytest.fixture(scope="module")
def network() -> Any:
    return train_faces.build_tiny(size=16, dimension=8)


@pytest.fixture
def learner(network: Any) -> Any:
    """What `checkpoint` uses of a learner."""
    return SimpleNamespace(network=network, average=None, state=lambda: [keras.Variable(np.arange(3.0))])


def _save(run: Path, learner: Any, step: int, accuracy: float | None = None) -> checkpoint.Saved:
    return checkpoint.save(run, learner, learner.network, State(step, {}, "crops", accuracy))


@contextmanager
def _disk_of(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: what a full disk does to a writer, without needing one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 100, 3000])
def test_full_disk_leaves_the_checkpoint_before(run: Path, learner: Any, size: int) -> None:
    first = _save(run, learner, 1)
    before = arrays(first.path)
    with pytest.raises(OutputError, match="Earlier checkpoints are whole"), _disk_of(size):
        _save(run, learner, 2)
    assert sorted(path.name for path in run.iterdir()) == ["step-0000001"]
    newest = checkpoint.newest(run)
    assert newest is not None and newest.state.step == 1
    assert all(np.array_equal(before[name], array) for name, array in arrays(first.path).items())
    _save(run, learner, 2)  # and with room again it goes on


def test_equal_weights_give_equal_files(run: Path, learner: Any) -> None:
    one, two = _save(run / "a", learner, 1), _save(run / "b", learner, 1)
    assert one.state.files == two.state.files and set(one.state.files) == {"weights.weights.h5", "optimizer.npz"}


def test_the_last_two_and_the_best_are_kept(run: Path, learner: Any) -> None:
    for step, accuracy in ((1, 70.0), (2, 90.0), (3, None), (4, 80.0), (5, None), (6, 60.0)):
        _save(run, learner, step, accuracy)
    assert sorted(path.name for path in run.iterdir()) == ["step-0000002", "step-0000005", "step-0000006"]


@pytest.mark.parametrize("name", ["weights.weights.h5", "optimizer.npz", "state.json"])
def test_a_damaged_checkpoint_is_passed_over_by_name(run: Path, learner: Any, name: str) -> None:
    _save(run, learner, 1)
    path = _save(run, learner, 2).path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if name != "state.json" else content[: len(content) // 2])
    said: list[str] = []
    newest = checkpoint.newest(run, said.append)
    assert newest is not None and newest.state.step == 1
    assert len(said) == 1 and "step-0000002 is damaged" in said[0]
    path.unlink()
    assert checkpoint.newest(run) == newest


def test_a_half_written_one_does_not_count(run: Path, learner: Any) -> None:
    _save(run, learner, 1)
    (run / ".writing-step-0000002").mkdir()
    newest = checkpoint.newest(run)
    assert newest is not None and newest.state.step == 1
    _save(run, learner, 2)  # over the rest of the killed one


def test_load_embedder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a training run"):
        checkpoint.load_embedder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no complete checkpoint"):
        checkpoint.load_embedder(tmp_path)


def test_plain_network_ignores_the_policy_in_force(tiny_backbone: None) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = checkpoint.plain_network(tiny())
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}


def test_weights_file_is_what_keras_reads(tmp_path: Path) -> None:
    """The same names and arrays as Keras' own file, a nested model and a layer without bias included."""
    image = keras.Input((16, 16, 3))
    inner = train_faces.build_tiny(size=16, dimension=8)
    x = keras.layers.PReLU()(keras.layers.SeparableConv2D(3, 3, padding="same")(image))
    model = keras.Model(image, keras.layers.Dense(4)(inner(x)))
    theirs, ours = tmp_path / "theirs.weights.h5", tmp_path / "ours.weights.h5"
    model.save_weights(theirs)
    ours.write_bytes(weights_h5(model))
    assert ours.read_bytes() == weights_h5(model)
    wanted, found = (train_faces.h5_arrays(path) for path in (theirs, ours))
    assert wanted.keys() == found.keys() and all(np.array_equal(wanted[name], found[name]) for name in wanted)
    other = keras.models.clone_model(model)
    other.load_weights(ours)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def test_weights_file_of_mobile(tmp_path: Path) -> None:
    one, two = (backbones.build("mobile", size=32, width=0.1) for _ in range(2))
    (tmp_path / "w.weights.h5").write_bytes(weights_h5(one))
    two.load_weights(tmp_path / "w.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights(), strict=True))
