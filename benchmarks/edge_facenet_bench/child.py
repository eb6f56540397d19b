"""The parent's end of a lane's process. A crash, a signal, silence: each becomes a sentence, never our own crash."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from typing import Any, Protocol

Answer = dict[str, Any]


class LaneFailed(Exception):
    """This lane gives no figure; the message is the reason in its row. Never leaves this package."""


class LaneSilent(LaneFailed):
    """No answer in time; its process was ended."""


class Child(Protocol):
    """A lane that answers commands; a stub in tests answers without a process."""

    def ask(self, command: dict[str, Any], timeout: float) -> Answer:
        """The answer to a command of `worker.Session`.

        Raises:
            LaneFailed: refused or crashed, or `LaneSilent` for `timeout` seconds; the lane is over then.
        """
        ...

    def close(self) -> None:
        """End the lane."""
        ...


class Process:
    """A lane in a process of its own."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-m", "edge_facenet_bench.worker")) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as the child
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, encoding="utf-8"
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, command: dict[str, Any], timeout: float) -> Answer:
        assert self._process.stdin is not None
        doing = str(command["do"])
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise LaneFailed(self._obituary(doing)) from None
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            self._process.kill()
            raise LaneSilent(f"no answer within {timeout:g} s in step '{doing}'; its process was ended") from None
        if line is None:
            raise LaneFailed(self._obituary(doing))
        return understand(line)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._lines.put(line)
        self._lines.put(None)

    def _obituary(self, doing: str) -> str:
        code = self._process.wait()
        how = f"signal {_signal(-code)}" if code < 0 else f"exit code {code}"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        last = f": {_one_line(lines[-1])}" if lines else ""
        return f"its process crashed with {how} in step '{doing}'{last}"


def understand(line: str) -> Answer:
    """The content of an answer.

    Raises:
        LaneFailed: the worker refused, or the line is not an answer.
    """
    try:
        answer = json.loads(line)
        if "refused" in answer:
            raise LaneFailed(_one_line(answer["refused"]))
        return dict(answer["ok"])
    except (ValueError, KeyError, TypeError) as error:
        raise LaneFailed(f"its process answered something else than JSON: {_one_line(line)}") from error


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:400]
