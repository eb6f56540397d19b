"""A lane: one artifact on one engine, with one delegate and so many threads. What was asked, and what ran."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge_facenet.errors import ConfigError
from edge_facenet.schema import doc, nearest

Processor = Literal["CPU", "GPU", "software", "unknown"]
ENGINES = {
    "litert": "LiteRT",
    "litert-gpu": "LiteRT",
    "onnxruntime": "ONNX Runtime",
    "tflite-runtime": "tflite-runtime",
}
_GPU = ("litert-gpu",)
_SOFTWARE = re.compile(r"software|swiftshader|llvmpipe|lavapipe|softpipe|swrast|basic render|\bcpu\b", re.IGNORECASE)
_NODES = re.compile(r"(\d+) of (\d+) nodes")
_LEFT = re.compile(r"left: (.+)$")


@dataclass(frozen=True)
class Lane:
    """What was asked for."""

    engine: str = doc("engine, by the name `edge_facenet.load` knows: litert, litert-gpu, onnxruntime, tflite-runtime")
    delegate: str = doc("what is to do the work: cpu or gpu")
    threads: int = doc("threads given to the engine")

    @property
    def key(self) -> str:
        """Short and fit for a file name: 'litert-cpu-1t'."""
        return "litert-gpu" if self.delegate == "gpu" else f"{self.engine}-cpu-{self.threads}t"

    @property
    def title(self) -> str:
        """For people: 'LiteRT CPU, 1 thread'."""
        name = ENGINES.get(self.engine, self.engine)
        if self.delegate == "gpu":
            return f"{name} GPU"
        return f"{name} CPU, {self.threads} thread{'s' if self.threads != 1 else ''}"


@dataclass(frozen=True)
class Ran:
    """What did run, as the engine itself reports it."""

    engine: str = doc("name of the engine that was loaded")
    processor: Processor = doc("kind of processor; 'software' is a GPU that a CPU imitates")
    adapter: str = doc("the engine's own words for what did the work")
    nodes: int | None = doc("operators that the delegate took", None)
    nodes_total: int | None = doc("operators of the graph", None)
    left: tuple[str, ...] = doc("operators that the delegate left to the plain kernels", ())

    @property
    def partial(self) -> bool:
        """True when the delegate left operators behind."""
        return self.nodes is not None and self.nodes_total is not None and self.nodes < self.nodes_total


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lanes_of(model: Path, names: tuple[str, ...] = ()) -> tuple[Lane, ...]:
    """The lanes of a model file: its engines' CPU with one and with all threads, and for TFLite the GPU.

    Args:
        model: the model file; its suffix decides.
        names: keep only these (`litert-cpu`, `litert-gpu`, `onnxruntime-cpu`, …, or a whole key); all when empty.
    Raises:
        ConfigError: a name that no lane of any model has.
    """
    counts = sorted({1, cores()})
    cpu = {".tflite": ("litert", "tflite-runtime"), ".onnx": ("onnxruntime",)}.get(model.suffix, ())
    every = [Lane(engine, "cpu", count) for engine in cpu for count in counts]
    if model.suffix == ".tflite":
        every.append(Lane("litert-gpu", "gpu", 1))
    if not names:
        return tuple(lane for lane in every if lane.engine != "tflite-runtime")
    _check_names(names, counts)
    return tuple(lane for lane in every if _chosen(lane, names))


def _check_names(names: tuple[str, ...], counts: list[int]) -> None:
    engines = ("litert-cpu", "onnxruntime-cpu", "tflite-runtime-cpu")
    known = {"litert-gpu", *engines, *(f"{engine}-{count}t" for engine in engines for count in counts)}
    for name in names:
        if name not in known:
            raise ConfigError(f'No lane is called "{name}" ({nearest(name, known)})')


def _chosen(lane: Lane, names: tuple[str, ...]) -> bool:
    return lane.key in names or any(lane.key.startswith(f"{name}-") and not name.endswith("t") for name in names)


def observe(engine: Any) -> Ran:
    """What ran, from an engine's `name` and `ran_on` (`edge_facenet.engines.base.Engine`), and nothing else.

    `ran_on` reads "CPU, XNNPACK 164 of 165 nodes, 1 partition; left: DEQUANTIZE" or "SwiftShader Device, software".
    """
    words = str(engine.ran_on)
    nodes, left = _NODES.search(words), _LEFT.search(words)
    return Ran(
        engine=engine.name,
        processor=_processor(engine.name, words),
        adapter=words.removeprefix("LiteRT WebGPU accelerator, "),
        nodes=int(nodes[1]) if nodes else None,
        nodes_total=int(nodes[2]) if nodes else None,
        left=tuple(name.strip() for name in left[1].split(",")) if left else (),
    )


def _processor(engine: str, words: str) -> Processor:
    if words.upper().startswith("CPU"):
        return "CPU"
    if engine not in _GPU or "not named" in words:
        return "unknown"
    return "software" if _SOFTWARE.search(words) else "GPU"
