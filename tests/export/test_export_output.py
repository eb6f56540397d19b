"""The folder artifacts are written into: refused early, written by one export at a time, all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from edge_facenet_export import output, pipeline
from edge_facenet_export.recipes import RECIPES
from export_world import World, photos

from edge_facenet import files, manifest
from edge_facenet.cli.main import main
from edge_facenet.errors import InputError, OutputError
from edge_facenet.manifest import Manifest
from edge_facenet.photos.cropset import write

pytestmark = pytest.mark.xdist_group("export")  # one export for all of them

INT8 = pipeline.Options((RECIPES["int8"],), name="small")
OTHER = "other-112"


def made(name: str, template: str = "arcface-112") -> tuple[str, bytes, Manifest]:
    """An artifact to write; another template, and its model file is another."""
    return name, tiny.graph("fp32"), tiny.describe(tiny.FLOAT, template=template)


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_copied_manifest_keeps_its_model(tmp_path: Path) -> None:
    """By an export, and by `manifest.write` alone."""
    for number, again in enumerate((lambda out: output.write(out, [made("mine-fp32", OTHER)]), _alone)):
        out = tmp_path / str(number)
        output.write(out, [made("mine-fp32")])
        shutil.copy(out / "mine-fp32.json", out / "keep.json")
        again(out)
        assert manifest.open_artifact(out / "keep.json")[0].template == "arcface-112"
        assert manifest.open_artifact(out / "mine-fp32.json")[0].template == OTHER
        (out / "keep.json").unlink()
        output.write(out, [made("mine-fp32", OTHER)])
        assert len(state(out)) == 2, "a model that nothing names any more goes"


def _alone(out: Path) -> None:
    manifest.write(out, *made("mine-fp32", OTHER))


def test_two_exports_into_one_folder_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits while the first has written its models and not its manifests: both end whole."""
    first_moves, second_waits = threading.Event(), threading.Event()
    move, lock = output._move, files.lock_folder

    def slowly(path: Path, target: Path) -> None:
        if path.suffix == ".json" and not second_waits.is_set():
            first_moves.set()
            assert second_waits.wait(20)
        move(path, target)

    def waiting(folder: Path) -> int:
        try:
            return lock(folder)
        except BlockingIOError:
            second_waits.set()
            raise

    monkeypatch.setattr(output, "_move", slowly)
    monkeypatch.setattr(files, "lock_folder", waiting)
    first = threading.Thread(target=output.write, args=(tmp_path, [made("mine-fp32"), made("a-fp32")]))
    first.start()
    assert first_moves.wait(20)
    output.write(tmp_path, [made("mine-fp32", OTHER), made("b-fp32")])
    first.join()
    templates = {path.stem: manifest.open_artifact(path)[0].template for path in tmp_path.glob("*.json")}
    assert templates == {"mine-fp32": OTHER, "a-fp32": "arcface-112", "b-fp32": "arcface-112"}
    assert len(state(tmp_path)) == 6


def test_a_folder_that_stays_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_TRIES", 2)
    handle = files.lock_folder(tmp_path)
    try:
        with pytest.raises(OutputError, match="Another export is writing"):
            output.write(tmp_path, [made("mine-fp32")])
    finally:
        os.close(handle)
    assert state(tmp_path) == {}
    output.write(tmp_path, [made("mine-fp32")])


@pytest.mark.parametrize("fails_at", range(4))
def test_what_fails_while_it_is_written_leaves_what_was_there_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """Each file's place in turn cannot be had: two models, two manifests. None half there, nothing left over."""
    names = ("a-fp32", "b-fp32")
    output.write(tmp_path, [made(name) for name in names])
    before = state(tmp_path)
    replace_file = os.replace
    moved: list[Path] = []

    def full(source: Path, target: Path) -> None:
        if ".exporting" in str(source) and not Path(source).name.startswith(".writing-") and target.parent == tmp_path:
            moved.append(target)
            if len(moved) == fails_at + 1:
                raise OSError(28, "No space left on device")
        replace_file(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OutputError, match="No space left"):
            output.write(tmp_path, [made(name, OTHER) for name in names])
    for name in names:
        manifest.open_artifact(tmp_path / f"{name}.json")
    assert len(state(tmp_path)) == 4
    if fails_at < 3:  # no manifest had been renamed into place
        assert state(tmp_path) == before


def test_a_disk_that_fills_up_at_the_third_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a-fp32", "b-fp32", "c-fp32")
    output.write(tmp_path, [made(name) for name in names[:2]])
    before, write_json = state(tmp_path), files.write_json

    def full(path: Path, value: object) -> None:
        if path.stem == "c-fp32":
            raise OutputError("full")
        write_json(path, value)

    monkeypatch.setattr(files, "write_json", full)
    with pytest.raises(OutputError, match="full"):
        output.write(tmp_path, [made(name, OTHER) for name in names])
    assert state(tmp_path) == before


def test_folders_links_and_foreign_files_stay(tmp_path: Path) -> None:
    output.write(tmp_path, [made("mine-fp32")])
    (tmp_path / ".writing-step-0000010").mkdir()
    (tmp_path / "mine-fp32-01234567.tflite").mkdir()
    (tmp_path / "mine-fp32-89abcdef.tflite").symlink_to("elsewhere")
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / "mine-fp32.json").chmod(0o600)
    kept = set(os.listdir(tmp_path)) - {manifest.read(tmp_path / "mine-fp32.json").file}
    (path,) = output.write(tmp_path, [made("mine-fp32", OTHER)])
    assert set(os.listdir(tmp_path)) == kept | {manifest.read(path).file}
    assert path.stat().st_mode & 0o777 == 0o600, "a private file stays private"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a/b-int8", "no slashes"),
        ("", "not empty"),
        ("two\nlines-int8", "line break"),
        ("x" * 250, "too many for a file"),
        ("é" * 120, "too many for a file"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused_before_any_work(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(OutputError, match=words) as caught:
        output.check_place(tmp_path / "out", [name])
    assert "\n" not in str(caught.value)
    output.check_place(tmp_path / "out", ["fine name é-int8"])


def test_nothing_is_converted_for_a_place_or_name_that_cannot_be(
    quick: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "gather", lambda *_: pytest.fail("gathered"))
    (tmp_path / "small-int8.json").write_text("{}")
    (tmp_path / "loop").symlink_to("loop")
    for options, out, words in (
        (INT8, tmp_path, "is not a manifest of this project"),
        (replace(INT8, name="a/b"), tmp_path, "no slashes"),
        (replace(INT8, name="x" * 250), tmp_path, "too many"),
        (INT8, tmp_path / "loop", "a link that leads nowhere"),
        (INT8, tmp_path / "loop/below", "a link that leads nowhere"),
    ):
        with pytest.raises(OutputError, match=words):
            pipeline.export(quick.run, quick.crops.path, out, options)


def test_another_crop_set_is_refused_and_both_are_told_where_it_is_wanted(quick: World, tmp_path: Path) -> None:
    """Folders of the same names with other people's pictures: only their sha256 tells."""
    crops, names = photos()
    others = write(tmp_path / "others", 255 - crops, names)
    with pytest.raises(InputError, match=rf"{quick.crops.sha256[:16]}.*{others.sha256[:16]}.*--other-crops"):
        pipeline.export(quick.run, others.path, tmp_path / "out", INT8)
    assert not (tmp_path / "out").exists()
    (path,) = pipeline.export(quick.run, others.path, tmp_path / "out", replace(INT8, other_crops=True))
    told = manifest.read(path).provenance
    assert told is not None
    assert told.data == (
        f"7 people of the crop set with sha256 {quick.crops.sha256[:16]}",
        f"exported with crop set others, sha256 {others.sha256[:16]}",
    )
    own = manifest.read(quick.out / "small-int8.json").provenance
    assert own is not None and own.data == (f"7 people of crop set crops, sha256 {quick.crops.sha256[:16]}",)


def test_a_damaged_checkpoint_is_told_on_stderr(
    quick: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(quick.run, tmp_path / "run")
    newest = shutil.copytree(run / "step-0000010", run / "step-0000020")
    told = json.loads((newest / "state.json").read_text())
    (newest / "state.json").write_text(
        json.dumps({**told, "step": 20, "files": dict.fromkeys(told["files"], "0" * 64)})
    )
    words = ["export", run, quick.crops.path, tmp_path / "out", "--recipe", "int8", "--format", "tflite"]
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert not left.value.code and "step-0000020 is damaged" in err and "Going back to the one before" in err
    assert "Going back" not in out and "mobile-int8" in out
