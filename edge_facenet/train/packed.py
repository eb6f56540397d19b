"""A network's weights in one small file: float16 arrays and what they belong to. Released and interim weights travel so.

Half precision loses nothing that a training notices: rounding to 11 bits moves an embedding by a cosine of some 1e-6.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import files
from ..errors import GateError, InputError, SetupError
from ..schema import doc, from_json, to_json
from . import checkpoint
from .sections import BackboneConfig

SUFFIX = ".npz"
_ABOUT = "about"
HALF_LIMIT = float(np.finfo(np.float16).max)
Weights = list[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class About:
    """What the weights belong to."""

    backbone: str = doc("by its name in the registry")
    size: int = doc("height and width of the input, px")
    width: float = doc("multiplier of the channel counts")
    dimension: int = doc("length of the embedding")
    step: int = doc("updates done")
    objective: str = doc("what was learned from")
    seed: int = doc("of the training")


def pack(run: Path, file: Path) -> About:
    """Write the averaged weights of a run's newest checkpoint to `file`; equal weights give equal bytes.

    Raises:
        InputError: no run, or no complete checkpoint in it.
        GateError: a weight is beyond half precision; nothing is written.
    """
    restored = checkpoint.load_embedder(run)
    config = restored.config
    net = BackboneConfig(**config["backbone"])
    about = About(net.name, net.size, net.width, net.dimension, restored.step, config["objective"], config["seed"])
    arrays: dict[str, Any] = {_ABOUT: np.array(json.dumps(to_json(about), sort_keys=True))}
    for number, weight in enumerate(restored.model.weights):
        values = np.asarray(weight)
        if not np.abs(values).max() <= HALF_LIMIT:
            raise GateError(
                f"{weight.path} holds {np.abs(values).max():g}, beyond half precision; {file} is not written."
            )
        arrays[f"{number:05d}"] = values.astype(np.float16)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    files.write_bytes(file, stream.getvalue())
    return about


def unpack(file: Path) -> tuple[About, Weights]:
    """What a file of `pack` holds, as float32, in the order of the network's weights.

    Raises:
        InputError: not such a file, or damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as held:
            about = json.loads(str(held[_ABOUT]))
            weights = [held[name].astype(np.float32) for name in sorted(set(held.files) - {_ABOUT})]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file} holds no packed weights ({error}). Make it with: edge-facenet train pack RUN FILE"
        ) from error
    return from_json(About, about, f"packed weights {file.name}", InputError), weights


def file_of(source: str) -> Path | None:
    """The packed file that `source` names, by its path or as a released network; None when it must be a run's folder.

    A released network's name wins over a folder of that name, which is meant by "./NAME".

    Raises:
        InputError: no path, and no released network of that name.
    """
    path = Path(source)
    if path.suffix == SUFFIX:
        return path
    return _released(source) if is_released(source) or (_bare(source) and not path.exists()) else None


def is_released(source: str) -> bool:
    """Whether this is the name of an installed released network that has weights to begin with."""
    try:
        return _bare(source) and _released(source).is_file()
    except InputError:
        return False


def _bare(source: str) -> bool:
    return Path(source).name == source


def _released(name: str) -> Path:
    try:
        models = import_module("edge_facenet_models")
    except ImportError as error:
        raise SetupError(
            f"There is no run {name}, and the released models are not installed. Type: pip install edge-facenet-models"
        ) from error
    try:
        return Path(models.weights(name))
    except LookupError as error:
        raise InputError(f"There is no run {name}. {error.args[0]} Give a run's folder, or one of these.") from error
