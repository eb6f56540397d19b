"""The child process of a lane: one engine, one artifact, commands as JSON lines in, answers as JSON lines out.

Started by `child.Process` as `python -m edge_facenet_bench.worker`. `Session` holds what it does and takes its loader
and its clock from outside, so that tests drive it in their own process with stub engines and a stub clock.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from edge_facenet.errors import EdgeFacenetError
from edge_facenet.schema import to_json

from . import timing
from .clock import Clock, WallClock
from .lanes import observe

Answer = dict[str, Any]
Loader = Callable[..., Any]
"""`edge_facenet.load`: (path, engine=…, threads=…, self_test=…) -> an Embedder with `.engine` and `.embed(crops)`."""
_CHUNK = 64


def load_embedder(path: str, **options: Any) -> Any:
    """The path users take; imported late, so that its cost can be measured."""
    from edge_facenet.embedder import load

    return load(path, **options)


class Session:
    """What a lane's process can do; one method per command."""

    def __init__(self, loader: Loader = load_embedder, clock: Clock | None = None) -> None:
        self._loader, self._clock = loader, clock or WallClock()
        self._embedder: Any = None
        self._faces: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
        self._calls = 0
        self._before = _memory("VmRSS")

    def do(self, request: dict[str, Any]) -> Answer:
        """Carry out one command: {"do": "open" | "burst" | "paced" | "embed" | "check", …}."""
        arguments = dict(request)
        command: Callable[..., Answer] = getattr(self, f"_do_{arguments.pop('do')}")
        return command(**arguments)

    def _do_open(self, artifact: str, engine: str, threads: int, faces: str) -> Answer:
        """Cold start: import, load, first face; then what ran."""
        self._artifact, self._options = artifact, {"engine": engine, "threads": threads}
        self._faces = np.load(faces, mmap_mode="r")
        begin = self._clock.now()
        import_runtime(engine)
        imported = self._clock.now()
        self._embedder = self._loader(artifact, self_test=False, **self._options)
        loaded = self._clock.now()
        timing.read(self._next())
        first = self._clock.now()
        return {
            "cold": {"import_ns": imported - begin, "load_ns": loaded - imported, "first_ns": first - loaded},
            "memory": {"before_bytes": self._before, "peak_bytes": _memory("VmHWM")},
            "ran": to_json(observe(self._embedder.engine)),  # last: an engine may open the graph again to find out
        }

    def _do_check(self) -> Answer:
        """The artifact's own self-test on this engine, where its manifest has one."""
        self._loader(self._artifact, self_test=True, **self._options)
        return {}

    def _do_burst(self, duration_ns: int, max_calls: int, warmup: int) -> Answer:
        self._warm_up(warmup)
        return dict(to_json(timing.burst(self._next, duration_ns, max_calls, self._clock)))

    def _do_paced(self, calls: int, period_ns: int, warmup: int) -> Answer:
        self._warm_up(warmup)
        return dict(to_json(timing.paced(self._next, calls, period_ns, self._clock)))

    def _do_embed(self, faces: str, out: str) -> Answer:
        """Embed every crop of a file (n, s, s, 3) uint8 into another (n, dimension) float32."""
        crops = np.load(faces, mmap_mode="r")
        parts = [self._embedder.embed(np.asarray(crops[at : at + _CHUNK])) for at in range(0, len(crops), _CHUNK)]
        np.save(out, np.concatenate(parts))
        return {"faces": len(crops)}

    def _warm_up(self, calls: int) -> None:
        for _ in range(calls):
            timing.read(self._next())

    def _next(self) -> Any:
        """One face through the whole path, another one at every call."""
        at = self._calls % len(self._faces)
        self._calls += 1
        return self._embedder.embed(self._faces[at : at + 1])


def import_runtime(engine: str) -> None:
    """Import what the lane needs, so that loading an artifact is timed without it."""
    import importlib.util

    names = {"onnxruntime": "onnxruntime", "tflite-runtime": "tflite_runtime.interpreter"}
    module = names.get(engine, "ai_edge_litert.interpreter")
    if importlib.util.find_spec(module.split(".", maxsplit=1)[0]) is not None:
        importlib.import_module(module)
    importlib.import_module("edge_facenet.embedder")


def answer(session: Session, line: str) -> Answer:
    """The answer to one line; every error becomes a reason, because a lane that fails is a result."""
    try:
        return {"ok": session.do(json.loads(line))}
    except EdgeFacenetError as error:
        return {"refused": str(error), "kind": type(error).__name__}
    except Exception as error:  # noqa: BLE001 a runtime may raise anything; the row must say what it was
        traceback.print_exc()
        return {"refused": f"{type(error).__name__}: {' '.join(str(error).split())}", "kind": "crash"}


def serve(session: Session, commands: IO[str], answers: IO[str]) -> None:
    """Answer line by line until the parent closes the pipe."""
    for line in commands:
        print(json.dumps(answer(session, line)), file=answers, flush=True)


def main() -> None:
    """Keep the answers' pipe to ourselves: runtimes print to file descriptor 1, which becomes the error stream."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(Session(), sys.stdin, answers)


def _memory(key: str) -> int:
    """Resident memory of this process in bytes: VmRSS now, VmHWM the highest ever."""
    try:
        found = re.search(rf"^{key}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows has neither
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
