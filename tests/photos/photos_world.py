"""Helpers of the photo tests."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_facenet.photos.cropset import CropSet

Pixels = npt.NDArray[np.uint8]


def encoded(picture: Pixels | Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The bytes of a picture file."""
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(stream, kind, **({"quality": 95} if kind in ("JPEG", "WEBP") else {}) | options)
    return stream.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files, by path relative to `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def table(path: Path) -> list[dict[str, str]]:
    """A csv of the crop set, read the way its documentation says."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return list(csv.DictReader(stream))


def reasons(folder: Path) -> dict[str, str]:
    """Rejected photos and why."""
    return {row["photo"]: row["reason"] for row in table(folder / "rejected.csv")}


def sources(crops: CropSet) -> list[str]:
    """Photos that gave a crop, in order."""
    return [row.source for row in crops.rows]


def everything(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def grey(width: int, height: int) -> Pixels:
    """A picture of nothing."""
    return np.full((height, width, 3), 128, np.uint8)


def paste(picture: Pixels, face: Pixels, at: tuple[int, int]) -> Pixels:
    """`picture` with `face` at (x, y)."""
    x, y = at
    picture[y : y + face.shape[0], x : x + face.shape[1]] = face
    return picture
