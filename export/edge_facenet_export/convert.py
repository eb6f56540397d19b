"""One converter per recipe; a recipe that fails fails, and no other takes its place."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from edge_facenet.errors import MissingExtra

from .describe import pixels
from .recipes import Recipe
from .source import Source

OnStep = Callable[[], None]


def convert(recipe: Recipe, source: Source, on_step: OnStep = lambda: None) -> bytes:
    """The file of one recipe.

    Args:
        on_step: called after each of its tuning steps.
    Raises:
        GateError: the recipe cannot hold this network; names the layer or operator.
        MissingExtra: a converter is not installed.
    """
    try:
        return _CONVERTERS[recipe.suffix](recipe, source, on_step)
    except ImportError as error:
        raise MissingExtra(error.name or "a converter", "export", f"The recipe {recipe.suffix}") from error


def _fp16(source: Source) -> bytes:
    from .to_tflite import fp16

    return fp16(source.float_tflite)


def _int8(recipe: Recipe, source: Source, on_step: OnStep) -> bytes:
    from .bias import corrected
    from .fold import folded
    from .graph import answers
    from .tune import tuned

    to = import_module(f".to_{recipe.format}", __package__)
    steps, even = recipe.tune_steps, source.equalized
    network = tuned(even, source.lessons, source.calibration, steps, recipe.levels, on_step) if steps else folded(even)
    wanted = answers(source.model, source.calibration)

    def make(network: Any) -> bytes:
        return bytes(to.int8(to.fp32(network, source.size), source.calibration))

    return corrected(network, make, pixels(recipe, source.size), source.calibration, wanted)


_CONVERTERS: dict[str, Callable[[Recipe, Source, OnStep], bytes]] = {
    "fp32": lambda _, source, __: source.float_tflite,
    "fp16": lambda _, source, __: _fp16(source),
    "int8": _int8,
    "fp32-onnx": lambda _, source, __: source.float_onnx,
    "int8-onnx": _int8,
}
