"""Tiny networks and artifacts for the tests of every room: no training, no TensorFlow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_facenet import manifest as manifests
from edge_facenet.manifest import Manifest
from edge_facenet.pixels import PixelSpec

GOLDEN = Path(__file__).parent / "golden"
FLOAT = PixelSpec(112)
INT8 = PixelSpec(112, dtype="int8", quantization=(1 / 128, 0))
NCHW = PixelSpec(112, layout="NCHW")


def graph(name: str) -> bytes:
    """The bytes of `golden/tiny-NAME.tflite`: "fp32", "int8" (int8 in and out), "two" (embedding and logits)."""
    return (GOLDEN / f"tiny-{name}.tflite").read_bytes()


def describe(pixels: PixelSpec, suffix: str = ".tflite", **changes: Any) -> Manifest:
    """A manifest for one of the tiny networks."""
    recipe = "int8" if pixels.dtype == "int8" else "fp32"
    plain = Manifest(f"x{suffix}", pixels, "arcface-112", 128, family="tiny", recipe=recipe, name="tiny")
    return replace(plain, **changes)


def artifact(folder: Path, name: str = "fp32", **changes: Any) -> Path:
    """Write a tiny TFLite artifact; the path of its manifest."""
    return manifests.write(folder, f"tiny-{name}", graph(name), describe(INT8 if name == "int8" else FLOAT, **changes))


def onnx_artifact(folder: Path, seed: int = 1, **changes: Any) -> Path:
    """Write a tiny ONNX artifact; the path of its manifest."""
    return manifests.write(folder, "tiny-onnx", onnx_graph(seed), describe(NCHW, ".onnx", **changes))


def onnx_graph(
    seed: int = 1, size: int = 112, scale: float = 0.1, outputs: tuple[str, ...] = ("embedding",), batch: int | str = 1
) -> bytes:
    """Conv 3->8, k 3, s 2 -> Relu -> GlobalAveragePool -> Flatten -> Gemm 128, weights normal(0, scale), opset 17."""
    from onnx import helper, numpy_helper

    draw = np.random.default_rng(seed).normal
    shapes = {"kernel": (8, 3, 3, 3), **{f"dense-{name}": (8, 128) for name in outputs}}
    weights = [numpy_helper.from_array(draw(0, scale, s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        *(helper.make_node("Gemm", ["f", f"dense-{name}"], [name]) for name in outputs),
    ]
    return onnx_bytes(nodes, weights, [batch, 3, size, size], {name: [batch, 128] for name in outputs})


def onnx_constant(value: float) -> bytes:
    """A network that gives every face the same vector, all `value`."""
    from onnx import TensorProto, helper

    tensor = helper.make_tensor("value", TensorProto.FLOAT, [1, 128], [value] * 128)
    return onnx_bytes([helper.make_node("Identity", ["value"], ["embedding"])], [tensor], [1, 3, 112, 112])


def onnx_bytes(
    nodes: list[Any], weights: list[Any], takes: list[Any], gives: dict[str, list[Any]] | None = None
) -> bytes:
    """A model with the float input "image" and float outputs by name (default: "embedding", (1, 128))."""
    from onnx import TensorProto, helper

    image = [helper.make_tensor_value_info("image", TensorProto.FLOAT, takes)]
    shapes = (gives or {"embedding": [1, 128]}).items()
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes]
    made = helper.make_graph(nodes, "tiny", image, results, weights)
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(made, opset_imports=opset, ir_version=10).SerializeToString()
    return content


def foreign(folder: Path, graph: bytes, **keys: Any) -> Path:
    """A hand-written manifest beside a network that is not ours; `keys` are added or replace what stands there."""
    folder.mkdir(parents=True, exist_ok=True)
    tflite = graph[4:8] == b"TFL3"
    name = "foreign.tflite" if tflite else "foreign.onnx"
    (folder / name).write_bytes(graph)
    pixels = {"size": 112, "layout": "NHWC" if tflite else "NCHW"}
    value = {"file": name, "pixels": pixels, "template": "arcface-112", "dimension": 128, **keys}
    (folder / "foreign.json").write_text(json.dumps(value))
    return folder / "foreign.json"


def crops(n: int = 8, size: int = 112, seed: int = 0) -> np.ndarray:
    """(n, size, size, 3) uint8 RGB, smooth random colours: embeddings of different rows differ."""
    draw = np.random.default_rng(seed)
    ends = draw.uniform(0, 255, (2, n, 1, 1, 3))
    slope = np.linspace(0, 1, size).reshape(1, size, 1, 1)
    return (
        (ends[0] * (1 - slope) + ends[1] * slope + draw.uniform(-20, 20, (n, size, size, 3)))
        .clip(0, 255)
        .astype(np.uint8)
    )


def run_and_answer(engine: Any, image: np.ndarray, answers: Any) -> None:
    """For a child process: one call, its first output into the queue."""
    answers.put(engine.run([image])[0])


def embed_and_answer(embedder: Any, crops: np.ndarray, answers: Any) -> None:
    """For a child process: embeddings into the queue."""
    answers.put(embedder.embed(crops))
