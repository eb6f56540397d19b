"""What `export` writes: five artifacts, each proven, the same bytes again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_facenet_export import calibrate, source
from edge_facenet_export.count import count
from edge_facenet_export.recipes import RECIPES
from edge_facenet_export.tflite_file import TFLiteFile
from export_world import World

import edge_facenet
from edge_facenet import manifest
from edge_facenet.engines import open_engine
from edge_facenet.engines.litert import delegation
from edge_facenet.errors import InputError
from edge_facenet.verification import Split

pytestmark = pytest.mark.xdist_group("export")  # one export for all of them


def read(world: World, suffix: str) -> tuple[manifest.Manifest, bytes]:
    return manifest.open_artifact(world.out / f"small-{suffix}.json")


def graph(world: World, suffix: str) -> bytes:
    return manifest.unseal(read(world, suffix)[1])[0]


def test_one_artifact_per_recipe_and_nothing_else(world: World) -> None:
    assert [path.name for path in world.written] == [f"small-{suffix}.json" for suffix in RECIPES]
    models = {manifest.read(path).file for path in world.written}
    assert {path.name for path in world.out.iterdir()} == models | {path.name for path in world.written}


@pytest.mark.parametrize("suffix", RECIPES)
def test_the_manifest_tells_everything(world: World, suffix: str) -> None:
    found = manifest.read(world.out / f"small-{suffix}.json")
    cost, parity, thresholds = found.cost, found.parity, found.thresholds
    assert cost and parity and thresholds and found.self_test and found.provenance and found.versions
    assert cost.bytes == (world.out / found.file).stat().st_size
    assert cost.muladds == sum(layer.muladds for layer in count(world.out / found.file))
    assert (
        parity.crops == 30
        and parity.pairs == 435
        and parity.interval[0] <= parity.accuracy_difference <= parity.interval[1]
    )
    assert (thresholds.identities, thresholds.genuine, thresholds.impostor) == (5, 75, 360)
    assert [t.far for t in thresholds.at] == [1e-1, 1e-2, 1e-3, 1e-4]
    assert thresholds.at[1].cosine is not None and thresholds.at[3].note  # 360 impostor pairs do not show 1 in 10,000
    assert found.unit_output and found.family == "mobile" and found.dimension == 128 and found.template == "arcface-112"
    assert "7 people" in found.provenance.data[0] and "step 10 of 10, seed 1" in str(found.provenance.preset)
    assert set(found.versions) >= {"edge-facenet", "keras", "numpy"}


@pytest.mark.parametrize("suffix", RECIPES)
def test_users_can_load_it(world: World, suffix: str) -> None:
    """The path users take: manifest, engine, self-test, embedding; alone and in company the same (C051)."""
    embedder = edge_facenet.load(world.out / f"small-{suffix}.json")
    faces = world.crops.cut(range(8), 112)
    rows = embedder.embed(faces)
    assert rows.shape == (8, 128) and np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-6
    alone = embedder.embed(faces[3:4])[0]
    assert np.abs(rows[3] - alone).max() <= 1e-5


@pytest.mark.parametrize("suffix", RECIPES)
def test_the_file_itself_gives_unit_length(world: World, suffix: str) -> None:
    """float32 rounding of 128 squares, and 2^-23 beside a sum of about 1: two parts in a million at most."""
    found, model = read(world, suffix)
    engine = open_engine(model)
    assert [(spec.name, spec.shape) for spec in engine.outputs] == [("embedding", (1, 128))]
    assert engine.inputs[0].name == "image"
    tensor = found.pixels.tensor(world.crops.cut(range(20), 32))
    lengths = [float(np.linalg.norm(engine.run([face[None]])[0])) for face in tensor]
    assert np.abs(np.array(lengths) - 1).max() < 2e-6


@pytest.mark.parametrize("suffix", ["fp32", "fp16", "int8"])
def test_wholly_one_xnnpack_partition(world: World, suffix: str) -> None:
    found = delegation(read(world, suffix)[1])
    assert (found.partitions, found.left, found.delegated) == (1, (), found.nodes)
    assert "XNNPACK" in manifest.read(world.out / f"small-{suffix}.json").targets[0]


def test_an_int8_input_is_the_pixel_with_its_highest_bit_turned(world: World) -> None:
    found, model = read(world, "int8")
    assert found.pixels.is_xor and found.pixels.quantization == (1 / 128, 0)
    assert open_engine(model).inputs[0].quantization == (1 / 128, 0)
    assert open_engine(model).inputs[0].dtype == np.int8
    assert found.quantizer_recipe == "static_wi8_ai8"


def test_int8_convolutions_have_one_scale_per_output_channel(world: World) -> None:
    """The quantizer silently takes one for the whole tensor when it is given a weight's range."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=graph(world, "int8"))
    weights = [d for d in interpreter.get_tensor_details() if len(d["shape"]) == 4 and d["name"].endswith("/weights")]
    assert weights
    for tensor in weights:
        scales = tensor["quantization_parameters"]["scales"]
        assert len(scales) == tensor["shape"][tensor["quantization_parameters"]["quantized_dimension"]], tensor["name"]
        assert len(scales) == 1 or np.ptp(scales) > 0, tensor["name"]


def test_the_norm_is_written_with_operators_every_delegate_takes(world: World) -> None:
    file = TFLiteFile(read(world, "int8")[1])
    tail = [operator.kind for operator in file.operators][-6:]
    assert tail == ["DEQUANTIZE", "MUL", "SUM", "ADD", "RSQRT", "MUL"]
    assert {file.dtype(t) for o in file.operators[-5:] for t in o.outputs} == {"FLOAT32"}
    kinds = {operator.kind for operator in TFLiteFile(read(world, "fp32")[1]).operators}
    assert "L2_NORMALIZATION" not in kinds and not kinds & {"SHAPE", "STRIDED_SLICE", "PACK"}  # C077


def test_fp16_weighs_half(world: World) -> None:
    sizes = {suffix: len(read(world, suffix)[1]) for suffix in RECIPES}
    assert sizes["fp16"] < 0.6 * sizes["fp32"] and sizes["int8"] < 0.35 * sizes["fp32"]


def test_layer_names_are_the_keras_layers(world: World) -> None:
    for suffix in ("fp32", "int8", "fp32-onnx"):
        names = [layer.name for layer in count(read(world, suffix)[1])]
        assert names[0].startswith("stage0_down_conv.") and names[-1].startswith("embedding_dense.")
        assert names[-2].startswith("head_places.")


def test_test_people_are_never_touched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_facenet.photos.cropset import CropSet
    from edge_facenet.train.checkpoint import load_embedder

    seen: set[int] = set()
    cut = CropSet.cut
    monkeypatch.setattr(CropSet, "cut", lambda self, rows, size: seen.update(map(int, rows)) or cut(self, rows, size))
    source.gather(load_embedder(world.run), world.crops, 100)
    people = {world.crops.rows[row].identity for row in seen}
    assert people == {f"s{n}" for n in range(1, 13)}


def test_calibration_and_proof_faces_are_disjoint_and_seeded(world: World) -> None:
    from edge_facenet.verification import read_split

    split = read_split(world.run / "split.json")
    faces = calibrate.representative(world.crops, split, 32, 10, seed=4)
    assert faces.shape == (10, 32, 32, 3) and np.array_equal(
        faces, calibrate.representative(world.crops, split, 32, 10, 4)
    )
    assert not np.array_equal(faces, calibrate.representative(world.crops, split, 32, 10, seed=5))
    assert len(calibrate.representative(world.crops, split, 32, 1000)) == 42
    rows = source.proof_rows(world.crops, split)
    assert {world.crops.rows[row].identity for row in rows} == set(split.calibrate)


def test_many_proof_faces_are_drawn_evenly(world: World) -> None:
    from edge_facenet.verification import read_split

    rows = source.proof_rows(world.crops, read_split(world.run / "split.json"), faces=22)
    _, counts = np.unique(world.crops.labels[rows], return_counts=True)
    assert len(rows) == 22 and sorted(counts) == [4, 4, 4, 5, 5]


@dataclass
class Photos:
    """As much of a crop set as rows are drawn from: so many photos of each person."""

    counts: list[int]
    path: str = "crops"

    @property
    def labels(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def rows_of(self, names: tuple[str, ...]) -> np.ndarray:
        return np.arange(len(self.labels))


def drawn(counts: list[int], faces: int) -> np.ndarray:
    """How many faces of each person are drawn."""
    crops: Any = Photos(counts)
    rows = source.proof_rows(crops, Split(0, (), ("everybody",), ()), faces)
    return np.bincount(crops.labels[rows], minlength=len(counts))


@pytest.mark.parametrize("people", [8, 9, 32, 40])
def test_of_as_many_people_as_faces_there_are_pairs_of_one_person(people: int) -> None:
    found = drawn([20] * people, faces=32)
    assert found.sum() == 32 and np.count_nonzero(found) == 8 and set(found[found > 0]) == {4}


def test_people_with_two_photos_are_drawn_first() -> None:
    found = drawn([1] * 50 + [3] * 5, faces=32)
    assert found[50:].tolist() == [3] * 5 and np.count_nonzero(found[:50]) == 3
    assert drawn([1, 3], faces=4).tolist() == [1, 3], "a few are all taken"


def test_few_people_are_drawn_by_turns_in_the_seeds_order() -> None:
    """The released figures stand on this order."""
    crops: Any = Photos([9, 3, 1, 6])
    rows = source.proof_rows(crops, Split(0, (), ("everybody",), ()), faces=16)
    order = np.random.default_rng(0).permutation(19)
    turns = [row for turn in range(9) for row in _turn(crops.labels, order, turn)]
    assert len(rows) == 16 and sorted(turns[:16]) == rows.tolist()


def _turn(labels: np.ndarray, order: np.ndarray, turn: int) -> list[int]:
    return [mine[turn] for p in np.unique(labels) if len(mine := [int(r) for r in order if labels[r] == p]) > turn]


@pytest.mark.parametrize(
    ("counts", "faces", "words"),
    [
        ([9], 16, "has 1 there, 1 with 2 photos or more.*Hold out more people"),
        ([1, 1, 1], 16, "has 3 there, 0 with 2 photos or more.*people of whom there are more photos"),
        ([], 16, "has 0 there"),
        ([5, 5], 2, "at most 2 faces are drawn.*draw more faces"),
    ],
)
def test_no_pair_of_each_kind_is_refused(counts: list[int], faces: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        drawn(counts, faces)


def test_names_do_not_depend_on_what_the_process_built_before(world: World) -> None:
    """Converters number their names by counters; after other networks and another trace the bytes are the same."""
    from edge_facenet_export import convert, to_onnx, to_tflite

    assert to_tflite.fp32(world.source.model, 32) == world.source.float_tflite
    assert to_onnx.fp32(world.source.model, 32) == world.source.float_onnx
    for recipe in ("int8", "int8-onnx"):
        assert convert.convert(RECIPES[recipe], world.source) == graph(world, recipe)


def test_int8_onnx_keeps_seven_bits_of_its_weights(world: World) -> None:
    """Two products of 255 x 64 fit into 16 bits, two of 255 x 127 do not: kernels for x86 without VNNI add them there."""
    import onnx

    parsed = onnx.ModelProto.FromString(graph(world, "int8-onnx"))
    weights = [onnx.numpy_helper.to_array(w) for w in parsed.graph.initializer if w.data_type == onnx.TensorProto.INT8]
    kernels = [w for w in weights if w.ndim > 1]
    assert kernels and max(np.abs(kernel.astype(int)).max() for kernel in kernels) == 64


def test_nothing_of_this_machine_stands_in_the_files(world: World) -> None:
    here = re.compile(rb"/tmp/|/home/|/root/|site-packages")
    for path in world.out.iterdir():
        assert not here.search(path.read_bytes()), path.name


def test_where_weights_come_from_is_told_without_paths(world: World) -> None:
    from dataclasses import replace as changed

    from edge_facenet_export.describe import describe

    from edge_facenet.train.checkpoint import load_embedder

    restored = load_embedder(world.run)
    config = {
        **restored.config,
        "distil": {"teachers": ["/secret/place/big.json"]},
        "backbone": {"start_from": "/secret/run7"},
    }
    told = describe(changed(restored, config=config), world.crops, "n", "CC0", ("CelebA: research only",)).provenance
    assert told.teachers == ("big",) and told.initialisation == "weights of run7"
    assert told.data[1] == "CelebA: research only" and told.licence == "CC0" and "secret" not in repr(told)


def test_the_mean_of_trainings_says_so(world: World, tmp_path: Path) -> None:
    from edge_facenet_export.describe import describe, soup_of

    from edge_facenet.train.checkpoint import load_embedder

    assert soup_of(world.run) is None
    runs = [
        {"run": f"stage{n}", "step": 10 * n, "seed": n, "start_from": start, "cosine": 1.0}
        for n, start in ((7, "/secret/stage6"), (8, "/secret/stage6"), (9, ""))
    ]
    (tmp_path / "soup.json").write_text(json.dumps({"ingredients": runs}))
    told = describe(load_embedder(world.run), world.crops, "n", "CC0", soup=soup_of(tmp_path)).provenance
    assert told.initialisation == "weights of stage6; random (seed 9)"
    means = "mean of 3 trainings: stage7 (step 70, seed 7); stage8 (step 80, seed 8); stage9 (step 90, seed 9)"
    assert told.preset is not None and told.preset.endswith(means) and "seed 1" not in told.preset
    (tmp_path / "soup.json").write_text("{")
    with pytest.raises(InputError, match="Make the soup again"):
        soup_of(tmp_path)


def test_registry_and_converters_agree(world: World) -> None:
    from edge_facenet_export.convert import _CONVERTERS

    assert set(_CONVERTERS) == set(RECIPES)
    described: Any = {name: recipe.tolerance for name, recipe in RECIPES.items()}
    assert all("litert" in t or "onnxruntime" in t for t in described.values())
