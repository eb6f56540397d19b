"""Small crop sets, a network of two layers and configurations: a training of seconds."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from edge_facenet.photos import growing
from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import backbones, config
from edge_facenet.train.config import TrainConfig

TINY = (
    "backbone.name=tiny",
    "backbone.size=16",
    "backbone.dimension=8",
    "batch.people=3",
    "batch.images=2",
    "split.test=2",
    "split.calibrate=2",
    "save_every=2",
    "log_every=1",
    "deterministic=true",
)


def build_tiny(*, size: int, width: float = 1.0, dimension: int = 128) -> Any:
    """One convolution, one depthwise one, a mean and a dense layer, each with its normalisation."""
    from keras import Input, Model, layers

    image = Input((size, size, 3), name="image")
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(image)
    x = layers.ReLU(name="seen")(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dense(dimension, use_bias=False)(layers.GlobalAveragePooling2D()(x))
    return Model(image, layers.BatchNormalization(momentum=0.9)(x), name="tiny")


def register_tiny() -> None:
    """Put it into the registry of backbones as "tiny", as the next backbone would be."""
    module = ModuleType(f"{backbones.__name__}.tiny")
    module.build = build_tiny  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    backbones.BACKBONES["tiny"] = backbones.Backbone("tiny", 16, 8, False, "for tests")


def crops(people: int = 8, photos: int = 4, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """(people * photos, 128, 128, 3) uint8 and names: each person is one coarse pattern, each photo a noisy one of it."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 256, (people, 6, 6, 3))
    noisy = patterns[:, None] + rng.integers(-40, 41, (people, photos, 6, 6, 3))
    small = noisy.clip(0, 255).astype(np.uint8).reshape(-1, 6, 6, 3)
    big = np.stack([cv2.resize(face, (128, 128), interpolation=cv2.INTER_LINEAR) for face in small])
    return big, [f"p{number}" for number in range(people) for _ in range(photos)]


def crop_set(folder: Path, people: int = 8, photos: int = 4) -> CropSet:
    """A sealed crop set of these."""
    return growing.write(folder, *crops(people, photos))


def tiny(steps: int = 4, *assignments: str) -> TrainConfig:
    """A training of a network with a few thousand weights."""
    return config.override(TrainConfig(steps), [*TINY, *assignments])


def arrays(checkpoint: Path) -> dict[str, np.ndarray]:
    """Every array of a checkpoint's folder, by file and name."""
    found: dict[str, np.ndarray] = {}
    for path in sorted(checkpoint.glob("*.h5")):
        found |= {f"{path.name}:{name}": array for name, array in h5_arrays(path).items()}
    with np.load(checkpoint / "optimizer.npz") as rest:
        found |= {f"optimizer:{name}": rest[name] for name in rest.files}
    return found


def h5_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an HDF5 file, by name."""
    import h5py

    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: _keep(found, name, item))
    return found


def _keep(found: dict[str, np.ndarray], name: str, item: object) -> None:
    if hasattr(item, "shape"):
        found[name] = item[()]  # type: ignore[index]
