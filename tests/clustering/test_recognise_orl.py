"""The study of people nobody trained on: its figures as committed, and how it counts."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from clustering_world import grouped, unit


@pytest.fixture(scope="module")
def script(repo: Path) -> ModuleType:
    pytest.importorskip("edge_facenet_bench")
    spec = importlib.util.spec_from_file_location("recognise_orl", repo / "benchmarks" / "recognise_orl.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["recognise_orl"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def record(repo: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((repo / "benchmarks" / "results" / "recognise-orl.json").read_bytes())
    return found


def test_ten_people_are_recognised_and_strangers_are_not(record: dict[str, Any]) -> None:
    """The goal: at least 97 % named at a false-positive rate of at most 2 %, with the network released then."""
    found = record["orl"]["identification"]["10 people"]["fpir 0.01"]
    assert found["enrolled"]["correct"]["share"] >= 0.97 and found["enrolled"]["probes"] == 20 * 70
    assert found["strangers"]["named (FPIR)"]["share"] <= 0.02 and found["strangers"]["probes"] == 20 * 300
    assert len(found["enrolled"]["correct"]["interval"]) == len(found["strangers"]["named (FPIR)"]["interval"]) == 2
    first = record["orl"]["first draw through FaceRecognizer"]
    assert first["equal answers"] == first["probes"] == 370


def test_what_the_rule_buys_is_in_the_record(record: dict[str, Any]) -> None:
    for people in ("orl", "crops"):
        for galleries in record[people]["identification"].values():
            rule, alone = galleries["fpir 0.01"], galleries["fpir 0.01, manifest alone"]
            assert rule["strangers"]["named (FPIR)"]["share"] < alone["strangers"]["named (FPIR)"]["share"] / 5


def test_nothing_of_tensorflow_was_imported(record: dict[str, Any]) -> None:
    assert record["imports"] == {"tensorflow": False, "keras": False}


def test_albums_hold_few_strangers(record: dict[str, Any]) -> None:
    """1 % of faces may stand with a stranger; 2 % is twice that, and what one wrong pair of ten people costs is 10 %."""
    for people in ("orl", "crops"):
        assert record[people]["sorting"]["everybody"]["as released"]["bcubed precision"] >= 0.98
        assert record[people]["sorting"]["ten people, 20 draws"]["as released"]["bcubed precision"]["mean"] >= 0.98


def test_agreement_by_hand(script: ModuleType) -> None:
    """Groups {0, 1, 2} and {3, 4}, 5 alone; people a a b | b b | b: 2 of 4 pairs put together are right, 2 of 7 found."""
    rows = unit(np.eye(8)[[0, 0, 0, 1, 1, 2]])
    found = script.agreement(grouped(rows), np.array([0, 0, 1, 1, 1, 1]))
    assert (found["groups"], found["left alone"]) == (2, 1)
    assert found["pairwise precision"] == pytest.approx(2 / 4) and found["pairwise recall"] == pytest.approx(2 / 7)
    assert found["bcubed precision"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6)
    assert found["bcubed recall"] == pytest.approx((1 + 1 + 1 / 4 + 2 / 4 + 2 / 4 + 1 / 4) / 6)
