"""A learning curve takes other seeds in, and states a spread of three runs and more."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def script(repo: Path) -> Iterator[Any]:
    """benchmarks/learning_curve.py."""
    sys.path.insert(0, str(repo / "benchmarks"))
    yield __import__("learning_curve")
    sys.path.remove(str(repo / "benchmarks"))


def _look(run: str, step: int, accuracy: float) -> dict[str, Any]:
    return {"run": run, "step": step, "accuracy": accuracy, "tar_at_1e-2": 0.5}


def test_a_spread_needs_three_runs_at_the_same_step(script: Any) -> None:
    looks = [_look(run, 500, value) for run, value in (("a", 78.0), ("b", 80.0), ("c", 82.0))]
    looks += [_look("a", 1000, 85.0), _look("b", 1000, 86.0)]
    (only,) = script.spread(looks)
    assert (only["step"], only["runs"]) == (500, 3)
    assert only["accuracy"] == {"mean": 80.0, "spread": 2.0}
    assert only["tar_at_1e-2"]["spread"] == 0.0 and "tar_at_1e-3" not in only


def test_runs_that_stand_in_the_file_stay_and_those_measured_again_go(script: Any, tmp_path: Path) -> None:
    out = tmp_path / "curve.json"
    assert script._kept(out, "looks", set()) == []
    out.write_text(json.dumps({"looks": [_look("a", 500, 1.0), _look("b", 500, 2.0)]}), encoding="utf-8")
    assert [look["run"] for look in script._kept(out, "looks", {"b"})] == ["a"]
