"""One crop set, one run and one export of all recipes, shared by the room's tests."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from dataclasses import dataclass
from pathlib import Path

import export_world
import pytest
from edge_facenet_export import pipeline
from edge_facenet_export.source import Source, gather

from edge_facenet.photos.cropset import CropSet
from edge_facenet.train.config import BackboneConfig


@dataclass(frozen=True)
class World:
    """Paths of a run, its crops and everything exported from it."""

    crops: CropSet
    run: Path
    out: Path
    written: tuple[Path, ...]
    source: Source
    """The float network, its conversions done once."""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """`mobile` at 32 px, a quarter of its width, exported by every recipe."""
    place = tmp_path_factory.mktemp("export")
    crops = export_world.crop_set(place / "crops")
    run = export_world.run(place / "run", BackboneConfig("mobile", 32, 0.25))
    kept: list[Source] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "gather", lambda *arguments: kept.append(gather(*arguments)) or kept[-1])
        written = pipeline.export(run, crops.path, place / "out", pipeline.Options(name="small"))
    return World(crops, run, place / "out", tuple(written), kept[0])


@pytest.fixture
def quick(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, with the conversions to float files done already: seconds less per export."""
    monkeypatch.setattr(pipeline, "gather", lambda *_: world.source)
    return world
