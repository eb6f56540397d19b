"""For an interpreter that trusts its file: tflite-runtime does not check the FlatBuffer, and dies or hangs on a damaged one.

Of its versions 2.14.0 was tried on truncated files: three in four end in SIGSEGV, some never return. (LiteRT and ONNX
Runtime check, and refuse every length by an exception.)
"""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from collections.abc import Callable

SECONDS = 20.0
"""For one open and one run in a child; the largest networks take a second on a Raspberry Pi 4."""


def survives(attempt: Callable[[], object], seconds: float = SECONDS) -> bool:
    """Whether `attempt` ends, by returning or by an exception, in a forked child: neither killed nor hanging.

    Without fork (Windows) it is not tried, and True.
    """
    if not hasattr(os, "fork"):
        return True
    child = os.fork()
    if child == 0:
        try:
            faulthandler.disable()  # what happens here is an answer, not an accident
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            attempt()
        finally:
            os._exit(0)  # an exception is an answer, too: the caller will meet it again
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.WIFEXITED(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def weights_inside(model: bytes) -> bool:
    """Whether every buffer of a TFLite file ends inside the file; reading beyond it would be silent.

    Source: schema.fbs of TensorFlow Lite: Model.buffers is field 4, Buffer.data field 0.
    """
    try:
        table = _follow(model, 0)
        vector = _follow(model, _field(model, table, 4))
        for k in range(_number(model, vector, 4)):
            data = _field(model, _follow(model, vector + 4 + 4 * k), 0)
            if data and (start := _follow(model, data)) + 4 + _number(model, start, 4) > len(model):
                return False
    except IndexError:
        return False
    return True


def _number(model: bytes, place: int, size: int) -> int:
    if not 0 <= place <= len(model) - size:
        raise IndexError(place)
    return int.from_bytes(model[place : place + size], "little")


def _follow(model: bytes, place: int) -> int:
    """Where a relative offset leads."""
    return place + _number(model, place, 4)


def _field(model: bytes, table: int, index: int) -> int:
    """Place of a table's field; 0 when it is left out."""
    back = _number(model, table, 4)
    layout = table - (back - (1 << 32) if back >> 31 else back)
    if 4 + 2 * index >= _number(model, layout, 2):
        return 0
    offset = _number(model, layout + 4 + 2 * index, 2)
    return table + offset if offset else 0
