"""FaceNet for phones and small computers.

`load("model.json")` gives an `Embedder`; everything else is found through its module. Importing this package loads
neither OpenCV nor an interpreter: names are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedder import Embedder, load
    from .manifest import Manifest
    from .pixels import PixelSpec
    from .recognise import FaceRecognizer

__version__ = "0.1.0"
__all__ = ["Embedder", "FaceRecognizer", "Manifest", "PixelSpec", "__version__", "load"]

_HOMES = {
    "Embedder": "embedder",
    "FaceRecognizer": "recognise",
    "load": "embedder",
    "Manifest": "manifest",
    "PixelSpec": "pixels",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
