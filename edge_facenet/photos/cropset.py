"""Crop sets: what `prepare` writes and `train`, `export` and `bench` read."""

from .growing import CropSetWriter, Recipe, write
from .rows import CropRow, Rejection, natural_key
from .sealed import CropSet, Layout

__all__ = ["CropRow", "CropSet", "CropSetWriter", "Layout", "Recipe", "Rejection", "natural_key", "write"]
