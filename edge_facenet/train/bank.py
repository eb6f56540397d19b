"""The bank: a teacher's answers to numbered views, kept so that they are paid for once.

`bank.json` says what the rows follow from (`Key`); `rows.bin` grows at its end, one record per view: the embedding in
float16 and a checksum over view number and embedding. A record torn by a crash fails its checksum and is made again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import files
from ..errors import InputError, OutputError
from ..schema import doc, from_json, to_json

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Key:
    """What a bank's rows follow from; another value of any of these makes a bank stale."""

    teacher: str = doc("fingerprint of the teacher, or of several with their projection")
    crops: str = doc("sha256 of the crop set, and of which of its rows are trained on")
    views: str = doc("what views look like: version and hash")
    order: str = doc("seed and mixing of the views")
    dimension: int = doc("length of a row")


_NAMES = {
    "teacher": "another teacher",
    "crops": "other crops",
    "views": "another version of the views",
    "order": "another seed or mixing of the views",
    "dimension": "another embedding length",
}


class Bank:
    """An append-only file of rows; one writer."""

    def __init__(self, folder: Path, key: Key) -> None:
        """Open, or begin, the bank in `folder`.

        Raises:
            InputError: the bank there is stale (named: other teacher, crops, views, order), or damaged.
            OutputError: the folder cannot be written to, or another process fills it.
        """
        self.folder, self.key = folder, key
        self._record = 2 * key.dimension + 4
        self._path = folder / "rows.bin"
        header = folder / "bank.json"
        if header.exists():
            _refuse_stale(header, key)
        else:
            files.write_json(header, to_json(key))
        try:
            self._stream = self._path.open("a+b")
        except OSError as error:
            raise OutputError(
                f"Cannot write {self._path}: {error.strerror}. Give another folder for the bank."
            ) from error
        if files.try_lock(self._stream) is False:
            raise OutputError(f"Another process fills the bank in {folder}. Wait for it, or give another folder.")
        self._count = self._sound()
        self._stream.truncate(self._count * self._record)

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Rows) -> None:
        """Add (n, dimension) rows for the next n views.

        Raises:
            OutputError: the disk is full; what is there stays.
        """
        half = np.ascontiguousarray(rows, np.float16)
        if half.shape[1:] != (self.key.dimension,):
            raise ValueError(f"rows must be (n, {self.key.dimension}), found {half.shape}.")
        contents = [row.tobytes() for row in half]
        records = [content + _checksum(view, content) for view, content in enumerate(contents, self._count)]
        try:
            self._stream.write(b"".join(records))
            self._stream.flush()
        except OSError as error:
            raise OutputError(f"Cannot write {self._path}: {error.strerror}. Make room and start again.") from error
        self._count += len(records)

    def rows(self, views: npt.NDArray[np.int64]) -> Rows:
        """(n, dimension) float32 unit rows of the views with these numbers, all below `len(bank)`."""
        out = np.empty((len(views), self.key.dimension), np.float32)
        handle = self._stream.fileno()
        for place, view in enumerate(views):
            if not 0 <= view < self._count:
                raise IndexError(f"view {view} is not in the bank; it holds {self._count}.")
            content = os.pread(handle, self._record, int(view) * self._record)
            if content[-4:] != _checksum(int(view), content[:-4]):
                raise InputError(f"Row {view} of {self._path} is damaged. Delete the folder; the rows are made again.")
            out[place] = np.frombuffer(content[:-4], np.float16)
        return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), np.float32)

    def close(self) -> None:
        """Let go of the file. What a full disk refused was told by `append`, which leaves nothing else unwritten."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def _sound(self) -> int:
        """How many records stand whole, counted from the first."""
        content = np.memmap(self._path, np.uint8, "r") if self._path.stat().st_size else np.zeros(0, np.uint8)
        for number in range(len(content) // self._record):
            record = content[number * self._record : (number + 1) * self._record].tobytes()
            if record[-4:] != _checksum(number, record[:-4]):
                return number
        return len(content) // self._record


def _checksum(view: int, content: bytes) -> bytes:
    return zlib.crc32(view.to_bytes(8, "little") + content).to_bytes(4, "little")


def _refuse_stale(header: Path, key: Key) -> None:
    try:
        found = from_json(Key, json.loads(header.read_text(encoding="utf-8")), f"bank {header}", InputError)
    except ValueError as error:
        raise InputError(f"{header} is not JSON: {error}. Delete the folder; the rows are made again.") from error
    stale = [f.name for f in dataclasses.fields(Key) if getattr(found, f.name) != getattr(key, f.name)]
    if stale:
        name = stale[0]
        raise InputError(
            f"The bank in {header.parent} was made with {' and '.join(_NAMES[n] for n in stale)} "
            f"({name} {getattr(found, name)}, now {getattr(key, name)}). Delete it, or give another folder for the bank."
        )
