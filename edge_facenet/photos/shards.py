"""The files that a growing crop set's crops go into, one after another: crops-00000.npy, crops-00001.npy, …"""

from __future__ import annotations

import os
from pathlib import Path

from edge_facenet import files

from .place import write_all
from .sealed import HEADER_BYTES, Shard, npy_header

SHARD_ROWS = 2048  # 100 MB of 128-px crops
_CLOSED = -1
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)


class Shards:
    """Crops by their row number; a file is full at SHARD_ROWS of them. Errors are the operating system's.

    Args:
        folder: there already. size: side of a crop, px.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size, self._bytes = folder, size, size**2 * 3
        self._handle, self._number = _CLOSED, 0

    def append(self, row: int, content: bytes) -> None:
        """Put a crop into its place."""
        number, place = divmod(row, SHARD_ROWS)
        if number != self._number or self._handle == _CLOSED:
            self.sync()
            self.close()
            self._number = number
            self._handle = os.open(self._path(number), _FLAGS, 0o666)
            header = npy_header(SHARD_ROWS, self._size)
            if os.fstat(self._handle).st_size < len(header):
                write_all(self._handle, header)
        os.lseek(self._handle, HEADER_BYTES + place * self._bytes, os.SEEK_SET)
        write_all(self._handle, content)

    def read(self, row: int) -> bytes:
        """Bytes of a crop; fewer where a crash of the machine has lost them."""
        number, place = divmod(row, SHARD_ROWS)
        try:
            with self._path(number).open("rb") as stream:
                stream.seek(HEADER_BYTES + place * self._bytes)
                return stream.read(self._bytes)
        except FileNotFoundError:
            return b""

    def cut(self, rows: int) -> None:
        """Remove what stands behind so many crops."""
        for file in self._folder.glob("crops-*.npy"):
            kept = min(max(rows - int(file.stem[6:]) * SHARD_ROWS, 0), SHARD_ROWS)
            if kept:
                os.truncate(file, HEADER_BYTES + kept * self._bytes)
            else:
                file.unlink()

    def finish(self, rows: int) -> tuple[Shard, ...]:
        """Put the true number of crops into each file's header."""
        shards = []
        for number in range(-(-rows // SHARD_ROWS)):
            held = min(rows - number * SHARD_ROWS, SHARD_ROWS)
            path = self._path(number)
            with path.open("r+b") as stream:
                stream.write(npy_header(held, self._size))
                stream.flush()
                os.fsync(stream.fileno())
            shards.append(Shard(path.name, held, files.sha256(path)))
        return tuple(shards)

    def sync(self) -> None:
        """Bring what was written to the disk."""
        if self._handle != _CLOSED:
            os.fsync(self._handle)

    def close(self) -> None:
        """Release the file; the next crop opens its own."""
        if self._handle != _CLOSED:
            os.close(self._handle)
        self._handle = _CLOSED

    def _path(self, number: int) -> Path:
        return self._folder / f"crops-{number:05}.npy"
