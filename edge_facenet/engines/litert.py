"""LiteRT's interpreter, and its predecessor tflite-runtime, which has the same interface."""

from __future__ import annotations

import collections
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from ..errors import EdgeFacenetError, LaneUnavailable, ManifestError
from . import guard
from .base import Array, NativeEngine, TensorSpec, one_line
from .native_output import caught


@dataclass(frozen=True)
class Delegation:
    """How much of a graph XNNPACK took."""

    nodes: int
    delegated: int
    partitions: int
    left: tuple[str, ...]
    """Operators of the nodes left to plain kernels, in the graph's order."""

    def __str__(self) -> str:
        text = (
            f"XNNPACK {self.delegated} of {self.nodes} nodes, {self.partitions} partition{'s' * (self.partitions != 1)}"
        )
        counts = collections.Counter(self.left)
        names = ", ".join(name if n == 1 else f"{n} {name}" for name, n in counts.items())
        return f"{text}; left: {names}" if names else text


class LiteRT(NativeEngine):
    """The interpreter of ai-edge-litert. One call at a time: threads wait for each other."""

    name = "litert"
    package, home = "ai-edge-litert", "ai_edge_litert.interpreter"

    def _open(self) -> Any:
        interpreter = _interpreter(type(self), self.model, num_threads=self.threads)
        names = _signature_names(interpreter)
        self.inputs = tuple(_spec(d, names) for d in interpreter.get_input_details())
        self.outputs = tuple(_spec(d, names) for d in interpreter.get_output_details())
        self.tensors = (
            [int(d["index"]) for d in interpreter.get_input_details()],
            [int(d["index"]) for d in interpreter.get_output_details()],
        )
        return interpreter

    def _call(self, handle: Any, inputs: Sequence[Array]) -> list[Array]:
        takes, gives = self.tensors
        with self._lock:
            for index, array in zip(takes, inputs, strict=True):
                handle.set_tensor(index, array)
            handle.invoke()
            return [handle.get_tensor(index) for index in gives]  # copies

    @property
    def ran_on(self) -> str:
        """Costs a second interpreter the first time it is read."""
        return f"CPU, {self._delegation}"

    @functools.cached_property
    def _delegation(self) -> Delegation:
        return delegation(self.model, type(self))


class TfliteRuntime(LiteRT):
    """The interpreter of tflite-runtime, only when asked for by name."""

    name = "tflite-runtime"
    package, home = "tflite-runtime", "tflite_runtime.interpreter"

    def _open(self) -> Any:
        _module(TfliteRuntime)
        if not guard.weights_inside(self.model) or not guard.survives(self._try):
            raise ManifestError("The model is damaged: tflite-runtime cannot read it. Export or download it again.")
        return super()._open()

    def _try(self) -> None:
        interpreter = super()._open()
        interpreter.invoke()


def delegation(model: bytes, engine: type[LiteRT] = LiteRT) -> Delegation:
    """Which nodes XNNPACK takes: the operators with and without default delegates, compared.

    Raises:
        LaneUnavailable, ManifestError: as when the model is opened.
    """
    resolver = _module(engine).OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    plain = _interpreter(engine, model, experimental_op_resolver_type=resolver)._get_ops_details()
    with_delegate = _interpreter(engine, model, num_threads=1)._get_ops_details()
    parts = with_delegate[len(plain) :]  # delegate nodes are appended, the original ones stay
    makers = {int(t): k for k, node in enumerate(plain) for t in node["outputs"]}
    taken: set[int] = set()
    for part in parts:
        taken |= _between(part, with_delegate, makers)
    left = tuple(node["op_name"] for k, node in enumerate(plain) if k not in taken)
    return Delegation(len(plain), len(taken), len(parts), left)


def _between(part: dict[str, Any], nodes: list[dict[str, Any]], makers: dict[int, int]) -> set[int]:
    """The nodes a delegate's node stands for: walked from its outputs back to its inputs."""
    stop, found = {int(t) for t in part["inputs"]}, set[int]()
    waiting = [int(t) for t in part["outputs"]]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker not in found:
            found.add(maker)
            waiting += [int(t) for t in nodes[maker]["inputs"] if int(t) not in stop]
    return found


def _module(engine: type[LiteRT]) -> Any:
    try:
        return import_module(engine.home)
    except ImportError as error:
        raise LaneUnavailable(
            f"Engine {engine.name} cannot be loaded ({one_line(error)}). "
            f"Type: pip install {engine.package}; edge-facenet doctor says what this machine has."
        ) from error


def _interpreter(engine: type[LiteRT], model: bytes, **options: Any) -> Any:
    module = _module(engine)
    with caught(2):  # "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
        try:
            interpreter = module.Interpreter(model_content=model, **options)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise _refusal(engine, error) from error
    return interpreter


def _refusal(engine: type[LiteRT], error: Exception) -> EdgeFacenetError:
    text = one_line(error)
    if "Flatbuffer" in text or "identifier" in text:
        return ManifestError(f"The model is damaged: {text} Export or download it again.")
    return LaneUnavailable(f"Engine {engine.name} refuses this model: {text}")


def _signature_names(interpreter: Any) -> dict[int, str]:
    """Names by tensor, as the model's author gave them; empty unless there is exactly one signature."""
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:
        return {}
    runner = interpreter.get_signature_runner(signatures[0])
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {int(detail["index"]): name for name, detail in details.items()}


def _spec(detail: dict[str, Any], names: dict[int, str]) -> TensorSpec:
    scale, zero = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    quantization = (float(scale), int(zero)) if scale and dtype.kind in "iu" else None
    name = names.get(int(detail["index"]), detail["name"])
    return TensorSpec(name, tuple(int(n) for n in detail["shape"]), dtype, quantization)
