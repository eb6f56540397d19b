"""The driver of the Android build says why it did not run, and takes no skipped test for a passed one; assets are proven."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edge_facenet import files
from edge_facenet.errors import ManifestError, ModelsMissing
from edge_facenet.photos import models


def tool(repo: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"android_{name}", repo / f"android_demo/tools/{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_java_and_maven_it_says_what_to_install(repo: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, repo / "android_demo/tools/build.py"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "did not run" in done.stderr and "javac and mvn" in done.stderr and "apt-get install" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_java_is_refused(repo: Path, tmp_path: Path) -> None:
    for name, words in (("javac", "echo javac 11.0.2"), ("mvn", "true")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, repo / "android_demo/tools/build.py"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "javac 11" in done.stderr and "17 is needed" in done.stderr


@pytest.mark.parametrize(("ran", "skipped"), [(0, 0), (3, 1)])
def test_no_tests_or_skipped_ones_are_no_success(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: int, skipped: int
) -> None:
    build = tool(repo, "build")
    monkeypatch.setattr(build, "HERE", tmp_path)
    reports = tmp_path / "core/target/surefire-reports"
    reports.mkdir(parents=True)
    if ran:
        (reports / "TEST-x.xml").write_text(f'<testsuite tests="{ran}" skipped="{skipped}" time="1,234.5"/>')
    with pytest.raises(build.NotBuilt, match=f"core: {ran} tests ran, {skipped}"):
        build.tests("core")
    (reports / "TEST-x.xml").write_text('<testsuite tests="4" skipped="0" time="1,234.5"/>')
    assert build.tests("core") == (4, 1234.5)


def test_what_maven_says_is_cut_to_what_is_wrong(repo: Path) -> None:
    build = tool(repo, "build")
    text = "[INFO] a\n[ERROR] Main.kt:3 no such name\n[ERROR] \n[ERROR] Re-run Maven using -X\n[ERROR] -> [Help 1]\n"
    assert build.essence(text).startswith("[ERROR] Main.kt:3 no such name") and "[Help 1]" not in build.essence(text)
    assert build.essence("nothing of the kind") == "nothing of the kind"


@pytest.fixture
def artifact(repo: Path, tmp_path: Path) -> Path:
    from edge_facenet_models import path

    manifest = path("mobile")
    folder = tmp_path / "model"
    folder.mkdir()
    for name in (manifest.name, json.loads(manifest.read_text())["file"]):
        shutil.copy(manifest.parent / name, folder / name)
    return folder / manifest.name


def test_assets_are_listed_with_their_hashes_and_written_once(repo: Path, artifact: Path, tmp_path: Path) -> None:
    models.require()
    assets, out = tool(repo, "assets"), tmp_path / "assets"
    (out / "models").mkdir(parents=True)
    (out / "models/stray.tflite").write_bytes(b"of an earlier build")
    content = assets.collect([artifact])
    assert assets.write(content, out) and not assets.write(content, out)
    index = json.loads((out / "assets.json").read_text())
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert there == {*index["files"], "assets.json"}
    assert all(files.sha256(out / name) == said["sha256"] for name, said in index["files"].items())
    assert {index["detector"], index["mesh"], index["faces"], *index["embedders"]} <= there


def test_two_models_of_one_name_are_refused(repo: Path, artifact: Path, tmp_path: Path) -> None:
    models.require()
    assets = tool(repo, "assets")
    value = json.loads(artifact.read_text())
    (tmp_path / "other").mkdir()
    shutil.copy(artifact.parent / value["file"], tmp_path / "other")
    (tmp_path / "other" / artifact.name).write_text(json.dumps({**value, "name": "another"}))
    with pytest.raises(ManifestError, match="another --name"):
        assets.collect([artifact, tmp_path / "other" / artifact.name])
    foreign = tmp_path / "other" / "foreign.json"  # its model file alone is called like the first one's
    (tmp_path / "other" / value["file"]).write_bytes(b"another model")
    foreign.write_text(json.dumps({**value, "sha256": files.sha256(b"another model")}))
    with pytest.raises(ManifestError, match="another --name"):
        assets.collect([artifact, foreign])


def test_a_network_for_another_template_recognises_nobody(repo: Path, artifact: Path) -> None:
    models.require()
    assets = tool(repo, "assets")
    other = artifact.with_name("other.json")
    other.write_text(json.dumps({**json.loads(artifact.read_text()), "template": "chin-up-96"}))
    with pytest.raises(ManifestError, match="chin-up-96; the app cuts to arcface-112"):
        assets.collect([other, artifact])
    assert "models/other.json" in assets.collect([artifact, other]), "beside the first one it is only measured"


def test_a_damaged_model_or_a_missing_one_gives_no_assets(
    repo: Path, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tool(repo, "assets")
    model = artifact.parent / json.loads(artifact.read_text())["file"]
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(ManifestError, match="sha256"):
        assets.collect([artifact])
    model.unlink()
    with pytest.raises(ManifestError, match="Cannot read"):
        assets.collect([artifact])
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path / "nobody"))
    with pytest.raises(ModelsMissing, match="edge-facenet setup"):
        assets.collect([artifact])
