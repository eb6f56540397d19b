"""`export`, `muladds` and the two scripts, as a user runs them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny
from edge_facenet_export import handover, pipeline, tables
from export_world import World

import edge_facenet
from edge_facenet import files, manifest
from edge_facenet.cli.main import main
from edge_facenet.errors import ConfigError, ManifestError, OutputError

pytestmark = pytest.mark.xdist_group("export")  # one export for all of them

ROOT = Path(__file__).parents[2]


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `edge-facenet WORDS`."""
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    return int(left.value.code or 0), out, err


def test_muladds_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "muladds", tiny.GOLDEN / "tiny-fp32.tflite")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].split() == ["layer", "operator", "output", "MUL-ADDs", "share", "parameters"]
    assert lines[2].split()[1:] == ["CONV_2D", "1x56x56x8", "677,376", "99.8%", "224"]
    assert "MUL-ADDs per face: 678,400 (0.7 M); FLOPs: 1,356,800 (1.4 M)." in out
    assert "Rule: multiply-adds of convolutions and dense layers" in out


def test_muladds_as_json_and_over_budget(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "muladds", tiny.GOLDEN / "tiny-fp32.tflite", "--json", "--budget", "500K")
    table = json.loads(out)
    assert code == 5 and "Costliest layers" in err and err.count("\n") == 1
    assert (table["muladds"], table["flops"], table["within_budget"]) == (678_400, 1_356_800, False)
    assert [layer["muladds"] for layer in table["layers"]] == [677_376, 1_024]


def test_inception_resnet_at_224_px_is_over_the_papers_budget(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "muladds", "inception-resnet-v1@224")
    assert code == 5 and "3,139,909,472" in out
    assert "1,639.9 M above the budget of 1,500.0 M. Costliest layers: stem5" in err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["mobilenetv9"], 7, 'did you mean "mobilenetv2"'),
        (["mobilenetv2@big"], 7, "whole number of px"),
        (["mobile@8"], 7, "at least 32 px"),
        (["absent.tflite"], 4, "no model file"),
        (["mobile", "--budget", "lots"], 7, "found 'lots'"),
    ],
)
def test_muladds_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, sentence: str
) -> None:
    found, _, err = run(capsys, "muladds", *words)
    assert found == code and sentence in err and "Traceback" not in err


def test_export_prints_what_was_written(quick: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "with space é"
    words = ["export", quick.run, quick.crops.path, out, "--recipe", "int8", "--format", "tflite", "--name", "ünï"]
    code, text, err = run(capsys, *words, "--licence", "CC0")
    assert (code, err) == (0, "")
    header, row, where = text.splitlines()
    assert "threshold at FAR 0.01" in header and row.startswith("ünï-int8") and str(out) in where
    written = manifest.read(out / "ünï-int8.json")
    assert written.provenance is not None and written.provenance.licence == "CC0"
    code, text, _ = run(capsys, *words, "--json")
    (artifact,) = json.loads(text)["artifacts"]
    assert code == 0 and artifact["cost"]["muladds"] == 1_477_968 and artifact["recipe"] == "int8"
    assert edge_facenet.load(out / "ünï-int8.json").embed(quick.crops.cut([0], 112)).shape == (1, 128)


def test_export_over_budget_leaves_with_code_5(
    quick: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", quick.run, quick.crops.path, tmp_path / "out", "--budget-muladds", "1M"]
    code, text, err = run(capsys, *words)
    assert code == 5 and text == "" and "above the budget of 1.0 M" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_export_names_are_names(quick: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "export", quick.run, quick.crops.path, tmp_path / "out", "--name", "../x")
    assert code == 8 and "a name has no slashes" in err and not (tmp_path / "x-fp32.json").exists()


def test_progress_is_told(quick: World, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    options = pipeline.Options(tuple(pipeline.RECIPES[s] for s in ("fp32", "fp16")), name="small")
    pipeline.export(quick.run, quick.crops.path, tmp_path, options, lambda *place: seen.append(place))
    assert seen == [(1, 2), (2, 2)]


def test_amounts() -> None:
    assert [tables.amount(t) for t in ("1.5G", "250M", "1_000", "1,000", "7", "0")] == [
        1_500_000_000,
        250_000_000,
        1000,
        1000,
        7,
        None,
    ]
    assert [tables.amount(t) for t in ("0.0", "0K", "1", "0.001K")] == [None, None, 1, 1]
    for text in ("", "-1", "1T", "1.5.5G", "nan", "1,5G", "1,50", "0.4", "0.5", "0.9", "0.0004K"):
        with pytest.raises(ConfigError):
            tables.amount(text)


def check_folder(folder: Path, name: str) -> None:
    """Everything an app takes is there, and its hashes hold."""
    sums = dict(reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines())
    inside = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert inside == set(sums) | {"SHA256SUMS"}
    for file, digest in sums.items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
    assert len((folder / "README.txt").read_text().splitlines()) == 6
    assert name in (folder / "README.txt").read_text()
    embedder = edge_facenet.load(folder)
    about = json.loads((folder / "golden/golden.json").read_text())
    for number in range(about["faces"]):
        given = np.frombuffer((folder / f"golden/input-{number}.bin").read_bytes(), about["input"]["dtype"])
        wanted = np.frombuffer((folder / f"golden/embedding-{number}.bin").read_bytes(), "<f4")
        found = embedder.engine.run([given.reshape(about["input"]["shape"])])[0][0]
        assert 1 - float(found @ wanted) < 1e-6


def test_phone_sh_makes_the_folder_an_app_takes(world: World, tmp_path: Path) -> None:
    out = tmp_path / "app assets"
    words = ["sh", ROOT / "export/phone.sh", world.run, world.crops.path, out]
    done = subprocess.run(
        words, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"The folder for the phone is ready: {out}" in done.stdout and "MUL-ADDs per face: 1,477,968" in done.stdout
    check_folder(out, "face-int8")
    assert "pixel XOR 0x80, as int8" in (out / "README.txt").read_text()


def test_pi_sh_makes_the_folder_a_pi_takes(world: World, tmp_path: Path) -> None:
    """The slow first step is replaced: the artifact is there already."""
    model = manifest.read(world.out / "small-int8.json").file
    shim = tmp_path / "python"
    shim.write_text(
        f'#!/bin/sh\nif [ "$3" = export ]; then mkdir -p "$6"; cp "{world.out}/small-int8.json" "{world.out}/{model}" "$6"\n'
        f'else exec "{sys.executable}" "$@"; fi\n'
    )
    shim.chmod(0o755)
    words = ["sh", ROOT / "export/pi.sh", world.run, world.crops.path, tmp_path / "pi", "int8", "small"]
    done = subprocess.run(words, env={**os.environ, "PYTHON": str(shim)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check_folder(tmp_path / "pi", "small-int8")
    note = (tmp_path / "pi/README.txt").read_text()
    assert "docs/pi.md" in note and "edge-facenet identify PHOTO --model FOLDER" in note
    assert "PyPI" not in note and "pip install edge-facenet" not in note, "they are not on PyPI yet"


def test_a_folder_that_holds_another_artifact_is_not_spoilt(world: World, tmp_path: Path) -> None:
    """As after `phone.sh RUN CROPS OUT` and then `phone.sh RUN CROPS OUT fp16`: refused before anything is exported."""
    out = tmp_path / "out"
    out.mkdir()
    for name in ("small-int8.json", manifest.read(world.out / "small-int8.json").file):
        shutil.copy(world.out / name, out)
    handover.hand_over("phone", out / "small-int8.json")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    words = ["sh", ROOT / "export/phone.sh", world.run, world.crops.path, out, "fp16", "small"]
    done = subprocess.run(
        words, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 8
    assert f"{out} holds small-int8.json, which small-fp16.json would spoil" in done.stderr
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with pytest.raises(OutputError, match="a folder of its own"):
        shutil.copy(out / "small-int8.json", out / "other-int8.json")
        handover.hand_over("phone", out / "other-int8.json")
    (out / "other-int8.json").unlink()
    handover.hand_over("phone", out / "small-int8.json")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def handed(world: World, out: Path, name: str = "small-int8") -> Path:
    """An exported artifact in a folder of its own, under another name perhaps."""
    out.mkdir()
    described = world.out / "small-int8.json"
    shutil.copy(world.out / manifest.read(described).file, out)
    return Path(shutil.copy(described, out / f"{name}.json"))


@pytest.mark.parametrize("there", ["other-fp16.json", "README.txt", "golden"])
def test_what_the_user_has_there_is_not_spoilt(world: World, tmp_path: Path, there: str) -> None:
    path = handed(world, tmp_path / "out")
    if there == "golden":
        (path.parent / there).mkdir()
    else:
        shutil.copy(path, path.parent / there)
    with pytest.raises(OutputError, match=f"holds {there}, which small-int8.json would spoil"):
        handover.check_free(path)
    with pytest.raises(OutputError, match="a folder of its own"):
        handover.hand_over("pi", path)


def test_a_hand_over_that_was_killed_goes_on(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each of its files: what stands there is known as its own."""
    whole = handed(world, tmp_path / "whole")
    handover.hand_over("pi", whole)
    write = files.write_bytes
    for written in range(1, 9):
        path, left = handed(world, tmp_path / str(written)), iter(range(written))

        def killed(target: Path, content: bytes, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            write(target, content)

        with monkeypatch.context() as patch:
            patch.setattr(files, "write_bytes", killed)
            with pytest.raises(KeyboardInterrupt):
                handover.hand_over("pi", path)
        handover.hand_over("pi", path)
        check_folder(path.parent, "small-int8")
        assert (path.parent / "SHA256SUMS").read_bytes() == (whole.parent / "SHA256SUMS").read_bytes()


def test_names_of_any_bytes_are_handed_over(world: World, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9-int8")
    path = handed(world, tmp_path / "out", name)
    handover.main(["phone", str(path)])
    handover.main(["phone", str(path)])
    lines = (path.parent / "SHA256SUMS").read_bytes().splitlines()
    assert any(line.endswith(b"  caf\xe9-int8.json") for line in lines)
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=path.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert r"caf\udce9-int8: a face embedder" in (path.parent / "README.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["free"], 7, "found 1 words"),
        (["pi", "a.json", "b.json"], 7, "found 3 words"),
        (["free", "two\nlines-int8.json"], 8, "line break"),
        (["free", "sums/face-int8.json"], 8, "holds SHA256SUMS"),
    ],
)
def test_the_scripts_words_are_refused_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums/SHA256SUMS").write_bytes(b"00  caf\xe9.txt\n")
    with pytest.raises(SystemExit) as left:
        handover.main(words)
    err = capsys.readouterr().err
    assert left.value.code == code and sentence in err and err.count("\n") == 1 and "fault" not in err


def test_a_folder_named_like_a_backbone_does_not_hide_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with one manifest is counted by it, as `load` takes it; the backbone has its name first."""
    monkeypatch.chdir(tmp_path)
    for name in ("mobile", "mine"):
        handed(world, tmp_path / name)
    assert tables.count_table("mobile").title == "mobile@80, 128-D"
    for name in ("mine", "./mobile", "mobile/"):
        table = tables.count_table(name)
        assert (table.title, table.muladds) == ("small-int8.json", 1_477_968)
    with pytest.raises(ManifestError, match="exactly one manifest, found none"):
        tables.count_table(".")


def test_the_scripts_say_how_they_are_used(tmp_path: Path) -> None:
    done = subprocess.run(["sh", ROOT / "export/phone.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "export/phone.sh RUN CROPS OUT" in done.stderr


def test_handing_over_what_export_did_not_write(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="Export it again"):
        handover.hand_over("phone", tiny.artifact(tmp_path))
    with pytest.raises(ConfigError, match="phone, pi"):
        handover.hand_over("watch", tmp_path / "x.json")
    with pytest.raises(SystemExit) as left:
        handover.main(["pi", str(tmp_path / "absent.json")])
    assert left.value.code == 4
