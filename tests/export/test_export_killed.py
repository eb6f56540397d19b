"""kill -9 in the middle of an export, then the same command in another process: the undisturbed files, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from export_kills import kill_once, same_as
from export_world import World

pytestmark = pytest.mark.xdist_group("export")  # one export for all of them


def test_a_killed_export_goes_on(world: World, tmp_path: Path) -> None:
    """Killed just as the first model file stands, perhaps without its manifest yet."""
    kill_once(world, tmp_path, when=lambda: any(tmp_path.glob("small-fp32-*.tflite")))
    same_as(world, tmp_path)
