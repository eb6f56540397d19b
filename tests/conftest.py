"""Fixtures every room may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# as edge_facenet.train has it, also where a test imports keras first
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def repo() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with data that is not in the repository (LFW, training faces, teachers)."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the data folder {folder.name}/ beside the checkout, which is not here")
    return folder
