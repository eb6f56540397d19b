"""Twenty exports killed at random moments; `make soak`."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))

import export_world
from export_kills import command, kill_once, quiet, same_as
from export_world import World

ROUNDS = 20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return export_world.make(tmp_path_factory.mktemp("export"))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_kills(world: World, tmp_path: Path) -> None:
    """Each at a random share of an undisturbed export's time, into one folder; whatever stands there loads, every time."""
    import subprocess

    started = time.monotonic()
    subprocess.run(command(world, tmp_path / "whole"), check=True, capture_output=True, env=quiet())
    whole = time.monotonic() - started
    rng = random.Random(11)
    out = tmp_path / "out"
    for _ in range(ROUNDS):
        until = time.monotonic() + whole * rng.uniform(0.2, 1.0)  # TensorFlow alone takes the first fifth to import
        kill_once(world, out, when=lambda until=until: time.monotonic() > until)  # type: ignore[misc]
    same_as(world, out)
