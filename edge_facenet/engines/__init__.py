"""Run a graph: arrays in, arrays out. Nothing here knows of faces, and no interpreter is loaded before it is needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import ConfigError, LaneUnavailable, ManifestError
from ..schema import nearest
from .base import Array, Engine, TensorSpec, is_tflite

__all__ = ["ENGINES", "Array", "Engine", "TensorSpec", "engine_class", "is_tflite", "open_engine"]

ENGINES = {
    "litert": ("litert", "LiteRT"),
    "tflite-runtime": ("litert", "TfliteRuntime"),
    "litert-gpu": ("compiled", "LiteRTGpu"),
    "onnxruntime": ("onnxruntime", "OnnxRuntime"),
}
"""Module and class by engine name; the next engine is one line here and one file beside."""


def engine_class(name: str) -> Any:
    """The class of an engine.

    Raises:
        ConfigError: no engine has this name.
    """
    if name not in ENGINES:
        raise ConfigError(f'There is no engine "{name}" ({nearest(name, ENGINES)}).')
    module, cls = ENGINES[name]
    return getattr(import_module(f".{module}", __name__), cls)


def open_engine(model: bytes | Path, engine: str | None = None, threads: int = 1) -> Engine:
    """Load a graph.

    Args:
        model: the file's bytes (they are kept, never read again), or its path.
        engine: "litert", "tflite-runtime", "litert-gpu" for TFLite, "onnxruntime" for ONNX; None = by file type, on the
            CPU. There is no fallback from one to another.
        threads: threads of one call.
    Raises:
        ConfigError: no such engine, or no thread.
        LaneUnavailable: the engine is not here, or refuses this file.
        ManifestError: the file is damaged or cannot be read.
    """
    content = model if isinstance(model, bytes) else _read(model)
    name = engine or ("litert" if is_tflite(content) else "onnxruntime")
    cls = engine_class(name)
    if threads < 1:
        raise ConfigError(f"An engine takes at least 1 thread, found {threads}.")
    if is_tflite(content) == (name == "onnxruntime"):
        found = "a TFLite" if is_tflite(content) else "no TFLite"
        other = "litert" if is_tflite(content) else "onnxruntime"
        raise LaneUnavailable(
            f"Engine {name} does not run this file: it is {found} model. Take engine {other}, or the model's other file."
        )
    opened: Engine = cls(content, threads)
    return opened


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"Cannot read model file {path}: {error.strerror}.") from error
