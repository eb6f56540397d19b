"""One converter per recipe; a recipe that fails fails, and no other takes its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_facenet.errors import MissingExtra

from .describe import pixels
from .recipes import RECIPES, Recipe
from .source import Source


def convert(recipe: Recipe, source: Source) -> bytes:
    """The file of one recipe.

    Raises:
        GateError: the recipe cannot hold this network; names the layer or operator.
        MissingExtra: a converter is not installed.
    """
    try:
        return _CONVERTERS[recipe.suffix](source)
    except ImportError as error:
        raise MissingExtra(error.name or "a converter", "export", f"The recipe {recipe.suffix}") from error


def _fp16(source: Source) -> bytes:
    from .to_tflite import fp16

    return fp16(source.float_tflite)


def _int8(source: Source) -> bytes:
    from .to_tflite import fp32, int8

    return _corrected(
        source.equalized, lambda network: int8(fp32(network, source.size), source.calibration), source, "int8"
    )


def _int8_onnx(source: Source) -> bytes:
    from .to_onnx import fp32, int8

    return _corrected(
        source.model, lambda network: int8(fp32(network, source.size), source.calibration), source, "int8-onnx"
    )


def _corrected(model: Any, make: Callable[[Any], bytes], source: Source, recipe: str) -> bytes:
    from .bias import corrected

    return corrected(model, make, pixels(RECIPES[recipe], source.size), source.calibration)


_CONVERTERS: dict[str, Callable[[Source], bytes]] = {
    "fp32": lambda source: source.float_tflite,
    "fp16": _fp16,
    "int8": _int8,
    "fp32-onnx": lambda source: source.float_onnx,
    "int8-onnx": _int8_onnx,
}
