"""ONNX Runtime on the CPU."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import EdgeFacenetError, LaneUnavailable, ManifestError
from .base import Array, NativeEngine, TensorSpec, one_line

_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}


class OnnxRuntime(NativeEngine):
    """A session of onnxruntime; threads may run it at the same time."""

    name = "onnxruntime"

    def _open(self) -> Any:
        runtime = _module()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # x86 without VNNI adds products of two int8 in 16 bits, which overflow: a released file's cosine to float fell from
        # 0.997 to 0.43 (AVX2, ONNX Runtime 1.32). This asks for kernels that do not; elsewhere it changes nothing.
        options.add_session_config_entry("session.x64quantprecision", "1")
        options.log_severity_level = 4  # what matters arrives as an exception
        try:
            # enable_fallback would print to stdout and try the same again.
            session = runtime.InferenceSession(
                self.model, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:
            raise _refusal(error) from error
        self.inputs = tuple(_spec(node) for node in session.get_inputs())
        self.outputs = tuple(_spec(node) for node in session.get_outputs())
        return session

    def _call(self, handle: Any, inputs: Sequence[Array]) -> list[Array]:
        feed = {spec.name: array for spec, array in zip(self.inputs, inputs, strict=True)}
        results: list[Array] = handle.run(None, feed)
        return results

    @property
    def ran_on(self) -> str:
        """The execution providers of the session."""
        return "CPU, " + ", ".join(self._ready().get_providers())


def _module() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise LaneUnavailable(
            f"Engine onnxruntime cannot be loaded ({one_line(error)}). Type: pip install 'edge-facenet[onnx]'"
        ) from error
    return onnxruntime


def _leave_at_once() -> None:
    """Spare a forked child the library's exit handler: it joins a thread that only the parent has, and never ends.

    Found with 1.32.0, after a mere import. glibc's `on_exit` handlers run last in, first out, after Python's own end.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):
        libc.on_exit(libc._exit, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_at_once)


def _refusal(error: Exception) -> EdgeFacenetError:
    text = one_line(error)
    if wanted := re.search(r"external data[^\"']*file[^\"']*[\"']([^\"']+)", text, re.IGNORECASE):
        return ManifestError(f"The model keeps its weights in another file, {wanted[1]}: save it as one file.")
    if "INVALID_PROTOBUF" in text or isinstance(error, UnicodeDecodeError):
        return ManifestError(f"The model is damaged: {text}. Export or download it again.")
    return LaneUnavailable(f"Engine onnxruntime refuses this model: {text}")


def _spec(node: Any) -> TensorSpec:
    shape = tuple(n if isinstance(n, int) else -1 for n in node.shape)
    kind = _TYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")"))
    try:
        dtype = np.dtype(kind)
    except (TypeError, ValueError) as error:
        raise _strange(node) from error
    if dtype.kind not in "biuf":  # another package may have taught NumPy bfloat16
        raise _strange(node)
    return TensorSpec(node.name, shape, dtype)


def _strange(node: Any) -> LaneUnavailable:
    return LaneUnavailable(
        f"Engine onnxruntime: the model's {node.name} is {node.type}, which this package does not pass. Export it with "
        "numbers of a kind that NumPy has."
    )
