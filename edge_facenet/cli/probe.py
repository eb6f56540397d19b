"""What `doctor` tries in a child process, because a native library that does not fit this machine kills its process.

    python -m edge_facenet.cli.probe litert

The last line on stdout is a JSON object: `found` (it works, and what it says) or `error` (why not).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

PROBE_SECONDS = 120  # a GPU's driver compiles shaders at its first use; on a Raspberry Pi imports alone take seconds
MODELS = Path(__file__).parent  # doctor.tflite and doctor.onnx: x + 1, (1, 8) float32


def imported(module: str) -> Callable[[], str]:
    """A probe that imports a module and tells its version."""
    return lambda: str(import_module(module).__version__)


def engine(name: str) -> Callable[[], str]:
    """A probe that runs a model of one addition."""

    def probe() -> str:
        import numpy as np

        from ..engines import open_engine

        model = MODELS / ("doctor.onnx" if name == "onnxruntime" else "doctor.tflite")
        opened = open_engine(model, name)
        values = np.arange(8, dtype=np.float32).reshape(1, 8)
        (result,) = opened.run([values])
        if not np.allclose(result, values + 1, atol=1e-2):  # half precision on a GPU: 8 has a step of 0.008
            raise RuntimeError(f"it computes 1 + {values.tolist()} as {result.tolist()}")
        return f"runs; {opened.ran_on}"

    return probe


def faces() -> str:
    """Whether the face models are there and answer as they should."""
    from ..photos import models

    state = models.status()
    if not state.complete:
        wrong = [f"{name} missing" for name in state.missing] + [f"{name} damaged" for name in state.damaged]
        raise LookupError(f"{', '.join(wrong)} in {state.folder}")
    models.open_finder()
    return f"{' and '.join(state.ready)} in {state.folder}, and they answer as they should"


PROBES: dict[str, Callable[[], str]] = {
    "numpy": imported("numpy"),
    "opencv": imported("cv2"),
    "pillow": imported("PIL"),
    "litert": engine("litert"),
    "tflite-runtime": engine("tflite-runtime"),
    "onnxruntime": engine("onnxruntime"),
    "litert-gpu": engine("litert-gpu"),
    "faces": faces,
}


@dataclass(frozen=True)
class Answer:
    """What a probe said."""

    works: bool
    found: str


def ask(probe: str) -> Answer:
    """Run a probe in a child process, which a broken native library may kill."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "edge_facenet.cli.probe", probe]
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(False, f"could not be tried: {error}")
    for line in reversed(done.stdout.decode(errors="replace").splitlines()):
        try:
            answer = json.loads(line)
        except ValueError:
            continue  # native libraries write to stdout as well
        return Answer("found" in answer, " ".join(str(answer.get("found", answer.get("error"))).split()))
    return Answer(False, f"kills its process ({_ending(done.returncode)})")


def _ending(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"


def main() -> None:
    """Run the probe named on the command line."""
    try:
        answer = {"found": PROBES[sys.argv[1]]()}
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises is the answer
        reason = error.__cause__ if isinstance(error.__cause__, ImportError) else error
        answer = {"error": str(reason) or type(reason).__name__}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
