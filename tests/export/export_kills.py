"""Start an export, kill it, look at what is there, run it again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edge_facenet
from edge_facenet import manifest


def command(world: Any, out: Path) -> list[str]:
    words = [sys.executable, "-m", "edge_facenet.cli", "export", world.run, world.crops.path, out, "--name", "small"]
    return [str(word) for word in words]


def kill_once(world: Any, out: Path, when: Callable[[], bool]) -> None:
    """Kill an export when `when` says so (or let it end), then prove that what stands there is whole."""
    process = subprocess.Popen(command(world, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet())
    while process.poll() is None and not when():
        time.sleep(0.002)
    process.kill()
    process.wait()
    for path in out.glob("*.json"):
        manifest.open_artifact(path)
        edge_facenet.load(path)


def same_as(world: Any, out: Path) -> None:
    """The same command again ends with exactly the undisturbed files."""
    subprocess.run(command(world, out), check=True, capture_output=True, env=quiet())
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {p.name: p.read_bytes() for p in world.out.iterdir()}


def quiet() -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "random"}
