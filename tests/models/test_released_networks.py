"""The released networks: found offline by name, within their limits, wholly delegated."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import edge_facenet_models as released
import pytest

import edge_facenet
from edge_facenet import manifest
from edge_facenet.engines.litert import delegation
from edge_facenet.errors import InputError

MOST_MULADDS, MOST_PARAMETERS, MOST_BYTES = 250_000_000, 1_800_000, 1_900_000
MOBILE = [("int8", "tflite"), ("fp16", "tflite"), ("fp32", "onnx"), ("int8", "onnx")]
ARTIFACTS = [*(("mobile", *form) for form in MOBILE), ("mobilenetv2", "int8", "tflite")]


def test_found_by_name_and_proven_at_load() -> None:
    embedder = edge_facenet.load("mobile")
    assert embedder.manifest.recipe == "int8" and embedder.manifest.pixels.is_xor
    assert embedder.manifest.cost is not None
    assert embedder.manifest.cost.muladds <= MOST_MULADDS
    assert embedder.manifest.cost.parameters <= MOST_PARAMETERS
    assert embedder.manifest.cost.bytes <= MOST_BYTES


def test_what_is_released_is_what_is_tested() -> None:
    there = {file for name in released.names() for file in released.path(name).parent.glob("*.json")}
    assert there == {released.path(*artifact) for artifact in ARTIFACTS}


@pytest.mark.parametrize(("name", "recipe", "form"), ARTIFACTS)
def test_every_artifact_carries_its_proof(name: str, recipe: str, form: str) -> None:
    path = released.path(name, recipe, form)
    assert edge_facenet.load(path).self_test()
    held = manifest.read(path)
    assert held.parity is not None and held.provenance is not None and held.thresholds is not None
    assert held.thresholds.cosine(1e-3) > held.thresholds.cosine(1e-2)
    assert "Non-commercial" in held.provenance.licence


@pytest.mark.parametrize("name", released.names())
def test_int8_is_wholly_on_xnnpack_in_one_partition(name: str) -> None:
    graph = manifest.open_artifact(released.path(name))[1]
    found = delegation(graph)
    assert (found.delegated, found.partitions, found.left) == (found.nodes, 1, ())


def test_float_is_wholly_on_the_gpu_accelerator() -> None:
    """`litert-gpu` refuses a graph that does not run there as a whole."""
    folder = next((f for f in _swiftshader() if (f / "vk_swiftshader_icd.json").exists()), None)
    if folder is None:
        pytest.skip("needs SwiftShader (Debian's chromium-common); name its folder by EDGE_FACENET_SWIFTSHADER")
    code = "import sys, edge_facenet; e = edge_facenet.load(sys.argv[1], engine='litert-gpu'); print(e.engine.ran_on)"
    icd = str(folder / "vk_swiftshader_icd.json")
    environment = os.environ | {"LD_LIBRARY_PATH": str(folder), "VK_DRIVER_FILES": icd, "VK_ICD_FILENAMES": icd}
    command = [sys.executable, "-c", code, str(released.path("mobile", "fp16"))]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "software" in result.stdout


@pytest.mark.parametrize("name", released.names())
def test_the_card_says_what_the_manifest_says(name: str) -> None:
    card = (released.path(name).parent / "CARD.md").read_text(encoding="utf-8")
    held = manifest.read(released.path(name))
    assert held.cost is not None and held.thresholds is not None
    assert f"{held.cost.muladds / 1e6:.1f} M MUL-ADDs" in card
    assert f"{held.cost.bytes / 1e6:.2f} MB" in card
    rows = re.findall(r"^\| (1e-\d) \| (0\.\d+) \|", card, re.MULTILINE)
    assert [(float(far), cosine) for far, cosine in rows] == [
        (point.far, f"{point.cosine:.3f}") for point in held.thresholds.at
    ]


def test_weights_begin_a_training_at_its_size_and_at_another() -> None:
    from edge_facenet.train import backbones, warm
    from edge_facenet.train.config import TrainConfig
    from edge_facenet.train.sections import BackboneConfig
    from edge_facenet.verification import Split

    for size, how in ((112, {"taken"}), (96, {"taken", "resized"})):
        network = backbones.build("mobile", size=size)
        config = TrainConfig(1, BackboneConfig("mobile", size, start_from="mobile"))
        started = warm.begin_with(network, config, Split(0, (), (), ()))
        assert {row.how for row in started.layers} == how


def test_a_name_nobody_released_and_a_damaged_file(tmp_path: Path) -> None:
    from edge_facenet.train import packed

    with pytest.raises(InputError, match="No released weights of 'moble'"):
        packed.file_of("moble")
    whole = released.weights("mobile").read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / f"cut-{length}.npz"
        cut.write_bytes(whole[:length])
        with pytest.raises(InputError, match="no packed weights"):
            packed.unpack(cut)


def _swiftshader() -> list[Path]:
    named = os.environ.get("EDGE_FACENET_SWIFTSHADER")
    return [*([Path(named)] if named else []), Path("/usr/lib/chromium")]
