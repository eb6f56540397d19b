"""A short loop of kills; the long one is tests/soak/test_gallery_kills.py."""

from __future__ import annotations

from pathlib import Path

from gallery_kills import kill_rounds


def test_c130_ten_kills_lose_and_bring_back_nothing(tmp_path: Path) -> None:
    assert kill_rounds(tmp_path / "plain", rounds=10) >= 5
