"""A finished crop set: memory-mapped crops and the table of who and where they are."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_facenet import files
from edge_facenet.errors import InputError
from edge_facenet.schema import doc, from_json, to_json

from .rows import CropRow, Rejection, natural_key, read_index, read_rejected

SCHEMA_VERSION = 2
"""2: the last columns of index.csv (face, roll, yaw, pitch). Crop sets of schema 1 are read as before."""
SEAL, INDEX, REJECTED, GROWING = "prepare.json", "index.csv", "rejected.csv", ".growing"
DUPLICATES = "duplicates.csv"
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """How crops are cut. The template (112 px, five points) is `crop[margin:size-margin]`, scaled."""

    size: int = doc("side of a crop, px", 128)
    margin: int = doc("px around the template on each side", 8)
    template: str = doc("positions of the five points", "arcface-112")

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 1024 or not 0 <= 2 * self.margin < self.size:
            raise ValueError(
                f"size must be 32..1024 px and the margin less than half, found {self.size}, {self.margin}."
            )


@dataclass(frozen=True)
class Shard:
    """One file of crops."""

    file: str = doc("name in the crop set's folder")
    rows: int = doc("crops inside")
    sha256: str = doc("of the file")


@dataclass(frozen=True)
class Seal:
    """`prepare.json`: what a crop set is made of and how. No dates, no absolute paths: same photos, same bytes."""

    sealed: bool = doc("true: the crop set is finished")
    layout: Layout = doc("how crops are cut")
    rows: int = doc("crops")
    rejected: int = doc("photos without a crop")
    shards: tuple[Shard, ...] = doc("files of crops, in order")
    index_sha256: str = doc("of index.csv")
    rejected_sha256: str = doc("of rejected.csv")
    settings: dict[str, Any] = doc("what decides how photos become crops: rules, limits, face models")
    versions: dict[str, str] = doc("packages it was made with")
    notes: tuple[str, ...] = doc("what a person should know about these photos (colliding names, links)", ())
    schema: int = doc("version of this schema", SCHEMA_VERSION)
    digest: str = doc("sha256 of this file with this field empty", "")

    def signed(self) -> Seal:
        """The same with its digest."""
        plain = dataclasses.replace(self, digest="")
        return dataclasses.replace(plain, digest=files.sha256(files.canonical_json(to_json(plain)).encode()))


class CropSet:
    """A sealed crop set, read-only. Open it with `CropSet.open`."""

    def __init__(self, path: Path, seal: Seal, sha256: str, rows: tuple[CropRow, ...]) -> None:
        self.path = path
        self.seal = seal
        self.sha256 = sha256
        """Of prepare.json, which binds the index and every shard."""
        self.rows = rows
        self.identities = tuple(sorted({r.identity for r in rows if r.identity}, key=natural_key))
        """Distinct, non-empty, in natural order: s2 before s10, independent of the locale and of the folder's order."""
        number = {name: i for i, name in enumerate(self.identities)}
        self.labels: npt.NDArray[np.int32] = np.array([number.get(r.identity, -1) for r in rows], np.int32)
        """(n,) index into `identities`, -1 = unlabelled."""
        self._starts = np.cumsum([0, *(s.rows for s in seal.shards)])

    @classmethod
    def open(cls, path: Path, *, verify: bool = True) -> CropSet:
        """Open a crop set.

        Args:
            verify: read every shard once and compare its sha256 (about a second per gigabyte).
        Raises:
            InputError: missing, not finished, or damaged.
        """
        path = Path(path)
        seal, digest = read_seal(path)
        content = _read_file(path / INDEX)
        if files.sha256(content) != seal.index_sha256:
            raise _damaged(path, INDEX)
        rows = read_index(content, str(path / INDEX))
        if len(rows) != seal.rows or sum(s.rows for s in seal.shards) != seal.rows:
            raise _damaged(path, INDEX)
        opened = cls(path, seal, digest, rows)
        opened._check_shards(verify)
        return opened

    @property
    def size(self) -> int:
        """Side of a crop, px."""
        return self.seal.layout.size

    @property
    def margin(self) -> int:
        """Px around the template on each side: template = crop[margin:size-margin]."""
        return self.seal.layout.margin

    @property
    def template(self) -> str:
        """Positions of the five points ("arcface-112")."""
        return self.seal.layout.template

    def __len__(self) -> int:
        return len(self.rows)

    def crops(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Pixels:
        """Whole crops, margin included.

        Returns:
            (m, size, size, 3) uint8 RGB, a copy.
        Raises:
            InputError: a row that is not there.
        """
        wanted = np.asarray(rows, np.int64).reshape(-1)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise InputError(f"{self.path} has rows 0..{len(self) - 1}; asked for {wanted.min()}..{wanted.max()}.")
        out = np.empty((len(wanted), self.size, self.size, 3), np.uint8)
        shard = np.searchsorted(self._starts, wanted, side="right") - 1
        for number in np.unique(shard):
            here = shard == number
            out[here] = self._maps[number][wanted[here] - self._starts[number]]
        return out

    def cut(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]], size: int) -> Pixels:
        """The template without its margin, at another size: what `Embedder.embed` takes.

        Returns:
            (m, size, size, 3) uint8 RGB; shrunk by area, enlarged bilinearly.
        """
        import cv2

        inner = self.crops(rows)[:, self.margin : self.size - self.margin, self.margin : self.size - self.margin]
        if inner.shape[1] == size:
            return np.ascontiguousarray(inner)
        how = cv2.INTER_AREA if size < inner.shape[1] else cv2.INTER_LINEAR
        out = np.empty((len(inner), size, size, 3), np.uint8)
        for crop, target in zip(inner, out, strict=True):
            cv2.resize(crop, (size, size), dst=target, interpolation=how)
        return out

    def rows_of(self, identities: Iterable[str]) -> npt.NDArray[np.int64]:
        """Rows of these people, ascending.

        Raises:
            InputError: a name that is not in the crop set.
        """
        number = {name: i for i, name in enumerate(self.identities)}
        names = list(identities)
        if missing := [name for name in names if name not in number]:
            raise InputError(f"{self.path} has no identity {missing[0]!r} ({len(missing)} of {len(names)} missing).")
        return np.flatnonzero(np.isin(self.labels, [number[name] for name in names])).astype(np.int64)

    def rejections(self) -> tuple[Rejection, ...]:
        """Photos that gave no crop, and why.

        Raises:
            InputError: their table is missing or damaged.
        """
        content = _read_file(self.path / REJECTED)
        if files.sha256(content) != self.seal.rejected_sha256:
            raise _damaged(self.path, REJECTED)
        return read_rejected(content, str(self.path / REJECTED))

    @functools.cached_property
    def _maps(self) -> list[Pixels]:
        return [np.load(self.path / s.file, mmap_mode="r") for s in self.seal.shards]

    def _check_shards(self, verify: bool) -> None:
        for shard in self.seal.shards:
            file = self.path / shard.file
            expected = HEADER_BYTES + shard.rows * self.size * self.size * 3
            try:
                sound = file.stat().st_size == expected and (not verify or files.sha256(file) == shard.sha256)
            except OSError as error:
                raise InputError(f"Cannot read {file}: {error.strerror}. Prepare the crop set again.") from error
            if not sound:
                raise _damaged(self.path, shard.file)


HEADER_BYTES = 128


def npy_header(rows: int, size: int) -> bytes:
    """Header of a .npy file (format 1.0) holding (rows, size, size, 3) uint8, always 128 bytes long."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, {size}, {size}, 3), }}".encode()
    room = HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little") + text.ljust(room - 1) + b"\n"


def read_seal(path: Path) -> tuple[Seal, str]:
    """`prepare.json` and its sha256.

    Raises:
        InputError: missing, not finished, damaged, or written by a newer version.
    """
    file = path / SEAL
    if not file.is_file():
        if (path / GROWING).is_dir():
            raise InputError(f"The crop set {path} is not finished. Run the same edge-facenet prepare again to go on.")
        raise InputError(f"{path} is not a crop set: it has no {SEAL}. Type: edge-facenet prepare PHOTOS {path}")
    content = _read_file(file)
    try:
        value = json.loads(content)
    except ValueError as error:
        raise _damaged(path, SEAL) from error
    if isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] > SCHEMA_VERSION:
        raise InputError(f"{file} has schema {value['schema']}; this version reads up to {SCHEMA_VERSION}. Upgrade.")
    seal = from_json(Seal, value, str(file), InputError)
    if not seal.sealed:
        raise InputError(f"The crop set {path} is not finished. Run the same edge-facenet prepare again to go on.")
    if seal != seal.signed() or any(Path(s.file).name != s.file for s in seal.shards):
        raise _damaged(path, SEAL)
    return seal, files.sha256(content)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}. Prepare the crop set again.") from error


def _damaged(path: Path, name: str) -> InputError:
    return InputError(
        f"The crop set {path} is damaged: {name} is not what {SEAL} says. Prepare the photos again, into another folder."
    )
