"""Fixtures of the training room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import train_faces

from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import backbones


@pytest.fixture(scope="session")
def eight_people(tmp_path_factory: pytest.TempPathFactory) -> CropSet:
    """A sealed crop set: 8 people, 4 photos each."""
    return train_faces.crop_set(tmp_path_factory.mktemp("train") / "crops")


@pytest.fixture
def tiny_backbone() -> Iterator[None]:
    """The registry knows a network called "tiny"."""
    train_faces.register_tiny()
    yield
    del backbones.BACKBONES["tiny"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder for a run that does not exist yet."""
    return tmp_path / "run"
