"""`prepare` under twenty rounds of kill -9, and over ten thousand paths: make soak."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "photos"))

from test_photos_crew import many_paths
from test_photos_prepare import kill_rounds

from edge_facenet import files
from edge_facenet.photos import models, orl

MOST_MB = 600
"""Private memory of `prepare` and its two workers together, however many photos there are."""


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_twenty_rounds(tmp_path: Path) -> None:
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    kill_rounds(tmp_path, orl.folder(), rounds=20, people=8)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_paths(tmp_path: Path, repo: Path) -> None:
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    found = many_paths(tmp_path, orl.folder(), 10_000, 5)
    assert found["crops"] == 10_000 and found["peak_private_mb"] < MOST_MB, found
    what = "10,000 hard links of 10 photos, listed in a CSV; 2 processes; killed 5 times, then equal byte by byte"
    result = {**found, "what": what, "limit_mb": MOST_MB, "kills": 5, "date": time.strftime("%Y-%m-%d")}
    files.write_json(repo / "benchmarks" / "results" / "soak-prepare-paths.json", result)
