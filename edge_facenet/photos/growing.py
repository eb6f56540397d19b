"""A crop set while it grows. A kill at any moment loses nothing, and going on gives the bytes of an undisturbed run.

Everything happens in `FOLDER/.growing/`: crops are appended to shards, then one line per photo to `journal.jsonl`; the
journal is the truth, and what stands behind its last whole line is cut off when the folder is opened again. Sealing
writes the tables and `prepare.json` there and then moves the files up, `prepare.json` last. A sealed `.growing` is a
promise: whoever opens the folder next finishes the move, so an older crop set in FOLDER is replaced whole or not at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_facenet import files
from edge_facenet.errors import InputError, OutputError
from edge_facenet.schema import to_json

from .place import JOURNAL, as_output_error, check_place, check_same, entry_of, finish_move, lock, write_all
from .rows import CropRow, Rejection, write_index, write_rejected
from .sealed import (
    DUPLICATES,
    GROWING,
    INDEX,
    REJECTED,
    SEAL,
    CropSet,
    Layout,
    Pixels,
    Seal,
)
from .shards import Shards

_SYNC_EVERY_S = 5.0
_CLOSED = -1
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Recipe:
    """What a crop set is made with; two crop sets of one recipe may be continued, others not."""

    layout: Layout = Layout()
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)


class CropSetWriter:
    """Append-only, resumable. Use as a context manager; leave it sealed or unfinished.

    Args:
        folder: made when missing; may hold an older crop set of this recipe, which stays whole until this one is sealed.
    Raises:
        OutputError: the folder holds something else, is not writable, is being written by another process, or holds a
            crop set of another recipe, finished or not.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder, self.recipe = Path(folder), recipe
        self._work = self.folder / GROWING
        self._shards = Shards(self._work, recipe.layout.size)
        check_place(self.folder)
        self._open()

    def _open(self) -> None:
        self.rows: list[CropRow] = []
        self.rejections: list[Rejection] = []
        self.tries: dict[str, int] = {}
        """How often the process died while it held a photo, by photo; only those without an outcome."""
        self._journal = self._lock = _CLOSED
        self._synced = time.monotonic()
        try:
            with as_output_error(self.folder):
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # faces: the owner's alone
                self._lock = lock(self.folder)
                finish_move(self.folder)
                check_same(self.folder, self.recipe.layout, self.recipe.settings)
                self._work.mkdir(exist_ok=True)
                self._journal = os.open(self._work / JOURNAL, _FLAGS, 0o666)
                self._resume()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> CropSetWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def known(self) -> dict[str, CropRow | Rejection]:
        """Photos that have an outcome."""
        return {r.source: r for r in self.rows} | {r.photo: r for r in self.rejections}

    def died(self, photo: str) -> None:
        """Note that a process died while it held a photo."""
        self._write({"trying": photo})
        self.tries[photo] = self.tries.get(photo, 0) + 1

    @contextlib.contextmanager
    def trying(self, photo: str) -> Iterator[None]:
        """Note which photo is in hand, so that one which kills the process is found out when it is opened again."""
        self._write({"trying": photo})
        try:
            yield
        except BaseException:
            self._write({"let_go": photo})  # an error that Python could report is no death
            raise

    def accept(self, row: CropRow, crop: Pixels) -> CropRow:
        """Append a photo's one face, as `accept_all`; gives the row with its number."""
        return self.accept_all([(row, crop)])[0]

    def accept_all(self, faces: Sequence[tuple[CropRow, Pixels]]) -> list[CropRow]:
        """Append the faces of one photo, all or none; their row numbers are given here.

        Args:
            faces: row and crop, (size, size, 3) uint8 RGB, of each.
        Raises:
            OutputError: the disk is full; what was done so far is kept.
        """
        size = self.recipe.layout.size
        lines: list[dict[str, Any]] = []
        numbered = [dataclasses.replace(row, row=len(self.rows) + k) for k, (row, _) in enumerate(faces)]
        for row, (_, crop) in zip(numbered, faces, strict=True):
            if crop.shape != (size, size, 3) or crop.dtype != np.uint8:
                raise InputError(f"A crop of this set is ({size}, {size}, 3) uint8, found {crop.shape} {crop.dtype}.")
            content = np.ascontiguousarray(crop).tobytes()
            with as_output_error(self.folder):
                self._shards.append(row.row, content)
            lines.append({"row": to_json(row), "crc": zlib.crc32(content)})
        self._write(lines[0] if len(lines) == 1 else {"faces": lines})
        self.rows += numbered
        return numbered

    def reject(self, rejection: Rejection) -> None:
        """Note a photo that gives no crop."""
        self._write({"rejected": to_json(rejection)})
        self.rejections.append(rejection)

    def restart(self) -> None:
        """Forget everything that has grown so far. An older sealed crop set stays."""
        self._close_files()  # the folder stays locked: another process would write what is removed here
        with as_output_error(self.folder):
            shutil.rmtree(self._work)
        self.close()
        self._open()

    def discard(self) -> None:
        """Leave nothing behind, not even the folder if it was made for this; an older crop set stays."""
        self._close_files()
        shutil.rmtree(self._work, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()  # succeeds only when empty
        self.close()

    def seal(self, notes: Sequence[str] = (), duplicates: bytes | None = None) -> CropSet:
        """Finish: write the tables, move everything into place, open the result.

        Args:
            duplicates: what becomes `duplicates.csv`.
        Raises:
            InputError: there is no crop at all.
            OutputError: the disk is full; run again to go on.
        """
        if not self.rows:
            raise InputError(f"No crop to seal in {self.folder}.")
        with as_output_error(self.folder):
            self._sync()
            shards = self._shards.finish(len(self.rows))
            index, rejected = write_index(self.rows), write_rejected(self.rejections)
            files.write_bytes(self._work / INDEX, index)
            files.write_bytes(self._work / REJECTED, rejected)
            if duplicates is not None:
                files.write_bytes(self._work / DUPLICATES, duplicates)
            seal = Seal(
                sealed=True,
                layout=self.recipe.layout,
                rows=len(self.rows),
                rejected=len(self.rejections),
                shards=shards,
                index_sha256=files.sha256(index),
                rejected_sha256=files.sha256(rejected),
                settings=self.recipe.settings,
                versions=self.recipe.versions,
                notes=tuple(notes),
            )
            # from here on the move will be finished, by whomever
            files.write_json(self._work / SEAL, to_json(seal.signed()))
            self._close_files()
            finish_move(self.folder)  # still locked: two that move at once would lose what is moved
            self.close()
        return CropSet.open(self.folder, verify=False)

    def read_crop(self, row: int) -> bytes:
        """Bytes of a crop that has been accepted."""
        return self._shards.read(row)

    def close(self) -> None:
        """Release the files; an unfinished crop set can be opened again."""
        self._close_files()
        if self._lock != _CLOSED:
            os.close(self._lock)
        self._lock = _CLOSED

    # -- what is on the disk ------------------------------------------------------------------------------------------

    def _close_files(self) -> None:
        self._shards.close()
        if self._journal != _CLOSED:
            os.close(self._journal)
        self._journal = _CLOSED

    def _resume(self) -> None:
        position = 0
        with (self._work / JOURNAL).open("rb") as stream:
            for number, line in enumerate(stream):
                entry = entry_of(line)
                if entry is None or (number and not self._replay(entry)):
                    break
                if not number:
                    self._check_header(entry)
                position += len(line)
        os.ftruncate(self._journal, position)
        os.lseek(self._journal, 0, os.SEEK_END)
        if not position:
            self._write({"recipe": self._header()})
        self._cut()

    def _replay(self, entry: dict[str, Any]) -> bool:
        """Take one line of the journal back; False where a crop is not what the line says (a crash of the machine)."""
        if "trying" in entry:
            self.tries[entry["trying"]] = self.tries.get(entry["trying"], 0) + 1
        elif "let_go" in entry:
            self.tries.pop(entry["let_go"], None)
        elif "rejected" in entry:
            self.rejections.append(Rejection(**entry["rejected"]))
            self.tries.pop(self.rejections[-1].photo, None)
        else:
            faces = entry.get("faces", [entry])
            if any(zlib.crc32(self._shards.read(len(self.rows) + k)) != face["crc"] for k, face in enumerate(faces)):
                return False
            rows = [{**face["row"], "points": tuple(map(tuple, face["row"]["points"]))} for face in faces]
            self.rows += [CropRow(**row) for row in rows]
            self.tries.pop(self.rows[-1].source, None)
        return True

    def _header(self) -> dict[str, Any]:
        return {"layout": to_json(self.recipe.layout), "settings": self.recipe.settings}

    def _check_header(self, entry: dict[str, Any]) -> None:
        if entry.get("recipe") != json.loads(json.dumps(self._header())):
            raise OutputError(
                f"{self.folder} holds an unfinished crop set of other settings or another version. Finish it with those, "
                f"delete {self._work}, or give another folder."
            )

    def _write(self, entry: dict[str, Any]) -> None:
        with as_output_error(self.folder):
            write_all(self._journal, json.dumps(entry).encode() + b"\n")
            if time.monotonic() - self._synced > _SYNC_EVERY_S:
                self._sync()

    def _sync(self) -> None:
        self._shards.sync()
        os.fsync(self._journal)
        self._synced = time.monotonic()

    def _cut(self) -> None:
        """Remove what stands behind the journal's last line."""
        self._shards.cut(len(self.rows))
        for name in (INDEX, REJECTED, DUPLICATES):
            (self._work / name).unlink(missing_ok=True)
        for file in self._work.glob(".writing-*"):
            file.unlink()


def write(folder: Path, crops: Pixels, identities: Sequence[str], recipe: Recipe | None = None) -> CropSet:
    """Make a crop set of faces that are aligned already.

    Args:
        crops: (n, size, size, 3) uint8 RGB, margin included.
        identities: one per crop; "" = unlabelled.
        recipe: its layout's size must be the crops'; default: 128 px, margin 8.
    """
    centre = tuple((0.0, 0.0) for _ in range(5))
    with CropSetWriter(folder, recipe or Recipe(settings={"source": "aligned faces"})) as writer:
        if writer.rows or writer.rejections:
            writer.restart()
        for number, (crop, identity) in enumerate(zip(crops, identities, strict=True)):
            writer.accept(CropRow(number, identity, f"{identity or 'unlabelled'}/{number}", 1.0, centre), crop)  # type: ignore[arg-type]
        return writer.seal()
