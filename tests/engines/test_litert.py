"""What LiteRT says about itself: nodes taken and left, adapters real and software, reasons when there is none."""

from __future__ import annotations

import gc
import os
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from edge_facenet.engines import compiled, open_engine
from edge_facenet.engines.compiled import Adapter, adapter_in
from edge_facenet.engines.litert import Delegation, delegation
from edge_facenet.engines.native_output import caught
from edge_facenet.errors import LaneUnavailable, ManifestError

SWIFTSHADER = (
    "SwiftShader Device (Subzero), arch=swiftshader, vendor=google, backend=Vulkan, adapterType=CPU / Software"
)
LOG = (
    "I0000 00:00:1795612438.575077 1711 environment.cc:532] Selected adapter: {}\nINFO: Created a WebGPU environment.\n"
)


@pytest.mark.parametrize(("name", "nodes"), [("fp32", 3), ("int8", 3), ("two", 4)])
def test_the_tiny_networks_are_wholly_delegated(name: str, nodes: int) -> None:
    assert delegation(tiny.graph(name)) == Delegation(nodes, nodes, 1, ())
    assert open_engine(tiny.graph(name)).ran_on == f"CPU, XNNPACK {nodes} of {nodes} nodes, 1 partition"


def test_an_operator_that_is_left_over_is_named() -> None:
    found = delegation(tiny.graph("norm"))
    assert found == Delegation(3, 2, 2, ("L2_NORMALIZATION",))
    assert str(found) == "XNNPACK 2 of 3 nodes, 2 partitions; left: L2_NORMALIZATION"
    assert str(Delegation(9, 6, 2, ("RSQRT", "QUANTIZE", "RSQRT"))).endswith("left: 2 RSQRT, QUANTIZE")


def test_delegation_of_a_damaged_file_is_one_sentence() -> None:
    with pytest.raises(ManifestError, match="damaged"):
        delegation(tiny.graph("fp32")[:-1])


@pytest.mark.parametrize(
    ("line", "text", "software"),
    [
        (SWIFTSHADER, "SwiftShader Device (Subzero), software", True),
        (
            "llvmpipe (LLVM 15.0.6, 256 bits), arch=software, vendor=mesa, backend=Vulkan, adapterType=CPU / Software",
            "llvmpipe (LLVM 15.0.6, 256 bits), software",
            True,
        ),
        (
            "V3D 7.1.7, arch=v3d, vendor=broadcom, backend=Vulkan, adapterType=Integrated GPU",
            "V3D 7.1.7, Integrated GPU",
            False,
        ),
        # a driver that lies about its type is still known by its name
        ("llvmpipe, arch=, vendor=mesa, backend=Vulkan, adapterType=Discrete GPU", "llvmpipe, software", True),
        ("Thing, arch=x, vendor=y, backend=Vulkan, adapterType=CPU / Software", "Thing, software", True),
    ],
)
def test_c096_a_software_adapter_is_never_called_a_gpu(line: str, text: str, software: bool) -> None:
    adapter = adapter_in(LOG.format(line))
    assert adapter is not None
    assert (str(adapter), adapter.software) == (text, software)


def test_no_adapter_named() -> None:
    assert adapter_in("ERROR: Failed to initialize WebGPU environment: INTERNAL: No adapters found\n") is None


class FakeModule(types.SimpleNamespace):
    """A stand-in for ai_edge_litert.compiled_model: writes `text` to stderr, then fails or gives a stub."""

    def __init__(self, text: str, failure: str | None) -> None:
        def from_buffer(model: bytes, options: Any) -> Any:
            os.write(2, text.encode())
            os.write(1, b"INFO: Failed to load OpenCL library\n")
            if failure is not None:
                raise RuntimeError(failure)
            return FakeModel()

        super().__init__(
            HardwareAccelerator=types.SimpleNamespace(GPU=2),
            Options=lambda **_: None,
            GpuOptions=lambda: None,
            CompiledModel=types.SimpleNamespace(from_buffer=from_buffer),
        )


class FakeBuffer:
    def __init__(self, value: float = 0) -> None:
        self.value = value

    def write(self, array: np.ndarray) -> None:
        self.written = array

    def read(self, count: int, dtype: type) -> np.ndarray:
        return np.full(count, self.value, dtype)


class FakeModel:
    """The network with two outputs, which it lists in another order than the interpreter does."""

    def create_input_buffers(self, _: int) -> list[FakeBuffer]:
        return [FakeBuffer()]

    def create_output_buffers(self, _: int) -> list[FakeBuffer]:
        return [FakeBuffer(1), FakeBuffer(2)]

    def get_signature_list(self) -> dict[str, Any]:
        return {"serving_default": {"inputs": ["image"], "outputs": ["logits", "embedding"]}}

    def get_input_tensor_details(self, _: str) -> dict[str, Any]:
        return {"image": {"index": 0}}

    def get_output_tensor_details(self, _: str) -> dict[str, Any]:
        return {"logits": {"index": 9}, "embedding": {"index": 8}}

    def run_by_index(self, *_: Any) -> None: ...


def with_fake(monkeypatch: pytest.MonkeyPatch, text: str, failure: str | None = None) -> None:
    monkeypatch.setattr(compiled, "_module", lambda: FakeModule(text, failure))


def test_the_adapter_is_caught_and_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with_fake(monkeypatch, LOG.format(SWIFTSHADER))
    engine = open_engine(tiny.graph("two"), "litert-gpu")
    assert engine.ran_on == "LiteRT WebGPU accelerator, SwiftShader Device (Subzero), software"
    embedding, logits = engine.run([np.zeros((1, 112, 112, 3), np.float32)])
    assert [spec.name for spec in engine.outputs] == ["embedding", "logits"]
    assert (embedding.shape, embedding[0, 0], logits[0, 0]) == ((1, 128), 2, 1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "failure", "sentence"),
    [
        (
            "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open\nERROR: INTERNAL: No adapters found\n",
            "ERROR: [compiled_model.cc:1036]",
            r"found no adapter \(Couldn't load Vulkan: libvulkan\.so\.1: cannot open; No adapters found\)\. Install",
        ),
        (
            LOG.format(SWIFTSHADER)
            + "ERROR: not supported by GPU delegate:\nL2_NORMALIZATION: Operation is not supported.\n",
            "Some ops are not accelerated.",
            r"GPU \(SwiftShader .*, software\) does not run this model as a whole: L2_NORMALIZATION: Operation is not",
        ),
        ("", "something\nelse", r"found no adapter \(something else\)"),
    ],
)
def test_no_gpu_is_one_sentence_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, text: str, failure: str, sentence: str
) -> None:
    with_fake(monkeypatch, text, failure)
    with pytest.raises(LaneUnavailable, match=sentence) as caught_error:
        open_engine(tiny.graph("two"), "litert-gpu")
    assert "\n" not in str(caught_error.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_gpu_engine_says_to_load_after_the_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    with_fake(monkeypatch, LOG.format(SWIFTSHADER))
    engine = open_engine(tiny.graph("two"), "litert-gpu")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            engine.run([np.zeros((1, 112, 112, 3), np.float32)])
        except LaneUnavailable as error:
            code = 0 if "load the model after the fork" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_this_machines_gpu_or_the_reason_why_not() -> None:
    """Real LiteRT. With VK_DRIVER_FILES and LD_LIBRARY_PATH at SwiftShader it compares the outputs as well."""
    try:
        gpu = open_engine(tiny.graph("int8"), "litert-gpu")
    except LaneUnavailable as error:
        assert "adapter" in str(error)
        return
    cpu = open_engine(tiny.graph("int8"))
    x = tiny.INT8.tensor(tiny.crops(1))
    # the GPU computes an int8 graph in float and rounds at its end: at most a step or two of the output's scale
    assert np.abs(gpu.run([x])[0].astype(int) - cpu.run([x])[0]).max() <= 2


def test_caught_takes_native_output_and_gives_the_stream_back(capfd: pytest.CaptureFixture[str]) -> None:
    gc.collect()  # interpreters of other tests speak when they go
    capfd.readouterr()
    with caught(2) as written:
        os.write(2, b"native\n")
        os.write(1, b"out\n")
    os.write(2, b"after\n")
    assert written.text == "native\n"
    assert capfd.readouterr() == ("out\n", "after\n")


def test_caught_gives_the_stream_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), caught(1, 2):
        os.write(1, b"lost")
        raise KeyError
    os.write(1, b"out")
    os.write(2, b"err")
    assert capfd.readouterr() == ("out", "err")


def test_caught_without_a_stream_or_a_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service with closed streams and a read-only disk."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", lambda _: (_ for _ in ()).throw(OSError(9, "Bad file descriptor")))
        with caught(1, 2) as written:
            pass
    assert written.text == ""
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", lambda: (_ for _ in ()).throw(FileNotFoundError("no folder")))
        with caught(2) as written:
            pass
    assert written.text == ""
    assert Adapter("x", "Discrete GPU").software is False
