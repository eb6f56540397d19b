"""200 kills in a loop of enroll and forget, half of them of an encrypted gallery: make soak."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "gallery"))

from gallery_kills import kill_rounds
from gallery_world import KEY


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_a_hundred_kills(tmp_path: Path, key: bytes | None) -> None:
    if key is not None:
        pytest.importorskip("cryptography", reason="needs the extra [secure]")
    assert kill_rounds(tmp_path / "in", rounds=100, key=key) >= 50
