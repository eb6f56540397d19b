"""Every gate in a test in which it refuses; what was there before stays."""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from edge_facenet_export import calibrate, gates, parity, pipeline, to_tflite
from edge_facenet_export.describe import Description
from edge_facenet_export.recipes import RECIPES
from export_world import World

from edge_facenet import manifest
from edge_facenet.budget import Budget
from edge_facenet.errors import (
    BudgetExceeded,
    GateError,
    InputError,
    OutputError,
    ParityFailed,
    SelfTestFailed,
    SetupError,
)
from edge_facenet.manifest import Parity
from edge_facenet.verification import Split, all_pairs, write_split

pytestmark = pytest.mark.xdist_group("export")  # one export for all of them

INT8 = pipeline.Options((RECIPES["int8"],), name="small")


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@contextlib.contextmanager
def refused(error: type[Exception], folder: Path, match: str) -> Iterator[None]:
    """The block is refused, and `folder` is as it was."""
    before = state(folder)
    with pytest.raises(error, match=match) as caught:
        yield
    assert state(folder) == before
    assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)


def graph(world: World, suffix: str) -> bytes:
    return manifest.unseal(manifest.open_artifact(world.out / f"small-{suffix}.json")[1])[0]


def swapped(monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes]) -> None:
    """Damage what the converter gives."""
    convert = pipeline.convert
    monkeypatch.setattr(pipeline, "convert", lambda *told: change(convert(*told)))


def damaged_weights(model: bytes) -> bytes:
    """One layer's weights turned over: the largest block of bytes that is a weight."""
    from ai_edge_litert import schema_py_generated as tfl

    parsed = tfl.Model.GetRootAs(model, 0)
    sizes = [parsed.Buffers(i).DataLength() for i in range(parsed.BuffersLength())]
    block = bytes(parsed.Buffers(int(np.argmax(sizes))).DataAsNumpy())
    at = model.index(block)
    return model[:at] + block[::-1] + model[at + len(block) :]


def test_parity_refuses_a_damaged_artifact(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped(monkeypatch, damaged_weights)
    with refused(ParityFailed, quick.out, r"small-int8 .* 30 faces: mean cosine .*at least 0.98.*Nothing was written"):
        pipeline.export(quick.run, quick.crops.path, quick.out, INT8)


def test_parity_refuses_each_limit_alone() -> None:
    good = Parity(30, 0.95, 0.99, 435, -0.5, (-2.0, 1.0))
    int8 = RECIPES["int8"]
    parity.check(good, int8, "x")
    for change, words in (
        ({"cosine_mean": 0.979}, "mean cosine"),
        ({"cosine_min": 0.89}, "lowest cosine"),
        ({"interval": (-4.0, -1.1)}, "accuracy"),
        ({"cosine_mean": float("nan")}, "mean cosine"),
    ):
        with pytest.raises(ParityFailed, match=words):
            parity.check(replace(good, **change), int8, "x")
    with pytest.raises(ParityFailed, match="fp32"):
        parity.check(good, RECIPES["fp16"], "x")


def test_parity_measures_what_it_says() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 5)
    wanted = rng.normal(size=(8, 128)).repeat(5, axis=0) + rng.normal(0, 0.7, (40, 128))
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    same = parity.measure(wanted.astype("f4"), wanted.astype("f4"), all_pairs(labels))
    assert (same.cosine_min, same.cosine_mean, same.accuracy_difference, same.interval) == (1.0, 1.0, 0.0, (0.0, 0.0))
    noise = rng.normal(size=(40, 128)) / np.sqrt(128)
    off = wanted + 0.2 * noise
    off /= np.linalg.norm(off, axis=1, keepdims=True)
    found = parity.measure(off.astype("f4"), wanted.astype("f4"), all_pairs(labels))
    assert 0.97 < found.cosine_min < found.cosine_mean < 0.99  # an error of 20 %: 1 - cosine 0.02
    scrambled = parity.measure(np.roll(wanted, 7, axis=0).astype("f4"), wanted.astype("f4"), all_pairs(labels))
    assert scrambled.interval[1] < -1
    two = parity.measure(wanted[:10].astype("f4"), wanted[:10].astype("f4"), all_pairs(labels[:10]))
    assert two.interval == parity.UNKNOWN


def test_few_people_of_whom_none_differs_prove_no_interval_of_nothing() -> None:
    """Four people whose decisions stay the same, by networks that are not one: others may lose (as TAR's interval says)."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 3)
    apart = np.linalg.qr(rng.normal(size=(128, 128)))[0][:4][labels]
    wanted, found = (apart + 0.02 * rng.normal(size=apart.shape) for _ in range(2))
    both = [(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4") for rows in (found, wanted)]
    measured = parity.measure(*both, all_pairs(labels))
    assert measured.accuracy_difference == 0 and measured.cosine_min < 1
    assert measured.interval[0] < -25 and measured.interval[1] > 25
    one = parity.measure(both[0], both[0], all_pairs(labels))
    assert one.interval == (0.0, 0.0), "one network cannot differ from itself"


def test_c063_finite_but_wrong_is_refused() -> None:
    """Half precision absorbs an overflow: 128 times 30.0 has a sum of squares of 115,200; the result is zeros, all finite."""
    raw = np.full((4, 128), 30.0, np.float16)
    with np.errstate(over="ignore"):
        inside = raw / np.sqrt((raw * raw).sum(axis=1, keepdims=True, dtype=np.float16))
    assert np.isfinite(inside).all() and not inside.any()
    unit = np.full((4, 128), 128**-0.5)
    each = Parity(4, 0.0, 0.0, 6, 0.0, parity.UNKNOWN)
    with pytest.raises(ParityFailed, match=r"cosine 0\.000000"):
        parity.check(each, RECIPES["fp16"], "x")
    # our norm scales first: the same embedding survives in half precision
    scale = np.float16(2.0 ** -round(np.log2(np.linalg.norm(raw[0].astype("f8")))))
    t = raw * scale
    ours = t / np.sqrt((t * t).sum(axis=1, keepdims=True, dtype=np.float16) + np.float16(2**-23))
    assert (ours.astype("f8") * unit).sum(axis=1).min() > 0.999


def test_the_count_must_agree(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped(monkeypatch, lambda _: tiny.graph("int8"))
    with refused(GateError, quick.out, r"counts 678,400 MUL-ADDs in 2 layers, the Keras network 1,477,968 in 16"):
        pipeline.export(quick.run, quick.crops.path, quick.out, INT8)


def test_an_operator_off_the_delegate_is_refused() -> None:
    from keras import Input, Model, layers, ops

    x = Input((16, 16, 3), name="image")
    y = layers.Dense(128, name="dense")(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x)))
    fused = Model(x, y * ops.rsqrt(ops.sum(ops.square(y), axis=-1, keepdims=True) + 1e-10))
    with pytest.raises(GateError, match=r"L2_NORMALIZATION.*Nothing was written"):
        gates.delegation(to_tflite.fp32(fused, 16), "x")


def test_int8_has_no_float_fallback() -> None:
    from keras import Input, Model, layers

    x = Input((16, 16, 3), name="image")
    y = layers.PReLU(shared_axes=(1, 2), alpha_initializer="ones", name="slope")(layers.Conv2D(4, 3, name="conv")(x))
    float_model = to_tflite.fp32(Model(x, layers.Dense(128)(layers.GlobalAveragePooling2D()(y))), 16)
    with pytest.raises(GateError, match=r"int8: .*no integer form.*PRELU"):
        to_tflite.int8(
            float_model, np.zeros((2, 16, 16, 3), np.uint8) + np.arange(2, dtype=np.uint8)[:, None, None, None]
        )


def test_c062_weights_beyond_half_precision() -> None:
    from keras import Input, Model, initializers, layers

    x = Input((16, 16, 3), name="image")
    conv = layers.Conv2D(4, 3, kernel_initializer="ones", use_bias=False, name="wide")(x)
    tiny_variance = initializers.Constant(1e-12)
    y = layers.BatchNormalization(epsilon=1e-12, moving_variance_initializer=tiny_variance)(conv)
    float_model = to_tflite.fp32(Model(x, layers.Dense(8)(layers.GlobalAveragePooling2D()(y))), 16)
    with pytest.raises(GateError, match=r"1 constants are beyond half precision, the largest 7\d{5} in wide.*65,504"):
        to_tflite.fp16(float_model)


@pytest.mark.parametrize(
    ("crops", "words"),
    [
        (np.array([f"{n}.jpg" for n in range(10)], object), r"\(10,\) object"),
        (np.zeros((0, 112, 112, 3), np.uint8), r"\(0, 112, 112, 3\) uint8"),
        (np.zeros((10, 112, 112), np.uint8), r"\(10, 112, 112\) uint8"),
        (np.linspace(-1, 1, 2 * 112 * 112 * 3).reshape(2, 112, 112, 3), r"float64, values -1 to 1"),
        (np.zeros((2, 96, 96, 3), np.uint8), r"\(2, 96, 96, 3\)"),
        ([np.zeros((112, 112, 3), np.uint8)], "list"),
    ],
)
def test_c057_what_cannot_be_calibration_crops(crops: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        calibrate.check_calibration(crops, 112)
    assert "(n, 112, 112, 3) uint8" in str(caught.value)


def test_over_budget_is_refused_before_anything_is_converted(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "convert", lambda *_: pytest.fail("converted"))
    options = replace(INT8, budget=Budget(muladds=1_000_000))
    with refused(
        BudgetExceeded, quick.out, r"mobile costs 1.5 M .* above the budget of 1.0 M.*Costliest layers: stage"
    ):
        pipeline.export(quick.run, quick.crops.path, quick.out, options)


def test_a_file_above_its_byte_budget_is_refused(quick: World) -> None:
    with refused(BudgetExceeded, quick.out, "bytes"):
        pipeline.export(quick.run, quick.crops.path, quick.out, replace(INT8, budget=Budget(bytes=100_000)))


def test_the_self_test_refuses(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "golden", lambda rows, t: manifest_golden(-rows, t))
    with refused(SelfTestFailed, quick.out, "litert"):
        pipeline.export(quick.run, quick.crops.path, quick.out, INT8)


def manifest_golden(rows: Any, tolerance: Any) -> Any:
    from edge_facenet.selftest import golden

    return golden(rows, tolerance)


@pytest.mark.parametrize("value", [float("nan"), 0.0, 1.0])
def test_an_artifact_that_answers_nothing_is_refused_as_one(
    world: World, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    """Not as photos that cannot be used: the photos are well."""
    monkeypatch.setattr(gates, "same_count", lambda *_: None)
    described = Description("small", "tiny", "arcface-112", 0, "5 people", manifest.Provenance((), "CC0", "random"))
    source = replace(world.source, size=112)
    with pytest.raises(ParityFailed, match=r"^small-fp32-onnx .*Nothing was written") as caught:
        pipeline.prove(tiny.onnx_constant(value), RECIPES["fp32-onnx"], source, described, Budget())
    assert caught.value.exit_code == 5


def test_a_diverged_network_is_refused(world: World, tmp_path: Path) -> None:
    from edge_facenet_export.graph import with_unit_norm

    for raw in (np.zeros((4, 128)), np.full((4, 128), np.nan)):
        with pytest.raises(InputError, match="diverged or collapsed"):
            with_unit_norm(None, raw)


def test_c080_another_backend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph made by JAX is one opaque call to a converter; its checkpoint loads under TensorFlow."""
    import keras
    from edge_facenet_export.graph import with_unit_norm

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(SetupError, match="KERAS_BACKEND=tensorflow"):
        with_unit_norm(None, np.ones((1, 128)))


@pytest.mark.parametrize("split", [Split(1, ("s1", "s2"), ("s8",), ()), Split(1, ("s1", "s2"), ("s8", "gone"), ())])
def test_too_few_people_to_prove_with(world: World, tmp_path: Path, split: Split) -> None:
    run = shutil.copytree(world.run, tmp_path / "run")
    write_split(run / "split.json", split)
    with refused(InputError, tmp_path / "out", "calibrate people|no identity 'gone'"):
        pipeline.export(run, world.crops.path, tmp_path / "out", INT8)


def test_not_a_run_and_not_a_crop_set(world: World, tmp_path: Path) -> None:
    with refused(InputError, tmp_path / "out", "not a training run"):
        pipeline.export(tmp_path, world.crops.path, tmp_path / "out", INT8)
    with refused(InputError, tmp_path / "out", "not a crop set"):
        pipeline.export(world.run, tmp_path, tmp_path / "out", INT8)


def test_an_output_place_that_cannot_be_written(quick: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="is a file"):
            pipeline.export(quick.run, quick.crops.path, out, INT8)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_leaves_the_previous_pair(quick: World, tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk's end: the write fails in the middle of the model."""
    before = manifest.write(tmp_path, "small-int8", tiny.graph("int8"), tiny.describe(tiny.INT8, ".tflite"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        with refused(OutputError, tmp_path, "Cannot write"):
            pipeline.export(quick.run, quick.crops.path, tmp_path, INT8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert manifest.open_artifact(before)[0].name == "tiny"


def test_a_foreign_json_of_this_name_is_left_alone(quick: World, tmp_path: Path) -> None:
    (tmp_path / "small-int8.json").write_text("{}")
    with refused(OutputError, tmp_path, "is not a manifest of this project"):
        pipeline.export(quick.run, quick.crops.path, tmp_path, INT8)


def test_orphans_of_a_killed_export_are_cleared(quick: World, tmp_path: Path) -> None:
    (tmp_path / ".exporting").mkdir()
    ours = ("small-int8-01234567.tflite", ".exporting/small-int8-89abcdef.tflite")
    others = ("small-int8-mine.tflite", "other-int8-01234567.tflite", ".writing-abc")
    for name in (*ours, *others):
        (tmp_path / name).write_bytes(b"x")
    (written,) = pipeline.export(quick.run, quick.crops.path, tmp_path, INT8)
    model = manifest.read(written).file
    assert set(state(tmp_path)) == {written.name, model, *others}
    assert (tmp_path / model).read_bytes() == (quick.out / model).read_bytes()


def test_one_artifact_refused_and_none_is_written(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose gates had passed already are not left beside those of an export before."""
    convert = pipeline.convert
    monkeypatch.setattr(
        pipeline,
        "convert",
        lambda recipe, *told: (
            damaged_weights(convert(recipe, *told)) if recipe is RECIPES["int8"] else convert(recipe, *told)
        ),
    )
    both = replace(INT8, recipes=(RECIPES["fp16"], RECIPES["int8"]))
    with refused(ParityFailed, quick.out, "small-int8 .*Nothing was written"):
        pipeline.export(quick.run, quick.crops.path, quick.out, both)
