"""Which recipes are meant by names and formats, and what is said of those that are none."""

from __future__ import annotations

from typing import Any

import pytest
from edge_facenet_export import recipes

from edge_facenet.errors import ConfigError


def test_recipes_by_name_and_format() -> None:
    def suffixes(*arguments: Any) -> list[str]:
        return [recipe.suffix for recipe in recipes.chosen(*arguments)]

    assert suffixes() == ["fp32", "fp16", "int8", "fp32-onnx", "int8-onnx"]
    assert suffixes(["int8"]) == ["int8", "int8-onnx"] and suffixes(["int8"], "tflite") == ["int8"]
    assert suffixes([], "onnx") == ["fp32-onnx", "int8-onnx"] and suffixes(["int8-onnx"]) == ["int8-onnx"]
    for arguments, words in (
        ((["int4"],), '"int4".*did you mean "int8"'),
        ((["fp16"], "onnx"), r'"fp16" for onnx \(did you mean "fp32"'),
        ((["int8-onnx"], "tflite"), r'"int8-onnx" for tflite \(did you mean "int8"'),
        ((["fp32-tflite"],), '"fp32-tflite".*did you mean "fp32'),
        (([], "coreml"), "coreml"),
    ):
        with pytest.raises(ConfigError, match=words):
            recipes.chosen(*arguments)


def test_tuning_goes_to_integer_recipes_and_is_refused_where_there_is_none() -> None:
    tuned = {recipe.suffix: recipe.tune_steps for recipe in recipes.chosen(tune_steps=7)}
    assert tuned == {"fp32": 0, "fp16": 0, "int8": 7, "fp32-onnx": 0, "int8-onnx": 7}
    with pytest.raises(ConfigError, match="Tuning is for int8"):
        recipes.chosen(["fp16"], tune_steps=7)
