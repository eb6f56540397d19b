"""Trainings that outlive the shell: started detached, paused, gone on with. `job.json` in the run's folder says how."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..errors import EdgeFacenetError, InputError, SetupError
from ..schema import doc, from_json, to_json
from ..train.runs import JOB, OUTPUT

KNOWN = "runs"
"""Folder of the user's data that remembers where runs are, so that `train status` needs no path."""
START_S, STOP_S = 180.0, 600.0
"""Patience until a training has begun (TensorFlow takes its time on a busy machine), and until it has saved and left."""


@dataclass(frozen=True)
class Job:
    """How to go on with a run."""

    crops: str = doc("crop set, absolute path")
    folder: str = doc("folder the training was started in; paths in its configuration are relative to it")


@dataclass(frozen=True)
class Former:
    """What a run's folder had before a training was started there."""

    note: bytes | None
    log: tuple[int, int] | None


def remember(run: Path, crops: Path) -> Former:
    """Note how to go on with `run`, and that it exists. Never in the way of a training: a user's folder may be read-only.

    Returns:
        what was there before, for `forget_refused`.
    """
    run.mkdir(parents=True, exist_ok=True)
    former = Former((run / JOB).read_bytes() if (run / JOB).is_file() else None, _log(run))
    files.write_json(run / JOB, to_json(Job(str(crops.resolve()), str(Path.cwd()))))
    with contextlib.suppress(EdgeFacenetError):
        files.write_json(_note(run), {"run": str(run.resolve())})
    return former


def forget_refused(run: Path, former: Former | None = None, *, output: bool = False) -> None:
    """Take back what `remember` (and `start`: `output`) wrote for a training that was refused before its first step."""
    if not run.is_dir():
        return
    if (run / "config.json").exists():  # a run from before, which goes on as it was begun, if it can
        if former is not None and former.note is not None and former.log == _log(run) and _crops_are_there(former.note):
            with contextlib.suppress(EdgeFacenetError):
                files.write_bytes(run / JOB, former.note)
        return
    (run / JOB).unlink(missing_ok=True)
    if output:
        (run / OUTPUT).unlink(missing_ok=True)
    with contextlib.suppress(OSError, EdgeFacenetError):  # something else is in it; no folder for notes
        _note(run).unlink(missing_ok=True)
        run.rmdir()


def _crops_are_there(note: bytes) -> bool:
    import json

    try:
        return Path(json.loads(note)["crops"]).exists()
    except (ValueError, KeyError, TypeError):
        return False


def known() -> list[Path]:
    """Runs remembered on this machine that are still there, newest log first."""
    import json

    found = []
    for note in _known_folder().glob("*.json"):
        try:
            run = Path(json.loads(note.read_text(encoding="utf-8"))["run"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if (run / "config.json").is_file():
            found.append(run)
    return sorted(found, key=_touched, reverse=True)


def job_of(run: Path) -> Job:
    """The run's job.

    Raises:
        InputError: it has none.
    """
    import json

    path = run / JOB
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{run} does not say which crop set it learns from (no job.json). Type: edge-facenet train CROPS {run} --detach"
        ) from error
    return from_json(Job, value, str(path), InputError)


def start(run: Path, words: list[str], folder: Path) -> int:
    """Start `edge-facenet train WORDS` in a session of its own, its output in the run's `output.log`.

    Returns:
        the number of the process, once it holds the run's folder or has finished.
    Raises:
        SetupError: it ended at once; the message is its own last sentence.
    """
    from ..train import runs

    output = run / runs.OUTPUT
    run.mkdir(parents=True, exist_ok=True)
    before = _log(run)
    with output.open("ab") as stream:
        begin = stream.tell()
        command = [sys.executable, "-m", "edge_facenet.cli", "train", "run", *words]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=folder, **_apart()
        )
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if child.poll() is not None and child.returncode != 0:
            said = _last_sentence(output, begin)
            forget_refused(run, output=begin == 0)
            raise SetupError(f"The training did not start. {said}")
        if child.poll() == 0 or _begun(run, child.pid, before):
            return child.pid
        time.sleep(0.2)
    return child.pid


def pause(run: Path) -> int:
    """Ask the training to save and leave, and wait until it has.

    Returns:
        the step it was saved at.
    Raises:
        InputError: nothing trains there.
        SetupError: it does not stop.
    """
    from ..train import checkpoint, runs

    process = runs.holder(run)
    if process is None:
        raise InputError(f"No training runs in {run}. See: edge-facenet train status {run}")
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while runs.holder(run) == process:
        if time.monotonic() > deadline:
            raise SetupError(
                f"Process {process} has not stopped within {STOP_S:.0f} s. Its checkpoints are whole: kill {process}"
            )
        time.sleep(0.2)
    saved = checkpoint.newest(run)
    return saved.state.step if saved else 0


def last_sentence(run: Path) -> str:
    """The last line that a detached training wrote, "" when there is none."""
    from ..train import runs

    return _last_sentence(run / runs.OUTPUT, 0)


def _begun(run: Path, process: int, before: tuple[int, int] | None) -> bool:
    """Whether `process` trains: it holds the folder and has begun its log, which comes after all that can be refused."""
    from ..train import runs

    return runs.holder(run) == process and _log(run) != before


def _log(run: Path) -> tuple[int, int] | None:
    """Which log file stands in the folder; a training that begins or goes on puts a new one in its place."""
    try:
        found = (run / "log.csv").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _last_sentence(output: Path, begin: int) -> str:
    try:
        with output.open("rb") as stream:
            stream.seek(max(begin, output.stat().st_size - 8192))
            lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1].removeprefix("edge-facenet: ") if lines else ""


def _apart() -> dict[str, Any]:
    """Out of reach of the shell's hang-up; on Linux a session of its own also has its own share of the processor."""
    if os.name == "nt":
        return {"creationflags": 0x00000008 | 0x00000200}  # DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP
    return {"start_new_session": True}


def _note(run: Path) -> Path:
    """The file that remembers this run."""
    return _known_folder() / f"{files.sha256(str(run.resolve()).encode())[:16]}.json"


def _known_folder() -> Path:
    return files.user_data_folder() / KNOWN


def _touched(run: Path) -> float:
    log = run / "log.csv"
    return log.stat().st_mtime if log.exists() else 0.0
