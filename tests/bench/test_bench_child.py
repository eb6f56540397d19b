"""A lane's process: whatever kills it becomes a sentence."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_world import FakeClock, StubEmbedder, artifact
from edge_facenet_bench.child import LaneFailed, LaneSilent, Process
from edge_facenet_bench.worker import Session, serve

PREAMBLE = "import json, os, signal, sys, time\nline = sys.stdin.readline()\n"


def process(body: str) -> Process:
    return Process((sys.executable, "-c", PREAMBLE + body))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"crashed with signal SIGSEGV in step 'burst'"),
        (
            "print('driver: out of memory', file=sys.stderr); os.abort()",
            r"SIGABRT in step 'burst': driver: out of memory",
        ),
        ("sys.exit(3)", r"crashed with exit code 3 in step 'burst'"),
        ("os.kill(os.getpid(), signal.SIGKILL)", r"signal SIGKILL"),
        ("time.sleep(60)", r"no answer within 1 s in step 'burst'; its process was ended"),
        ("print('hello', flush=True); time.sleep(60)", r"something else than JSON: hello"),
        ("print(json.dumps({'refused': 'no adapter'}), flush=True); time.sleep(60)", r"^no adapter$"),
    ],
)
def test_c096_a_crash_of_the_child_is_a_reason(body: str, reason: str) -> None:
    child = process(body)
    try:
        with pytest.raises(LaneFailed, match=reason):
            child.ask({"do": "burst"}, timeout=1 if "within" in reason else 20)
    finally:
        child._process.kill()  # one of them sleeps on purpose
        child.close()


def test_silence_is_told_from_a_crash() -> None:
    child = process("time.sleep(60)")
    with pytest.raises(LaneSilent):
        child.ask({"do": "embed"}, timeout=0.2)
    child.close()
    child = process("sys.exit(3)")
    with pytest.raises(LaneFailed) as crash:
        child.ask({"do": "embed"}, timeout=20)
    assert not isinstance(crash.value, LaneSilent)
    child.close()


def test_asking_a_dead_child_again_gives_its_obituary() -> None:
    child = process("sys.exit(4)")
    for _ in range(2):
        with pytest.raises(LaneFailed, match="exit code 4"):
            child.ask({"do": "open"}, timeout=20)
    child.close()


def test_what_a_runtime_prints_to_stdout_does_not_reach_the_answers(tmp_path: Path) -> None:
    noise = "import os\nos.write(1, b'INFO: Created delegate\\n')\nprint('more')\n"
    code = "import sys, edge_facenet_bench.worker as w\n" + (
        f"original = w.Session.do\ndef do(self, request):\n    exec({noise!r})\n    return {{'x': 1}}\nw.Session.do = do\nw.main()\n"
    )
    child = Process((sys.executable, "-c", code))
    assert child.ask({"do": "open"}, timeout=60) == {"x": 1}
    child.close()


def test_the_worker_answers_line_by_line_and_survives_its_own_errors(tmp_path: Path) -> None:
    clock = FakeClock()
    session = Session(lambda path, **options: StubEmbedder(clock), clock)
    faces = tmp_path / "faces.npy"
    np.save(faces, np.zeros((3, 8, 8, 3), np.uint8))
    asked: list[dict[str, Any]] = [
        {"do": "fly"},
        {"do": "open", "artifact": "a.json", "engine": "litert", "threads": 1, "faces": str(faces)},
        {"do": "burst", "duration_ns": 3_000_000, "max_calls": 10, "warmup": 2},
        {"do": "embed", "faces": str(faces), "out": str(tmp_path / "out.npy")},
        {"do": "embed", "faces": str(tmp_path / "missing.npy"), "out": "x"},
    ]
    out = io.StringIO()
    serve(session, io.StringIO("\n".join(json.dumps(one) for one in asked) + "\n"), out)
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert "fly" in answers[0]["refused"]
    assert answers[1]["ok"]["ran"]["processor"] == "CPU"
    assert answers[1]["ok"]["memory"]["peak_bytes"] >= answers[1]["ok"]["memory"]["before_bytes"] > 0
    assert answers[2]["ok"]["samples_ns"] == [1_000_000] * 3
    assert answers[3]["ok"] == {"faces": 3} and np.load(tmp_path / "out.npy").shape == (3, 8)
    assert "FileNotFoundError" in answers[4]["refused"]


def test_a_truncated_model_is_a_reason(tmp_path: Path) -> None:
    path = artifact(tmp_path)
    model = next(tmp_path.glob("*.tflite"))
    model.write_bytes(model.read_bytes()[:2000])
    np.save(tmp_path / "faces.npy", np.zeros((1, 112, 112, 3), np.uint8))
    command = {
        "do": "open",
        "artifact": str(path),
        "engine": "litert",
        "threads": 1,
        "faces": str(tmp_path / "faces.npy"),
    }
    child = Process()
    with pytest.raises(LaneFailed, match="damaged or belongs to another manifest"):
        child.ask(command, timeout=60)
    child.close()
