"""Galleries for tests: seeded unit vectors instead of faces."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_facenet.gallery import Gallery, Maker, Sample

MAKER = Maker("e" * 64, "a" * 64, 128)
KEY = bytes(range(32))


def unit(seed: int, dimension: int = 128) -> npt.NDArray[np.float32]:
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def sample(seed: int, *, source: str | None = None, crop: bool = False, dimension: int = 128) -> Sample:
    name = f"{seed}.jpg" if source is None else source
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8) if crop else None
    return Sample(unit(seed, dimension), f"{seed:064x}", name, pixels)


def filled(path: Path, people: int = 3, photos: int = 2, *, key: bytes | None = None, crop: bool = False) -> Gallery:
    """P0, P1 … with photos 1000 k + j."""
    gallery = Gallery.open(path, MAKER, key=key)
    for k in range(people):
        gallery.enroll(f"P{k}", [sample(1000 * k + j, crop=crop) for j in range(photos)])
    return gallery


def on_disk(path: Path) -> bytes:
    """The file and whatever lies beside it under its name."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()) if file.name.startswith(path.name))


@contextlib.contextmanager
def raw(path: Path):  # type: ignore[no-untyped-def]
    """Somebody else's hands in the file."""
    connection = sqlite3.connect(path)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


def closed(gallery: Gallery) -> Path:
    """Let go of the file, so that the log is gone and it can be damaged."""
    gallery.close()
    assert not gallery.path.with_name(gallery.path.name + "-wal").exists()
    return gallery.path


def as_nobody(act):  # type: ignore[no-untyped-def]
    """Run `act` in a child without root's rights, for which rights do not count; gives what it raised, as text."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            try:
                text = f"ok {act()}"
            except Exception as error:  # noqa: BLE001 - it travels through the pipe
                text = f"{type(error).__name__}: {error}"
            os.write(write, text.encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        text = stream.read().decode()
    os.waitpid(child, 0)
    return text
