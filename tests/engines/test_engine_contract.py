"""What every engine keeps: shapes checked, memory owned, safe with threads and forks, and one sentence when it cannot."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny

from edge_facenet import engines
from edge_facenet.engines import Engine, TensorSpec, onnxruntime, open_engine
from edge_facenet.errors import ConfigError, EdgeFacenetError, InputError, LaneUnavailable, ManifestError

GRAPHS: dict[str, Callable[[], bytes]] = {
    "litert float": lambda: tiny.graph("fp32"),
    "litert int8": lambda: tiny.graph("int8"),
    "onnxruntime": tiny.onnx_graph,
}


@pytest.fixture(params=GRAPHS)
def model(request: pytest.FixtureRequest) -> bytes:
    return GRAPHS[request.param]()


def image(engine: Engine, seed: int = 0) -> np.ndarray:
    spec = engine.inputs[0]
    values = np.random.default_rng(seed).integers(-128, 128, spec.shape)
    return values.astype(np.int8) if spec.dtype == np.int8 else (values / 128).astype(np.float32)


def test_names_shapes_and_types(model: bytes) -> None:
    engine = open_engine(model)
    assert [spec.name for spec in engine.inputs] == ["image"]
    assert [spec.name for spec in engine.outputs] == ["embedding"]
    assert engine.outputs[0].shape == (1, 128)
    (result,) = engine.run([image(engine)])
    assert (result.shape, result.dtype) == ((1, 128), engine.outputs[0].dtype)
    assert engine.ran_on.startswith("CPU, ")


def test_quantization_is_told() -> None:
    engine = open_engine(tiny.graph("int8"))
    assert engine.inputs[0].quantization == (1 / 128, 0)
    assert engine.outputs[0].quantization is not None
    assert open_engine(tiny.graph("fp32")).inputs[0].quantization is None


def test_outputs_keep_their_names() -> None:
    for model, turn in (
        (tiny.graph("two"), (1, 112, 112, 3)),
        (tiny.onnx_graph(outputs=("embedding", "logits")), None),
    ):
        engine = open_engine(model)
        assert [spec.name for spec in engine.outputs] == ["embedding", "logits"]
        first, second = engine.run([np.ones(turn or (1, 3, 112, 112), np.float32)])
        assert not np.array_equal(first, second)


def test_c090_an_earlier_result_is_not_changed_by_a_later_call(model: bytes) -> None:
    engine = open_engine(model)
    (first,) = engine.run([image(engine, 1)])
    copy = first.copy()
    (second,) = engine.run([image(engine, 2)])
    assert np.array_equal(first, copy)
    assert not np.array_equal(first, second)
    first[:] = 0  # and writing into one's own array harms nobody
    assert np.array_equal(engine.run([image(engine, 1)])[0], copy)


def test_c089_eight_threads_share_one_engine(model: bytes) -> None:
    engine = open_engine(model)
    images = [image(engine, seed) for seed in range(8)]
    wanted = [engine.run([x])[0] for x in images]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(100):
            if not np.array_equal(engine.run([images[k]])[0], wanted[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("change", ["shape", "type", "rank", "count"])
def test_c081_arrays_that_do_not_fit_are_refused_with_both(model: bytes, change: str) -> None:
    engine = open_engine(model)
    good = image(engine)
    given = {
        "shape": [good[:, :-1]],
        "type": [good.astype(np.float64)],
        "rank": [good[0]],
        "count": [good, good],
    }[change]
    with pytest.raises(InputError, match=r"2" if change == "count" else r'"image" \(1, .* was given \('):
        engine.run(given)
    assert engine.run([good])  # and nothing is broken


def test_threads_of_one_call(model: bytes) -> None:
    one, two = open_engine(model), open_engine(model, threads=2)
    assert np.allclose(one.run([image(one)])[0], two.run([image(one)])[0], atol=1e-6)


def test_pickled_and_back(model: bytes) -> None:
    engine = open_engine(model, threads=2)
    again = pickle.loads(pickle.dumps(engine))
    assert again.threads == 2
    assert np.array_equal(engine.run([image(engine)])[0], again.run([image(engine)])[0])


def in_child(act: Callable[[], bool], ways_out: tuple[str, ...] = ("exit", "_exit")) -> None:
    """Fork, act, leave; right within 30 seconds or the test fails. Leaving must not hang either."""
    for way in ways_out:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if act() else 3
            finally:
                if way == "_exit":
                    os._exit(code)
            # As a child that ends by itself would leave, past pytest's own handlers.
            _leave_through_exit_handlers(code)
        assert _waited(child) == 0, way


def _leave_through_exit_handlers(code: int) -> None:
    import ctypes

    ctypes.CDLL(None).exit(code)


def _waited(child: int) -> int:
    timer = threading.Timer(30, os.kill, (child, 9))
    timer.start()
    _, status = os.waitpid(child, 0)
    timer.cancel()
    return status


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("threads", [1, 2])
def test_c091_loaded_before_fork_used_after(model: bytes, threads: int) -> None:
    engine = open_engine(model, threads=threads)
    x = image(engine)
    (wanted,) = engine.run([x])
    stop = threading.Event()

    def keep_busy() -> None:  # so that a lock may be held at the moment of the fork
        while not stop.is_set():
            engine.run([x])

    busy = threading.Thread(target=keep_busy)
    busy.start()
    try:
        for _ in range(2):
            in_child(lambda: bool(np.array_equal(engine.run([x])[0], wanted)))
    finally:
        stop.set()
        busy.join()
    assert np.array_equal(engine.run([x])[0], wanted)


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize(
    ("way", "kind"),
    [
        *(("fork", kind) for kind in GRAPHS),
        ("spawn", "litert int8"),
        ("spawn", "onnxruntime"),
        ("forkserver", "litert float"),
    ],
)
def test_c091_multiprocessing(way: str, kind: str) -> None:
    engine = open_engine(GRAPHS[kind]())
    context = multiprocessing.get_context(way)
    answers = context.Queue()
    child = context.Process(target=tiny.run_and_answer, args=(engine, image(engine), answers))
    child.start()
    assert np.array_equal(answers.get(timeout=60), engine.run([image(engine)])[0])
    child.join(30)
    assert child.exitcode == 0


def test_a_truncated_graph_without_any_hash_is_refused_never_a_crash(model: bytes) -> None:
    """Tried at every length in a child process for LiteRT 2.3.0 and onnxruntime 1.32.0: each refuses by an exception."""
    for length in [*range(0, 64), *range(64, len(model), 97), len(model) - 1]:
        with pytest.raises((ManifestError, LaneUnavailable)) as caught:
            open_engine(model[:length])
        assert "\n" not in str(caught.value)


def test_what_the_runtime_prints_stays_inside(model: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    open_engine(model)
    with pytest.raises(EdgeFacenetError):
        open_engine(model[:100])
    assert capfd.readouterr() == ("", "")


def test_an_engine_for_the_other_kind_of_file_is_refused() -> None:
    with pytest.raises(LaneUnavailable, match="onnxruntime does not run this file: it is a TFLite model"):
        open_engine(tiny.graph("fp32"), "onnxruntime")
    for name in ("litert", "tflite-runtime", "litert-gpu"):
        with pytest.raises(LaneUnavailable, match=f"{name} does not run this file: it is no TFLite model"):
            open_engine(tiny.onnx_graph(), name)


def test_an_onnx_model_of_texts_is_refused_by_the_name_of_its_tensor() -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx, from the extra export")
    text = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.STRING, [1]) for name in ("words", "same")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["words"], ["same"])], "t", text[:1], text[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=10)
    with pytest.raises(LaneUnavailable, match=r"the model's words is tensor\(string\)"):
        open_engine(model.SerializeToString(), "onnxruntime")


@pytest.mark.parametrize(
    "kind", ["tensor(bfloat16)", "tensor(float8e4m3fn)", "seq(map(int64,float))", "tensor(complex64)"]
)
def test_an_onnx_tensor_of_a_kind_that_is_no_plain_number_is_refused(kind: str) -> None:
    with pytest.raises(LaneUnavailable, match=f"the model's x is {re.escape(kind)}"):
        onnxruntime._spec(SimpleNamespace(name="x", shape=[1, 2], type=kind))
    assert onnxruntime._spec(SimpleNamespace(name="x", shape=["n", 2], type="tensor(float)")).dtype == np.float32


def test_unknown_engine_and_no_threads() -> None:
    with pytest.raises(ConfigError, match=r'no engine "onnx" \(did you mean "onnxruntime"\?\)'):
        open_engine(tiny.graph("fp32"), "onnx")
    with pytest.raises(ConfigError, match="at least 1 thread, found 0"):
        open_engine(tiny.graph("fp32"), threads=0)


def test_a_missing_file_is_one_sentence(tmp_path: Any) -> None:
    with pytest.raises(ManifestError, match=r"Cannot read model file .*x\.tflite: No such file"):
        open_engine(tmp_path / "x.tflite")


@pytest.mark.parametrize(
    ("engine", "module", "cure"),
    [
        ("litert", "ai_edge_litert", "pip install ai-edge-litert"),
        ("tflite-runtime", "tflite_runtime", "pip install tflite-runtime"),
        ("onnxruntime", "onnxruntime", r"pip install 'edge-facenet\[onnx\]'"),
        ("litert-gpu", "ai_edge_litert.compiled_model", "pip install 'ai-edge-litert"),
    ],
)
@pytest.mark.parametrize("reason", ["No module named x", "/lib/libm.so.6: version `GLIBC_2.34' not found"])
def test_an_interpreter_that_cannot_be_loaded_says_what_to_type(
    engine: str, module: str, cure: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C087's kind: the reason stands in the sentence, whatever it is."""

    class Broken:
        def find_spec(self, name: str, *_: Any) -> None:
            if f"{name}.".startswith(f"{module}."):
                raise ImportError(reason)

    for name in [n for n in sys.modules if f"{n}.".startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    graph = tiny.onnx_graph() if engine == "onnxruntime" else tiny.graph("fp32")
    with pytest.raises(LaneUnavailable, match=cure) as caught:
        open_engine(graph, engine)
    assert reason in str(caught.value)


def test_dynamic_dimensions_take_any_length() -> None:
    spec = TensorSpec("x", (-1, 3, 8, 8), np.dtype(np.float32))
    assert spec.accepts((5, 3, 8, 8))
    assert not spec.accepts((5, 3, 8, 9))
    assert not spec.accepts((3, 8, 8))


def test_every_engine_is_listed_and_importable() -> None:
    for name in engines.ENGINES:
        assert engines.engine_class(name).name == name
