"""What native libraries write straight to the process's stderr, caught while a model is opened."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()  # file descriptor 2 is one for the whole process


class Caught:
    """`text` is complete when the block has ended."""

    text = ""


@contextlib.contextmanager
def caught() -> Iterator[Caught]:
    """Catch what is written to file descriptor 2 inside the block, by any thread.

    Without a usable stderr (a service that closed it) nothing is caught.
    """
    result = Caught()
    with _LOCK, contextlib.ExitStack() as undo:
        try:
            sink = undo.enter_context(tempfile.TemporaryFile())
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, AttributeError, ValueError):
            yield result
            return
        os.dup2(sink.fileno(), 2)
        try:
            yield result
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            sink.seek(0)
            result.text = sink.read().decode(errors="replace")
