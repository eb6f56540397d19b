"""The ring: the newest views at the student's size, in a memory-mapped file.

A pure cache: each slot carries its view's number and a checksum, and a slot that is empty, torn or of another view is
made again from the view's seed (0.6 ms). So no crash can change what a step sees.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import OutputError

Picture = npt.NDArray[np.uint8]


class Ring:
    """`capacity` pictures (size, size, 3); view v lies in slot v mod capacity."""

    def __init__(self, path: Path, capacity: int, size: int, make: Callable[[int], Picture]) -> None:
        """
        Args:
            path: the file; begun anew when its length is another one. Name it after all that views follow from.
            make: view number -> (size, size, 3) uint8.
        Raises:
            OutputError: no space for the file.
        """
        self._size, self._capacity, self._make = size, capacity, make
        picture = size * size * 3
        record = np.dtype([("view", "<i8"), ("sum", "<u4"), ("pixels", "u1", (picture,))])
        bytes_needed = capacity * record.itemsize
        try:
            if not path.exists() or path.stat().st_size != bytes_needed:
                _allocate(path, bytes_needed)
            self._slots = np.memmap(path, record, "r+", shape=(capacity,))
        except OSError as error:
            raise OutputError(
                f"Cannot keep {capacity} views in {path} ({bytes_needed >> 20} MiB): {error.strerror}. "
                "Make room, or set a smaller distil.ring."
            ) from error

    def put(self, view: int, picture: Picture) -> None:
        """Keep a picture."""
        slot = self._slots[view % self._capacity]
        content = picture.tobytes()
        slot["pixels"] = np.frombuffer(content, np.uint8)
        slot["view"], slot["sum"] = view, _checksum(view, content)

    def get(self, view: int) -> Picture:
        """The picture of a view, (size, size, 3)."""
        slot = self._slots[view % self._capacity]
        if int(slot["view"]) == view:
            content = slot["pixels"].tobytes()
            if int(slot["sum"]) == _checksum(view, content):
                return np.frombuffer(content, np.uint8).reshape(self._size, self._size, 3)
        picture = self._make(view)
        self.put(view, picture)
        return picture


def _allocate(path: Path, size: int) -> None:
    """An empty file with all its blocks: a disk that is too full says so now, not in the middle of a write to memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        with path.open("wb") as stream:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(stream.fileno(), 0, size)
            else:
                stream.truncate(size)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _checksum(view: int, content: bytes) -> int:
    return zlib.crc32(content, view & 0xFFFFFFFF)
