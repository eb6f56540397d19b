"""A small world for the export's tests: people made of smooth patterns, and runs with checkpoints nobody trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from edge_facenet_export import pipeline
from edge_facenet_export.source import Source, gather

from edge_facenet import files
from edge_facenet.photos.cropset import CropSet, write
from edge_facenet.schema import to_json
from edge_facenet.train.checkpoint import STATE, WEIGHTS, State, plain_network
from edge_facenet.train.config import TrainConfig
from edge_facenet.train.sections import BackboneConfig
from edge_facenet.verification import Split, write_split

PEOPLE, PHOTOS = 14, 6
SPLIT = Split(
    seed=3,
    train=tuple(f"s{n}" for n in range(1, 8)),
    calibrate=tuple(f"s{n}" for n in range(8, 13)),
    test=("s13", "s14"),
)


@dataclass(frozen=True)
class World:
    """Paths of a run, its crops and everything exported from it."""

    crops: CropSet
    run: Path
    out: Path
    written: tuple[Path, ...]
    source: Source
    """The float network, its conversions done once."""


def make(place: Path) -> World:
    """`mobile` at 32 px, a quarter of its width, exported by every recipe."""
    crops = crop_set(place / "crops")
    trained = run(place / "run", BackboneConfig("mobile", 32, 0.25), crops=crops.sha256)
    kept: list[Source] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "gather", lambda *arguments: kept.append(gather(*arguments)) or kept[-1])
        written = pipeline.export(trained, crops.path, place / "out", pipeline.Options(name="small"))
    return World(crops, trained, place / "out", tuple(written), kept[0])


def photos(people: int = PEOPLE, each: int = PHOTOS) -> tuple[np.ndarray, list[str]]:
    """(people x each, 128, 128, 3) uint8 and a name per crop; a person is a smooth pattern, a photo its noise and shift."""
    rng = np.random.default_rng(5)
    crops, names = [], []
    for person in range(1, people + 1):
        pattern = cv2.resize(rng.uniform(0, 255, (7, 7, 3)), (136, 136), interpolation=cv2.INTER_CUBIC)
        for _ in range(each):
            x, y = rng.integers(0, 9, 2)
            crop = pattern[y : y + 128, x : x + 128] * rng.uniform(0.8, 1.2) + rng.normal(0, 8, (128, 128, 3))
            crops.append(np.clip(crop, 0, 255).astype(np.uint8))
            names.append(f"s{person}")
    return np.stack(crops), names


def crop_set(folder: Path) -> CropSet:
    """The sealed crop set of everybody."""
    return write(folder, *photos())


def settle(model: Any, size: int, faces: int = 32) -> None:
    """Statistics of batch normalisation as a training would leave them: without, activations die out layer by layer."""
    crops = photos(people=8, each=4)[0][:faces]
    images = np.stack([cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in crops])
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0  # one pass, and they are the batch's
    model((images.astype(np.float32) - 128) / 128, training=True)


def run(folder: Path, backbone: BackboneConfig, split: Split = SPLIT, seed: int = 1, crops: str = "") -> Path:
    """A run's folder with one checkpoint of an untrained network; `crops`: sha256 of its crop set."""
    from keras import utils

    settings = TrainConfig(steps=10, backbone=backbone, seed=seed)
    utils.set_random_seed(seed)
    model = plain_network(settings)
    settle(model, backbone.size)
    step = folder / "step-0000010"
    step.mkdir(parents=True)
    model.save_weights(step / WEIGHTS)
    state = State(10, {WEIGHTS: files.sha256(step / WEIGHTS)}, crops)
    files.write_json(step / STATE, to_json(state))
    files.write_json(folder / "config.json", to_json(settings))
    write_split(folder / "split.json", split)
    return folder
