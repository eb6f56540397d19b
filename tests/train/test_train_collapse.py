"""Small trainings that do collapse, and that do not: the detector speaks of the first kind only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from train_faces import tiny

from edge_facenet.photos import growing
from edge_facenet.photos.cropset import CropSet

pytest.importorskip("keras")

from edge_facenet.train import checkpoint, embedding, monitor, trainer

STEPS = 60
BATCH_HARD = ("objective=triplet", "triplet.mining=batch-hard", "batch.people=4", "save_every=60", "optimizer.name=sgd")


def _plain(*, size: int, width: float = 1.0, dimension: int = 128) -> object:
    """No normalisation, which spreads a batch out by force."""
    from keras import Input, Model, layers

    image = Input((size, size, 3), name="image")
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(image)
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(x)
    return Model(image, layers.Dense(dimension)(layers.Flatten()(x)), name="plain")


@pytest.fixture
def plain(tiny_backbone: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called, it makes "tiny" a network without normalisation."""
    return lambda: monkeypatch.setattr(sys.modules["edge_facenet.train.backbones.tiny"], "build", _plain)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> CropSet:
    """8 people whose photos differ three times as much as they do: the hardest positive is further than most negatives."""
    rng = np.random.default_rng(0)
    people, photos = rng.integers(-30, 31, (8, 1, 6, 6, 3)), rng.integers(-90, 91, (8, 4, 6, 6, 3))
    small = (128 + people + photos).clip(0, 255).astype(np.uint8).reshape(-1, 6, 6, 3)
    big = np.stack([cv2.resize(face, (128, 128), interpolation=cv2.INTER_LINEAR) for face in small])
    return growing.write(tmp_path_factory.mktemp("strangers") / "crops", big, [f"p{k // 4}" for k in range(32)])


@pytest.fixture
def sets(eight_people: CropSet, strangers: CropSet) -> dict[bool, CropSet]:
    """By whether its people are easy to tell apart."""
    return {True: eight_people, False: strangers}


def _trained(crops: CropSet, run: Path, *settings: str) -> tuple[list[str], float, list[float]]:
    """What was said, the mean cosine between different people's photos, and the triplet loss of each step."""
    said: list[str] = []
    trainer.train(crops, run, tiny(STEPS, *BATCH_HARD, *settings), trainer.Listeners(on_message=said.append))
    rows = embedding.embed(checkpoint.load_embedder(run).model, crops.cut(np.arange(len(crops.labels)), 16))
    others = crops.labels[:, None] != crops.labels[None]
    losses = [float(row["triplet"]) for row in monitor.read_log(run / "log.csv")]
    return said, float((rows @ rows.T)[others].mean()), losses


@pytest.mark.parametrize("normalised", [False, True])
def test_batch_hard_at_a_high_rate_collapses_and_is_called_so(
    strangers: CropSet, run: Path, plain: Callable[[], None], normalised: bool
) -> None:
    if not normalised:
        plain()
    said, cosine, losses = _trained(strangers, run, "optimizer.learning_rate=0.3")
    assert np.mean(losses[-10:]) == pytest.approx(0.2, rel=0.1), "it did collapse: the loss is its margin"
    assert cosine > 0.95 or normalised  # in inference, statistics that lag behind spread a collapsed network out again
    assert any(line.startswith("Embeddings collapse: at step") for line in said)
    assert len(said) <= 2 and all("Lower optimizer.learning_rate" in line for line in said)


@pytest.mark.parametrize(
    ("normalised", "easy", "settings"),
    [
        (False, True, ("optimizer.learning_rate=0.02",)),
        (False, True, ("optimizer.learning_rate=0.3",)),  # the same rate, on people that can be told apart
        (False, True, ("optimizer.learning_rate=0.02", "triplet.mining=semi-hard")),
        (True, True, ("optimizer.learning_rate=0.02",)),
        (True, False, ("optimizer.learning_rate=0.02",)),  # learns little, but is no constant
        (True, False, ("optimizer.learning_rate=0.02", "triplet.mining=semi-hard")),
    ],
)
def test_what_does_not_collapse_is_not_called_so(
    sets: dict[bool, CropSet],
    run: Path,
    plain: Callable[[], None],
    normalised: bool,
    easy: bool,
    settings: tuple[str, ...],
) -> None:
    if not normalised:
        plain()
    said, cosine, losses = _trained(sets[easy], run, *settings)
    assert said == [] and cosine < 0.9
    assert not easy or np.mean(losses[-10:]) < np.mean(losses[:10])
