"""What an engine is: arrays in, arrays out. It knows nothing of faces."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import InputError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a graph. A dimension of -1 takes any length."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: tuple[float, int] | None = None
    """Scale and zero point of an integer tensor."""

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of `shape` fits."""
        return len(shape) == len(self.shape) and all(a in (-1, b) for a, b in zip(self.shape, shape, strict=True))

    def __str__(self) -> str:
        return f'"{self.name}" {self.shape} {self.dtype}'


class Engine(Protocol):
    """A loaded graph. Safe to call from several threads; returned arrays own their memory.

    `name` is the engine's ("litert", "tflite-runtime", "onnxruntime", "litert-gpu"); `ran_on` says what does the work
    ("CPU, XNNPACK 42 of 42 nodes", "SwiftShader Device (Subzero), software").
    """

    @property
    def name(self) -> str: ...
    @property
    def ran_on(self) -> str: ...
    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...
    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One call of the graph. It returns when the outputs are there, so its duration is the graph's.

        Raises:
            InputError: a number, shape or type of arrays other than `inputs` says.
        """
        ...


class NativeEngine:
    """What the engines share: a native handle that is opened from bytes, and opened anew after a fork.

    Native thread pools do not survive a fork, and a lock may have been held by a thread that the child does not have:
    the child gets a lock of its own and, at its first call, a handle of its own. Pickling carries the bytes.
    """

    name = ""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, model: bytes, threads: int = 1) -> None:
        self.model = model
        self.threads = threads
        self._lock = threading.Lock()
        self._handle: Any = self._open()
        _OPEN.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.model, self.threads)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """See `Engine.run`."""
        self._check(inputs)
        return self._call(self._ready(), inputs)

    def _ready(self) -> Any:
        """The handle; opened now in a forked child."""
        with self._lock:
            if self._handle is None:
                self._handle = self._open()
            return self._handle

    def _check(self, inputs: Sequence[Array]) -> None:
        if len(inputs) != len(self.inputs):
            raise InputError(f"The graph takes {len(self.inputs)} inputs, found {len(inputs)}.")
        for spec, array in zip(self.inputs, inputs, strict=True):
            if array.dtype != spec.dtype or not spec.accepts(array.shape):
                raise InputError(f"Input {spec} was given {array.shape} {array.dtype}.")

    def _open(self) -> Any:
        """Open the native handle; set `inputs` and `outputs`."""
        raise NotImplementedError

    def _call(self, handle: Any, inputs: Sequence[Array]) -> list[Array]:
        raise NotImplementedError

    def _forked(self) -> None:
        self._lock = threading.Lock()
        if self._handle is not None:
            # Its destructor would join threads that do not exist here, and hang: never let it run.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._handle))
        self._handle = None


_OPEN: weakref.WeakSet[NativeEngine] = weakref.WeakSet()


def _after_fork() -> None:
    for engine in list(_OPEN):
        engine._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def is_tflite(model: bytes) -> bool:
    """A FlatBuffer with TFLite's file identifier."""
    return model[4:8] == b"TFL3"


def one_line(error: BaseException, limit: int = 300) -> str:
    """The text of a native library's exception in one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= limit else text[:limit] + "…"
