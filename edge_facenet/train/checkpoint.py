"""Checkpoints: folders `step-0001200/` that are complete or absent, and what is read back from them.

Each is written beside under another name, every file synchronised, and renamed: that is the commit. `state.json` holds
the sha256 of its files, so that one damaged afterwards is known, and passed over for the one before.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..errors import InputError, OutputError
from ..schema import doc, from_json, to_json
from ..verification import Split, read_split
from . import backbones, config
from .config import TrainConfig
from .weights_file import weights_h5

WEIGHTS, AVERAGED, STATE, REST = "weights.weights.h5", "averaged.weights.h5", "state.json", "optimizer.npz"
_WRITING = ".writing-"
_KEEP = 2


@dataclass(frozen=True)
class State:
    """What `state.json` holds."""

    step: int = doc("updates done")
    files: dict[str, str] = doc("sha256 of each file of the folder")
    crops: str = doc("sha256 of the crop set trained on")
    accuracy: float | None = doc("balanced accuracy on the calibrate people, %, when it was looked at", None)


@dataclass(frozen=True)
class Saved:
    """One complete checkpoint."""

    path: Path
    state: State


@dataclass(frozen=True)
class Restored:
    """A trained network, ready to embed or to be exported."""

    model: Any  # keras.Model, float32, ordinary BatchNormalization: "image" -> raw embedding
    backbone: str
    size: int
    width: float
    step: int
    config: dict[str, Any]
    split: Split
    crops: str  # sha256 of the crop set trained on


def load_embedder(run: Path, on_message: Callable[[str], None] | None = None) -> Restored:
    """The network of a run's newest complete checkpoint, with averaged weights when it has some.

    Args:
        on_message: told of damaged checkpoints that are passed over.
    Raises:
        InputError: no run, or no complete checkpoint in it.
    """
    if not (run / "config.json").is_file():
        raise InputError(f"{run} is not a training run: it has no config.json. Give the folder that `train` wrote.")
    saved = newest(run, on_message)
    if saved is None:
        raise InputError(f"{run} holds no complete checkpoint. Let `edge-facenet train` reach its first one.")
    settings = config.read(run / "config.json")
    net, averaged = settings.backbone, saved.path / AVERAGED
    model = plain_network(settings)
    model.load_weights(averaged if averaged.exists() else saved.path / WEIGHTS)
    split = read_split(run / "split.json")
    return Restored(model, net.name, net.size, net.width, saved.state.step, to_json(settings), split, saved.state.crops)


def plain_network(settings: TrainConfig) -> Any:
    """The configured backbone in float32 with ordinary layers, random weights."""
    from .backend import keras

    policies = keras("Reading a checkpoint").config
    before = policies.dtype_policy()
    policies.set_dtype_policy("float32")
    try:
        net = settings.backbone
        return backbones.build(net.name, size=net.size, width=net.width, dimension=net.dimension)
    finally:
        policies.set_dtype_policy(before)


def newest(run: Path, on_message: Callable[[str], None] | None = None) -> Saved | None:
    """The newest complete checkpoint; damaged ones are passed over, each with a sentence to `on_message`."""
    for path in reversed(_folders(run)):
        try:
            return _open(path)
        except InputError as error:
            if on_message:
                on_message(f"{error} Going back to the one before.")
    return None


def save(run: Path, learner: Any, vessel: Any, state: State) -> Saved:
    """Write a checkpoint and remove those no longer needed (the last two and the best stay).

    Args:
        learner: what is being trained (`learner.Learner`).
        vessel: an ordinary copy of its network that weights are written through.
        state: `files` is filled in here.
    Raises:
        OutputError: the disk is full or not writable; previous checkpoints are whole.
    """
    return _commit(run, state, lambda folder: _write_weights(folder, learner, vessel))


def save_weights(run: Path, network: Any, state: State) -> Saved:
    """A checkpoint of the weights of an ordinary network alone: to be exported and begun with, not to be gone on with.

    Raises:
        OutputError: the disk is full or not writable.
    """
    return _commit(run, state, lambda folder: (folder / WEIGHTS).write_bytes(weights_h5(network)))


def _commit(run: Path, state: State, write: Callable[[Path], object]) -> Saved:
    final = run / f"step-{state.step:07d}"
    writing = run / f"{_WRITING}{final.name}"
    with _explained(final, writing):
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir(parents=True)
        write(writing)
        names = sorted(p.name for p in writing.iterdir())
        whole = State(state.step, {n: files.sha256(writing / n) for n in names}, state.crops, state.accuracy)
        (writing / STATE).write_text(files.canonical_json(to_json(whole)), encoding="utf-8")
        _synchronise(writing)
        shutil.rmtree(final, ignore_errors=True)  # a damaged one of the same step
        os.rename(writing, final)
        _synchronise_folder(run)
    _prune(run)
    return Saved(final, whole)


def restore(saved: Saved, learner: Any, vessel: Any) -> None:
    """Bring `learner` to where it was when `saved` was written, bit for bit.

    Raises:
        InputError: the checkpoint holds weights alone.
    """
    if not (saved.path / REST).exists():
        raise InputError(
            f"{saved.path} holds weights alone (`train soup` made it). Begin another training with them: "
            f"--init-from {saved.path.parent}"
        )
    vessel.load_weights(saved.path / WEIGHTS)
    learner.network.set_weights(vessel.get_weights())
    if learner.average is not None:
        learner.average.load_weights(saved.path / AVERAGED)
    with np.load(saved.path / REST) as rest:
        for number, variable in enumerate(learner.state()):
            variable.assign(rest[f"{number:05d}"])


def clear_unfinished(run: Path) -> None:
    """Remove what a killed process left half written."""
    for path in run.glob(f"{_WRITING}*"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _write_weights(folder: Path, learner: Any, vessel: Any) -> None:
    from keras import ops

    vessel.set_weights(learner.network.get_weights())
    (folder / WEIGHTS).write_bytes(weights_h5(vessel))
    if learner.average is not None:
        (folder / AVERAGED).write_bytes(weights_h5(learner.average))
    arrays = {f"{n:05d}": np.asarray(ops.convert_to_numpy(v)) for n, v in enumerate(learner.state())}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stubs take allow_pickle for one of these
    (folder / REST).write_bytes(buffer.getvalue())


@contextlib.contextmanager
def _explained(final: Path, writing: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        shutil.rmtree(writing, ignore_errors=True)
        raise OutputError(
            f"Cannot write checkpoint {final}: {error.strerror or error}. Earlier checkpoints are whole: make room and start `train` again."
        ) from error


def oldest(run: Path) -> int:
    """Step of the oldest checkpoint that a run may go on from; 0 where there is none."""
    return min((int(path.name[5:]) for path in _folders(run)), default=0)


def _folders(run: Path) -> list[Path]:
    return sorted(p for p in run.glob("step-*") if p.is_dir() and p.name[5:].isdigit())


def _open(path: Path) -> Saved:
    """A checkpoint whose every file is what was written."""
    state = _state(path)
    for name, digest in state.files.items():
        if not (path / name).is_file() or files.sha256(path / name) != digest:
            raise InputError(f"Checkpoint {path} is damaged: {name} is not what was written.")
    return Saved(path, state)


def _state(path: Path) -> State:
    try:
        value = json.loads((path / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"Checkpoint {path} is damaged: {error}.") from error
    return from_json(State, value, f"checkpoint {path}", InputError)


def _prune(run: Path) -> None:
    """Keep the newest two and the one with the highest accuracy; a damaged one is left for the user to see."""
    saved: list[Saved] = []
    for path in _folders(run):
        with contextlib.suppress(InputError):
            saved.append(Saved(path, _state(path)))
    keep = {one.path for one in saved[-_KEEP:]}
    if judged := [one for one in saved if one.state.accuracy is not None]:
        keep.add(max(judged, key=lambda one: one.state.accuracy or 0.0).path)
    for one in saved:
        if one.path not in keep:
            shutil.rmtree(_renamed(one.path), ignore_errors=True)


def _renamed(path: Path) -> Path:
    """Out of sight first, so that a kill in the middle of removing leaves no half checkpoint under its name."""
    away = path.with_name(f"{_WRITING}removed-{path.name}")
    os.rename(path, away)
    return away


def _synchronise(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())
    _synchronise_folder(folder)


def _synchronise_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
