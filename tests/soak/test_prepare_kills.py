"""`prepare` under twenty rounds of kill -9: make soak."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "photos"))

from test_photos_prepare import kill_rounds

from edge_facenet.photos import models, orl


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_twenty_rounds(tmp_path: Path) -> None:
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    kill_rounds(tmp_path, orl.folder(), rounds=20, people=8)
