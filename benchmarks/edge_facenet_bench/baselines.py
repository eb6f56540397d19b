"""What every embedder is held against, on the same pairs: raw pixels, the untrained network, Fisherfaces."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_facenet.errors import InputError

from .faces import Faces, Rows
from .run import Baseline

if TYPE_CHECKING:
    from edge_facenet.photos.cropset import CropSet

_BATCH = 64


@dataclass(frozen=True)
class Network:
    """The backbone whose untrained twin is the baseline."""

    name: str
    size: int
    width: float = 1.0
    dimension: int = 128
    seed: int = 0


def network_of(split_path: Path | None) -> Network | None:
    """The backbone of the run whose folder holds the split; None when there is no run's configuration beside it."""
    if split_path is None:
        return None
    try:
        config = json.loads((split_path.parent / "config.json").read_text(encoding="utf-8"))
        found = config["backbone"]
        return Network(found["name"], found["size"], found.get("width", 1.0), found.get("dimension", 128))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def compute(crops: CropSet, faces: Faces, network: Network | None) -> tuple[Baseline, ...]:
    """Accuracy of the three on the faces' pairs. One that cannot be computed stands there with the reason.

    Fisherfaces learn from the split's training identities alone; without a split there are none.
    """
    return (_raw(faces), _untrained(faces, network), _fisherfaces(crops, faces))


def _raw(faces: Faces) -> Baseline:
    from edge_facenet.verification.baselines import RAW_SIZE, raw_pixels

    what = f"cosine of the {RAW_SIZE} x {RAW_SIZE} grey pixels, nothing learned"
    return _judged("raw pixels", what, faces, raw_pixels(faces.cut(RAW_SIZE)))


def _fisherfaces(crops: CropSet, faces: Faces) -> Baseline:
    from edge_facenet.verification.baselines import FISHER_SIZE, fisherfaces

    what = "principal components and linear discriminants (1997), learned from the same training people"
    if faces.split is None or not faces.split.train:
        return Baseline(
            "Fisherfaces", what, note="needs the split, to learn from its training identities: --split RUN/split.json"
        )
    rows = crops.rows_of(faces.split.train)
    try:
        fitted = fisherfaces(crops.cut(rows, FISHER_SIZE), np.asarray(crops.labels)[rows])
    except InputError as error:
        return Baseline("Fisherfaces", what, note=str(error))
    return _judged("Fisherfaces", what, faces, fitted.embed(faces.cut(FISHER_SIZE)))


def _untrained(faces: Faces, network: Network | None) -> Baseline:
    name = "untrained network"
    if network is None:
        return Baseline(name, "the same network with random weights", note="no config.json of the run beside the split")
    what = f"the same network ({network.name}, {network.size} px, width {network.width:g}) with random weights"
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is None:
        return Baseline(name, what, note="needs Keras: pip install 'edge-facenet[train]'")
    return _judged(name, what, faces, _random_embeddings(faces, network))


def _random_embeddings(faces: Faces, network: Network) -> Rows:
    from edge_facenet.engines.native_output import caught
    from edge_facenet.pixels import PixelSpec
    from edge_facenet.train.backbones import build
    from edge_facenet.train.backend import keras
    from edge_facenet.verification.baselines import unit

    keras("The untrained network").utils.set_random_seed(network.seed)
    tensor = PixelSpec(size=network.size).tensor(faces.cut(network.size))
    with caught(2):  # TensorFlow greets on stderr when it first computes
        model: Any = build(network.name, size=network.size, width=network.width, dimension=network.dimension)
        parts = [np.asarray(model(tensor[at : at + _BATCH], training=False)) for at in range(0, len(tensor), _BATCH)]
    return unit(np.concatenate(parts))


def _judged(name: str, what: str, faces: Faces, embeddings: Rows) -> Baseline:
    accuracy, faults = faces.accuracy(embeddings)
    return Baseline(name, what, accuracy, "; ".join(faults) or None)
