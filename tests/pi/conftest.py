"""Fixtures of the emulated Raspberry Pi. Without `make test-pi` there is none, and its tests skip with that reason."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pi_faces import fill
from pi_world import HERE, PI5, Answers, Done, Pi


@pytest.fixture(scope="session")
def pi_folder() -> Path:
    """What `build.sh` made."""
    folder = os.environ.get("EDGE_FACENET_PI")
    if not folder:
        pytest.skip("needs the emulated Raspberry Pi: make test-pi builds it and runs this")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def exchange(pi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that both machines see, with the faces and photos they work on."""
    folder = tmp_path_factory.mktemp("exchange")
    fill(folder)
    return folder


@pytest.fixture(scope="session")
def pi(pi_folder: Path, exchange: Path) -> Pi:
    """A Raspberry Pi 4 with the checkout's wheels; the face models lie in its data folder."""
    from edge_facenet.photos import models

    data = exchange / "data"
    shutil.copytree(models.require(), data / "models")
    binds = {"/exchange": exchange, "/tests": HERE.parent}
    return Pi(pi_folder / "root", binds=binds, environment={"EDGE_FACENET_HOME": "/exchange/data"})


@pytest.fixture(scope="session")
def pi4(pi: Pi, exchange: Path) -> Answers:
    """The answers of a Pi 4."""
    return answered(exchange, "pi4", pi.python("/tests/pi/both.py", "/exchange", "pi4"))


@pytest.fixture(scope="session")
def pi5(pi: Pi, exchange: Path) -> Answers:
    """The shorter answers of a Pi 5."""
    newer = Pi(pi.root, PI5, pi.binds, pi.environment)
    return answered(exchange, "pi5", newer.python("/tests/pi/both.py", "/exchange", "pi5", "short"))


@pytest.fixture(scope="session")
def pc(exchange: Path) -> Answers:
    """The answers of this machine, with the newest OpenCV."""
    return answered(exchange, "pc", here(exchange, "pc"))


@pytest.fixture(scope="session")
def pc_like_bookworm(exchange: Path, pi_folder: Path) -> Answers:
    """The answers of this machine with the Pi's version of OpenCV: what differs is the processor alone."""
    return answered(exchange, "pc-4.11", here(exchange, "pc-4.11", pi_folder / "opencv"))


def here(exchange: Path, name: str, first: Path | None = None) -> Done:
    """Run `both.py` on this machine; packages in `first` go before the installed ones."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **({"PYTHONPATH": str(first)} if first else {})}
    command = [sys.executable, str(HERE / "both.py"), str(exchange), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return Done(done.returncode, done.stdout, done.stderr)


def answered(exchange: Path, name: str, done: Done) -> Answers:
    """The answers of a run that ended well."""
    assert done.code == 0, done.all
    with np.load(exchange / f"{name}.npz") as arrays:
        return Answers(dict(arrays), json.loads((exchange / f"{name}.json").read_text()))
