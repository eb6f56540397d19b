"""An interpreter that trusts its file is tried in a child first."""

from __future__ import annotations

import os
import sys
import time
import types

import ai_edge_litert.interpreter
import numpy as np
import pytest
import tiny

from edge_facenet.engines import guard, open_engine
from edge_facenet.errors import ManifestError

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]


def fails() -> None:
    raise ValueError("an exception is an answer")


@pytest.mark.parametrize(
    ("attempt", "survives"),
    [
        (lambda: None, True),
        (fails, True),
        (lambda: os.kill(os.getpid(), 11), False),
        (os.abort, False),
        (lambda: time.sleep(60), False),
    ],
)
def test_killed_and_hanging_are_told_from_returning_and_raising(
    attempt, survives: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert guard.survives(attempt, seconds=1.0) is survives
    assert capfd.readouterr() == ("", "")


def test_weights_are_inside_a_whole_file_and_outside_most_cut_ones() -> None:
    for name in ("fp32", "int8", "two", "norm"):
        graph = tiny.graph(name)
        assert guard.weights_inside(graph)
        assert guard.weights_inside(graph + b"trailer")
        inside = [length for length in range(len(graph)) if guard.weights_inside(graph[:length])]
        assert len(inside) < 0.3 * len(graph)
    for nonsense in (b"", b"\xff" * 64, b"\0" * 64, bytes(range(256))):
        assert guard.weights_inside(nonsense) in (True, False)  # never an exception


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """tflite_runtime, played by LiteRT's interpreter without its check of the file."""
    real = ai_edge_litert.interpreter

    class Interpreter(real.Interpreter):
        def __init__(self, model_content: bytes, **options: object) -> None:
            if b"\xde\xad\xbe\xef" in model_content:
                os.abort()
            super().__init__(model_content=model_content, **options)

    module = types.ModuleType("tflite_runtime.interpreter")
    module.Interpreter = Interpreter
    module.OpResolverType = real.OpResolverType
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)
    return module


@pytest.mark.usefixtures("runtime")
def test_tflite_runtime_runs_what_is_whole() -> None:
    engine = open_engine(tiny.graph("fp32"), "tflite-runtime")
    assert engine.name == "tflite-runtime"
    assert engine.ran_on == "CPU, XNNPACK 3 of 3 nodes, 1 partition"
    image = tiny.FLOAT.tensor(tiny.crops(1))
    assert np.array_equal(engine.run([image])[0], open_engine(tiny.graph("fp32")).run([image])[0])


@pytest.mark.usefixtures("runtime")
def test_a_file_that_kills_tflite_runtime_is_one_sentence() -> None:
    deadly = tiny.graph("fp32") + b"\xde\xad\xbe\xef"
    for model in (deadly, tiny.graph("fp32")[:3000]):
        with pytest.raises(ManifestError, match="damaged: tflite-runtime cannot read it"):
            open_engine(model, "tflite-runtime")
