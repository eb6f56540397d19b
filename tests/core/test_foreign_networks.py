"""Somebody else's network through a hand-written manifest: any batch, layout, colour order, mean, scale and length."""

from __future__ import annotations

import itertools
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_facenet import load
from edge_facenet.embedder import Embedder, selftest_faces
from edge_facenet.engines import TensorSpec
from edge_facenet.errors import InputError, ManifestError, SelfTestFailed, UnusableEmbedding

onnx = pytest.importorskip("onnx", reason="the test's networks are written with onnx, from the extra export")
pytest.importorskip("onnxruntime", reason="the test's networks run on ONNX Runtime, from the extra onnx")
SIDE = 8


def matrix_graph(takes: list[Any], gives: list[Any], matrix: np.ndarray, shape: list[int] | None = None) -> bytes:
    """Values of a face times a matrix, as ONNX; `shape`: what the embedding is reshaped to at last."""
    from onnx import helper, numpy_helper

    weights = [numpy_helper.from_array(matrix.astype(np.float32), "matrix")]
    nodes = [helper.make_node("Flatten", ["image"], ["flat"])]
    last = "embedding" if shape is None else "raw"
    nodes.append(helper.make_node("MatMul", ["flat", "matrix"], [last]))
    if shape is not None:
        weights.append(numpy_helper.from_array(np.array(shape, np.int64), "shape"))
        nodes.append(helper.make_node("Reshape", ["raw", "shape"], ["embedding"]))
    return tiny.onnx_bytes(nodes, weights, takes, {"embedding": gives})


def expected(crops: np.ndarray, matrix: np.ndarray, pixels: dict[str, Any]) -> np.ndarray:
    """The same in five lines of float64: what the manifest says, by hand."""
    values = crops.astype(np.float64)
    if pixels.get("colour_order") == "BGR":
        values = values[..., ::-1]
    values = (values - pixels.get("mean", [128] * 3)) / pixels.get("scale", [128] * 3)
    rows = (values.transpose(0, 3, 1, 2) if pixels.get("layout") == "NCHW" else values).reshape(len(crops), -1) @ matrix
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def foreign(folder: Path, pixels: dict[str, Any], dimension: int) -> tuple[Path, np.ndarray]:
    batch = pixels["batch"]
    matrix = np.random.default_rng(dimension).normal(size=(3 * SIDE * SIDE, dimension))
    shape = [batch, SIDE, SIDE, 3] if pixels["layout"] == "NHWC" else [batch, 3, SIDE, SIDE]
    graph = matrix_graph(shape, [batch, dimension], matrix)
    return tiny.foreign(folder, graph, pixels={"size": SIDE, **pixels}, dimension=dimension), matrix


@pytest.mark.parametrize(
    ("batch", "layout", "order"), list(itertools.product((1, 2, 5), ("NHWC", "NCHW"), ("RGB", "BGR")))
)
def test_every_batch_layout_and_order_of_colours(tmp_path: Path, batch: int, layout: str, order: str) -> None:
    pixels = {"batch": batch, "layout": layout, "colour_order": order, "mean": [127.5] * 3, "scale": [128] * 3}
    path, matrix = foreign(tmp_path, pixels, 192)
    network = load(path)
    for faces in (1, batch, batch + 1, 2 * batch + 1):  # the last call is not full
        crops = tiny.crops(faces, size=SIDE, seed=faces)
        # float32 sums of 192 products: 192 x 2^-24 of a unit vector's length at the most
        assert np.abs(network.embed(crops) - expected(crops, matrix, pixels)).max() < 2e-5
    assert network.embed(tiny.crops(0, size=SIDE)).shape == (0, 192)
    assert load(path).fingerprint == network.fingerprint


@pytest.mark.parametrize("dimension", [64, 128, 192, 256, 512, 1024])
def test_embeddings_of_any_length(tmp_path: Path, dimension: int) -> None:
    pixels = {"batch": 2, "layout": "NCHW"}
    path, matrix = foreign(tmp_path, pixels, dimension)
    crops = tiny.crops(3, size=SIDE)
    found = load(path).embed(crops)
    assert found.shape == (3, dimension)
    assert np.abs(found - expected(crops, matrix, pixels)).max() < 2e-5
    with pytest.raises(ManifestError, match=f"the manifest says dimension {dimension + 1}"):
        load(
            tiny.foreign(
                tmp_path, path.with_suffix(".onnx").read_bytes(), **{**described(path), "dimension": dimension + 1}
            )
        )


def described(path: Path) -> dict[str, Any]:
    return {k: v for k, v in json.loads(path.read_text()).items() if k != "file"}


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(-50, 300), min_size=3, max_size=3),
    st.lists(st.floats(0.01, 300), min_size=3, max_size=3),
    st.sampled_from(["RGB", "BGR"]),
)
def test_any_mean_and_scale_per_channel(
    tmp_path_factory: pytest.TempPathFactory, mean: list[float], scale: list[float], order: str
) -> None:
    pixels = {"batch": 2, "layout": "NHWC", "colour_order": order, "mean": mean, "scale": scale}
    path, matrix = foreign(tmp_path_factory.mktemp("any"), pixels, 64)
    crops = tiny.crops(3, size=SIDE)
    found = load(path, self_test=False).embed(crops)
    assert (found * expected(crops, matrix, pixels)).sum(1).min() > 1 - 1e-5


def test_a_tflite_file_of_three_faces_at_a_call(tmp_path: Path) -> None:
    graph = tiny.graph("batch")
    pixels = {
        "size": 8,
        "batch": 3,
        "layout": "NCHW",
        "colour_order": "BGR",
        "mean": [104, 117, 123],
        "scale": [1, 1, 1],
    }
    network = load(tiny.foreign(tmp_path, graph, pixels=pixels, dimension=64))
    assert network.engine.name == "litert"
    matrix = np.random.default_rng(3).normal(0, 1, (48, 64))
    for faces in (1, 3, 4, 7):
        crops = tiny.crops(faces, size=8, seed=faces)
        values = crops[..., ::-1].astype(np.float64) - [104, 117, 123]
        rows = values.reshape(faces, 4, 2, 4, 2, 3).mean((2, 4)).reshape(faces, -1) @ matrix
        assert np.abs(network.embed(crops) - rows / np.linalg.norm(rows, axis=1, keepdims=True)).max() < 2e-5
    with pytest.raises(ManifestError, match=r"says input \(1, 3, 8, 8\) float32, the file takes \(3, 3, 8, 8\)"):
        load(tiny.foreign(tmp_path, graph, pixels={**pixels, "batch": 1}, dimension=64))


@pytest.mark.parametrize(
    ("gives", "shape"),
    [
        ([2, 96, 1, 1], [2, 96, 1, 1]),
        ([2, 1, 1, 96], [2, 1, 1, 96]),
        (["N", 96], [-1, 96]),
        (["N", "D"], [-1, 96]),  # a file that leaves everything open
    ],
    ids=str,
)
def test_outputs_with_axes_of_one_and_open_shapes(tmp_path: Path, gives: list[Any], shape: list[int]) -> None:
    matrix = np.random.default_rng(0).normal(size=(3 * SIDE * SIDE, 96))
    graph = matrix_graph([2, 3, SIDE, SIDE], gives, matrix, shape)
    pixels = {"size": SIDE, "batch": 2, "layout": "NCHW"}
    crops = tiny.crops(3, size=SIDE)
    network = load(tiny.foreign(tmp_path, graph, pixels=pixels, dimension=96))
    assert np.abs(network.embed(crops) - expected(crops, matrix, pixels)).max() < 2e-5


def test_a_map_of_features_is_no_embedding(tmp_path: Path) -> None:
    """(1, 4, 24) holds 96 numbers; taking them for an embedding would be a guess."""
    graph = matrix_graph([1, 3, SIDE, SIDE], [1, 4, 24], np.ones((3 * SIDE * SIDE, 96)), [1, 4, 24])
    with pytest.raises(ManifestError, match="the manifest says dimension 96"):
        load(tiny.foreign(tmp_path, graph, pixels={"size": SIDE, "layout": "NCHW"}, dimension=96))


# --- what the self-test and `embed` refuse


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("kind", "words"),
    [("same", "every face the same vector"), ("zeros", "is all zeros"), ("nan", "not finite"), ("inf", "not finite")],
)
def test_c052_networks_that_say_nothing_are_refused(tmp_path: Path, kind: str, words: str, batch: int) -> None:
    size = 3 * SIDE * SIDE
    matrix = {
        "same": np.tile(np.ones((size, 1)), (1, 64)),  # one direction, whatever its length
        "zeros": np.zeros((size, 64)),
        "nan": np.full((size, 64), np.nan),
        "inf": np.full((size, 64), np.inf),
    }[kind]
    graph = matrix_graph([batch, 3, SIDE, SIDE], [batch, 64], matrix)
    pixels = {"size": SIDE, "batch": batch, "layout": "NCHW", "mean": [0] * 3}
    path = tiny.foreign(tmp_path, graph, pixels=pixels, dimension=64)
    with pytest.raises(SelfTestFailed, match=words):
        load(path)


@pytest.mark.parametrize(("mean", "scale"), [(1e10, 1e10), (0, 1e-42)], ids=["all alike", "not finite"])
def test_c052_values_that_leave_nothing_of_the_pixels_are_refused(tmp_path: Path, mean: float, scale: float) -> None:
    """The manifest's fault, not the network's: the same sentence, for both engines' formats."""
    for graph in (tiny.graph("fp32"), tiny.onnx_graph()):
        pixels = {
            "size": 112,
            "layout": "NHWC" if graph[4:8] == b"TFL3" else "NCHW",
            "mean": [mean] * 3,
            "scale": [scale] * 3,
        }
        with pytest.raises(SelfTestFailed):
            load(tiny.foreign(tmp_path, graph, pixels=pixels))


def test_unusable_rows_are_named_by_kind_and_survive_pickling() -> None:
    rows = np.ones((5, 128), np.float32)
    rows[1], rows[3, 7], rows[4, 0] = 0, np.nan, np.inf
    network = Embedder(tiny.describe(tiny.FLOAT), Rows(*rows))
    with pytest.raises(UnusableEmbedding, match="crop 1 of 5 is all zeros") as caught:
        network.embed(tiny.crops(5))
    assert (caught.value.zero, caught.value.not_finite) == ((1,), (3, 4))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.zero, again.not_finite, str(again)) == ((1,), (3, 4), str(caught.value))
    assert isinstance(caught.value, InputError) and caught.value.exit_code == 3


class Rows:
    """An engine that returns what it is told."""

    name, ran_on = "stub", "nowhere"
    inputs = (TensorSpec("image", (1, 112, 112, 3), np.dtype(np.float32)),)
    outputs = (TensorSpec("embedding", (1, 128), np.dtype(np.float32)),)

    def __init__(self, *rows: np.ndarray) -> None:
        self.rows = list(rows)

    def run(self, inputs: Any) -> list[np.ndarray]:
        return [self.rows.pop(0).reshape(1, 128)]


# --- the page that tells how


def test_the_manifests_of_the_page_work(tmp_path: Path, repo: Path) -> None:
    """Every JSON block of docs/foreign.md is a manifest this version reads, and the first one runs."""
    blocks = re.findall(r"```json\n(.*?)```", (repo / "docs/foreign.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    from edge_facenet import manifest

    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.json").write_text(block)
        manifest.read(tmp_path / f"{number}.json")
    value = json.loads(blocks[0])
    side, batch, dimension = value["pixels"]["size"], value["pixels"].get("batch", 1), value["dimension"]
    matrix = np.random.default_rng(0).normal(size=(3 * 49, dimension))
    from onnx import helper, numpy_helper

    stride = side // 7
    nodes = [
        helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["turned"], ["small"], kernel_shape=[stride] * 2, strides=[stride] * 2),
        helper.make_node("Flatten", ["small"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    weights = [numpy_helper.from_array(matrix.astype(np.float32), "matrix")]
    graph = tiny.onnx_bytes(nodes, weights, [batch, side, side, 3], {"embedding": [batch, dimension]})
    network = load(
        tiny.foreign(tmp_path / "it", graph, **{k: v for k, v in value.items() if k not in {"file", "sha256"}})
    )
    assert network.embed(selftest_faces()).shape == (2, dimension)
