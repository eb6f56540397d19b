"""Twenty minutes of mutated pictures: make soak. EDGE_FACENET_FUZZ_S sets another time, in seconds."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_facenet import files
from edge_facenet.photos import models

sys.path.insert(0, str(Path(__file__).parents[1] / "photos"))

import photos_fuzz

SECONDS = float(os.environ.get("EDGE_FACENET_FUZZ_S", "1200"))


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
def test_mutated_pictures_never_crash_hang_or_eat_the_memory(tmp_path: Path, repo: Path) -> None:
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    seed = int(time.time())  # another one each time: what it was stands in the result
    command = [sys.executable, photos_fuzz.__file__, str(SECONDS), str(seed), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 240, check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-2000:]}; the file in hand: {tmp_path / 'in-hand'}"
    assert done.stdout == "" and done.stderr == "", f"seed {seed}: a decoder wrote by itself: {done.stderr[-2000:]}"
    found = json.loads((tmp_path / "counts.json").read_text())
    assert found["files"] > 5 * SECONDS and found["peak_mb"] < photos_fuzz.MOST_MB, found
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    result = {
        **found,
        "date": time.strftime("%Y-%m-%d"),
        "context": machine,
        "limit_mb": photos_fuzz.MOST_MB,
        "crashes": 0,
        "hangs": 0,
    }
    files.write_json(repo / "benchmarks" / "results" / "soak-photos-fuzz.json", result)
