"""What native libraries write straight to the process's stdout and stderr, caught while a model is opened."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_LOCK = threading.Lock()  # the descriptors are one for the whole process


class Caught:
    """`text` is complete when the block has ended."""

    text = ""


@contextlib.contextmanager
def caught(*descriptors: int) -> Iterator[Caught]:
    """Catch what any thread writes to these file descriptors inside the block (1 = stdout, 2 = stderr).

    Where a service closed them, or has no temporary folder and no Linux, nothing is caught.
    """
    result = Caught()
    with _LOCK, contextlib.ExitStack() as stack:
        try:
            sink = stack.enter_context(_sink())
        except OSError:
            yield result
            return
        kept = {number: copy for number in descriptors if (copy := _duplicate(number)) is not None}
        for number in kept:
            os.dup2(sink.fileno(), number)
        try:
            yield result
        finally:
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
            sink.seek(0)
            result.text = sink.read().decode(errors="replace")


def _sink() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError:  # a service on a read-only disk
        if not hasattr(os, "memfd_create"):
            raise
        return os.fdopen(os.memfd_create("caught"), "w+b")


def _renew() -> None:
    """A forked child does not have the thread that may hold the lock."""
    global _LOCK  # noqa: PLW0603
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def _duplicate(number: int) -> int | None:
    stream = sys.stdout if number == 1 else sys.stderr
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or None under pythonw
        stream.flush()
    try:
        return os.dup(number)
    except OSError:
        return None
