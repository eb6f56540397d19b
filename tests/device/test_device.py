"""What a device gets: the wheel and its own dependencies. Run in the full environment and in a core-only one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edge_facenet
from edge_facenet.manifest import Manifest, write
from edge_facenet.pixels import PixelSpec

GOLDEN = Path(__file__).parents[1] / "golden"
HEAVY = ["tensorflow", "keras", "jax", "torch", "cv2", "ai_edge_litert", "tflite_runtime", "onnxruntime", "matplotlib"]


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_facenet.cli", *arguments], capture_output=True, text=True, check=False
    )


def loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {name.split(".")[0] for name in out.split()} & set(HEAVY)


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import edge_facenet") == set()


def test_the_device_path_loads_no_training_framework() -> None:
    statement = (
        "import edge_facenet.embedder, edge_facenet.photos.prepare, edge_facenet.verification, edge_facenet.cli.main"
    )
    assert not loaded(statement) & {"tensorflow", "keras", "jax", "torch"}


@pytest.mark.parametrize("recipe", ["fp32", "int8"])
def test_an_artifact_embeds(recipe: str, tmp_path: Path) -> None:
    graph = (GOLDEN / f"tiny-{recipe}.tflite").read_bytes()
    integer = {"dtype": "int8", "quantization": (1 / 128, 0)} if recipe == "int8" else {}
    pixels = PixelSpec(size=112, **integer)
    manifest = Manifest(
        file="tiny.tflite", pixels=pixels, template="arcface-112", dimension=128, family="tiny", recipe=recipe
    )
    embedder = edge_facenet.load(write(tmp_path, f"tiny-{recipe}", graph, manifest))
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    rows = embedder.embed(crops)
    assert rows.shape == (3, 128)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(embedder.embed(crops[1:2]), rows[1:2])


def test_the_command_line_teaches() -> None:
    result = cli("--help")
    assert result.returncode == 0
    for name in ("prepare", "train", "export", "bench", "verify", "doctor", "demo", "setup", "muladds"):
        assert name in result.stdout


def test_doctor_finds_a_usable_core() -> None:
    result = cli("doctor", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)


def test_a_missing_extra_prints_the_cure(tmp_path: Path) -> None:
    try:
        import keras  # noqa: F401
    except ImportError:
        result = cli("muladds", "mobilenetv2")
        assert result.returncode == 6
        assert "pip install 'edge-facenet[" in result.stderr
        assert "Traceback" not in result.stderr
    else:
        pytest.skip("keras is installed here; make core-install runs this without it")
