"""LiteRT's CompiledModel on a GPU. On Linux its accelerator is WebGPU (Dawn on Vulkan), not the GPU delegate."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from .. import cpu
from ..errors import LaneUnavailable
from .base import Array, NativeEngine, one_line
from .litert import LiteRT
from .native_output import caught

_SELECTED = re.compile(r"Selected adapter: (?P<name>.*?), arch=.*?adapterType=(?P<kind>[^\n]*)")
_SOFTWARE = re.compile(r"\bcpu\b|software|swiftshader|llvmpipe|lavapipe|softpipe|swrast|basic render", re.IGNORECASE)
_REASONS = re.compile(
    r"Couldn't load Vulkan: [^\n]*|vkCreateInstance: [^\n]*|No adapters found|^\w+: Operation [^\n]*", re.MULTILINE
)

_NEEDS = ("aes", "sha2", "crc32", "atomics", "asimdhp", "asimdrdm", "lrcpc", "asimddp")
"""What libLiteRtWebGpuAccelerator.so of LiteRT 2.3.0 for Linux arm64 was compiled for, by the kernel's names. It says so
itself ("compiled with lse enabled, but this feature is not available") and ends the process by SIGILL while it is loaded:
seen under qemu on a Cortex-A72 (Raspberry Pi 4, which has none of these but crc32); on a Cortex-A76 (Pi 5) it loads."""


@dataclass(frozen=True)
class Adapter:
    """What WebGPU chose."""

    name: str
    kind: str
    """As WebGPU calls it: "Discrete GPU", "Integrated GPU", "CPU / Software" …"""

    @property
    def software(self) -> bool:
        """A processor that plays GPU: right for parity, meaningless for time."""
        return bool(_SOFTWARE.search(f"{self.name} {self.kind}"))

    def __str__(self) -> str:
        return f"{self.name}, {'software' if self.software else self.kind}"


def adapter_in(text: str) -> Adapter | None:
    """The adapter that LiteRT names on stderr; Python has no other way to ask."""
    found = _SELECTED.search(text)
    return Adapter(found["name"].strip(), found["kind"].strip()) if found else None


class LiteRTGpu(NativeEngine):
    """A CompiledModel on the GPU alone: a graph that does not run there as a whole is refused."""

    name = "litert-gpu"
    adapter: Adapter | None = None
    _forked_off = False

    def _open(self) -> Any:
        if self._forked_off:
            raise LaneUnavailable("A GPU does not survive a fork: load the model after the fork, in the child.")
        _check_processor()
        graph = LiteRT(self.model)  # knows names and quantization, which CompiledModel does not tell
        self.inputs, self.outputs = graph.inputs, graph.outputs
        with caught(1, 2):
            module = _module()
        options = module.Options(hardware_accelerators=module.HardwareAccelerator.GPU, gpu_options=module.GpuOptions())
        with caught(1, 2) as written:
            failure: RuntimeError | None = None
            try:
                model = module.CompiledModel.from_buffer(self.model, options=options)
                self._buffers = model.create_input_buffers(0), model.create_output_buffers(0)
            except RuntimeError as error:
                failure = error
        self.adapter = adapter_in(written.text)
        if failure is not None:
            raise _refusal(failure, written.text, self.adapter) from failure
        self._places = _places(model, graph)
        return model

    def _call(self, handle: Any, inputs: Sequence[Array]) -> list[Array]:
        given, made = self._buffers
        takes, gives = self._places
        with self._lock:
            for place, array in zip(takes, inputs, strict=True):
                given[place].write(np.ascontiguousarray(array))
            handle.run_by_index(0, given, made)  # returns before the work is done: reading is what waits
            specs = zip(gives, self.outputs, strict=True)
            return [made[p].read(int(np.prod(s.shape)), s.dtype.type).reshape(s.shape).copy() for p, s in specs]

    def _forked(self) -> None:
        super()._forked()
        self._forked_off = True

    @property
    def ran_on(self) -> str:
        """Adapter and its type, as LiteRT named them."""
        return f"LiteRT WebGPU accelerator, {self.adapter or 'adapter not named'}"


def _check_processor() -> None:
    """Before the library is loaded: an instruction that is not there would kill the process.

    Raises:
        LaneUnavailable: an arm64 processor without what the library was compiled for.
    """
    if platform.machine() == "aarch64" and (missing := cpu.lacks(*_NEEDS)):
        raise LaneUnavailable(
            f"LiteRT's GPU library needs instructions that {cpu.name()} does not have ({', '.join(missing)}): it runs on a "
            "Raspberry Pi 5, not on a 4 or older. Use the CPU: engine litert."
        )


def _module() -> Any:
    try:
        return import_module("ai_edge_litert.compiled_model")
    except ImportError as error:
        raise LaneUnavailable(
            f"Engine litert-gpu cannot be loaded ({one_line(error)}). Type: pip install 'ai-edge-litert>=2.1'"
        ) from error


def _places(model: Any, graph: LiteRT) -> tuple[list[int], list[int]]:
    """Where the graph's inputs and outputs stand in the CompiledModel's signature."""
    key, names = next(iter(model.get_signature_list().items()))
    tensors = model.get_input_tensor_details(key), model.get_output_tensor_details(key)
    found = []
    for kind, details, order in zip(("inputs", "outputs"), tensors, graph.tensors, strict=True):
        at = [int(details[name]["index"]) for name in names[kind]]
        found.append([at.index(tensor) for tensor in order])
    return found[0], found[1]


def _refusal(error: RuntimeError, written: str, adapter: Adapter | None) -> LaneUnavailable:
    reasons = "; ".join(dict.fromkeys(_REASONS.findall(written))) or one_line(error)
    if adapter is None:
        return LaneUnavailable(
            f"No GPU: LiteRT's WebGPU accelerator found no adapter ({reasons}). Install a Vulkan driver."
        )
    return LaneUnavailable(f"The GPU ({adapter}) does not run this model as a whole: {reasons}")
