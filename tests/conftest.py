"""Fixtures every room may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# as edge_facenet.train has it, also where a test imports keras first
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
ROOT = Path(__file__).parents[1]
LONG = (
    "train/test_train_workers.py",
    "train/test_train_trainer.py",
    "train/test_train_watch.py",
    "export/test_export_trained.py",
    "docs/test_notebook.py",
    "train/test_distil_run.py",
    "export/test_export_commands.py",
    "export/test_export_backbones.py",
    "export/test_export_killed.py",
    "train/test_train_gradients.py",
)
"""Files with tests of minutes: they begin first, so that no process is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; else as collected. `make test` tells xdist to keep this order."""
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    if gone := sorted(str(path) for path in order if not path.exists()):
        raise pytest.UsageError(f"tests/conftest.py names files that are not there: {', '.join(gone)}")
    items.sort(key=lambda item: order.get(item.path, len(order)))


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
