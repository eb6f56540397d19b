"""One crop set, one run and one export of all recipes, shared by the room's tests."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import export_world
import pytest
from edge_facenet_export import pipeline
from export_world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """`mobile` at 32 px, a quarter of its width, exported by every recipe."""
    return export_world.make(tmp_path_factory.mktemp("export"))


@pytest.fixture
def quick(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, with the conversions to float files done already: seconds less per export."""
    monkeypatch.setattr(pipeline, "gather", lambda *_: world.source)
    return world
