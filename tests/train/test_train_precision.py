"""bfloat16 where the processor has it, float32 elsewhere; a run keeps what it began with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_facenet import cpu, files
from edge_facenet.schema import to_json
from edge_facenet.train import config, precision
from edge_facenet.train.config import TrainConfig

AUTO = config.override(TrainConfig(10), ["precision=auto"])
HALF = config.override(TrainConfig(10), ["precision=mixed_bfloat16"])
WITHOUT, WITH = frozenset({"fpu", "avx2"}), frozenset({"fpu", "avx2", "avx512_bf16"})


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_gpu", lambda: False)


@pytest.mark.parametrize(
    ("features", "backend", "chosen"),
    [
        (WITHOUT, "tensorflow", "float32"),
        (WITH, "tensorflow", "mixed_bfloat16"),
        (frozenset({"asimd", "bf16"}), "tensorflow", "mixed_bfloat16"),
        (frozenset(), "tensorflow", "float32"),  # nobody tells
        (WITH, "jax", "float32"),
    ],
)
def test_auto_is_what_the_processor_does_fast(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, features: frozenset[str], backend: str, chosen: str
) -> None:
    monkeypatch.setattr(cpu, "features", lambda: features)
    assert precision.settled(AUTO, tmp_path, backend).precision == chosen


def test_a_run_keeps_its_precision_on_another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files.write_json(tmp_path / "config.json", to_json(HALF))
    monkeypatch.setattr(cpu, "features", lambda: WITHOUT)
    assert precision.settled(AUTO, tmp_path, "tensorflow").precision == "mixed_bfloat16"
    assert (
        precision.settled(config.override(AUTO, ["precision=float32"]), tmp_path, "tensorflow").precision == "float32"
    )


def test_imitated_bfloat16_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "features", lambda: WITHOUT)
    (said,) = precision.trouble(HALF, "tensorflow")
    assert "--set precision=float32" in said
    assert not precision.trouble(TrainConfig(10), "tensorflow")
    monkeypatch.setattr(cpu, "features", lambda: WITH)
    assert not precision.trouble(HALF, "tensorflow")
    monkeypatch.setattr(cpu, "features", frozenset)
    assert not precision.trouble(HALF, "tensorflow")


@pytest.mark.parametrize(("told", "found"), [(None, "1"), ("0", "0")])
def test_onednn_is_on_before_tensorflow_is_loaded(told: str | None, found: str) -> None:
    """In another process: in this one the tests' own setting has come first."""
    code = "import os, sys, edge_facenet.train; print(os.environ['TF_ENABLE_ONEDNN_OPTS'], 'tensorflow' in sys.modules)"
    others = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment = others | ({"TF_ENABLE_ONEDNN_OPTS": told} if told else {})
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [found, "False"]
