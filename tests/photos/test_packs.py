"""Aligned packs (zips and index.csv) into a crop set."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_facenet.errors import InputError, OutputError
from edge_facenet.photos import packs
from edge_facenet.photos.cropset import CropSet
from edge_facenet.photos.packs import PackOptions, prepare_packs

HEADER = ("shard", "name", "source", "identity", "scale", "lfw_cos")


def face(seed: int, size: int = 128) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)


def webp(picture: np.ndarray) -> bytes:
    return cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()


def make(folder: Path, faces: list[tuple[str, str, bytes]], header: tuple[str, ...] = HEADER) -> Path:
    """Packs of (source, identity, file content), four to a zip."""
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for number, (source, identity, content) in enumerate(faces):
        shard, name = f"faces_{number // 4}.zip", f"{number:05d}.webp"
        with zipfile.ZipFile(folder / shard, "a") as archive:
            archive.writestr(name, content)
        writer.writerow((shard, name, source, identity, 1.5, 0.1)[: len(header)])
    (folder / "index.csv").write_text(text.getvalue())
    return folder


def good(folder: Path) -> Path:
    who = [("wild", "anna"), ("wild", "ben"), ("lab", "anna"), ("lab", ""), ("wild", "anna"), ("web", "")]
    return make(folder, [(s, i, webp(face(n))) for n, (s, i) in enumerate(who)])


def test_rows_identities_and_pixels(tmp_path: Path) -> None:
    crops = prepare_packs(good(tmp_path / "packs"), tmp_path / "crops")
    assert [row.identity for row in crops.rows] == ["wild/anna", "wild/ben", "lab/anna", "", "wild/anna", ""]
    assert crops.identities == ("lab/anna", "wild/anna", "wild/ben")
    assert np.array_equal(crops.crops(range(6)), np.stack([face(n) for n in range(6)]))
    assert crops.rows[0].source == "faces_0.zip/00000.webp"
    assert crops.rows[0].scale == 1.5
    eye = crops.rows[0].points[0]
    assert eye == pytest.approx((38.2946 + 8, 51.6963 + 8), abs=0.01)


def test_the_template_mapping_is_noted(tmp_path: Path) -> None:
    crops = prepare_packs(good(tmp_path / "packs"), tmp_path / "crops")
    assert crops.template == "arcface-112"
    assert crops.seal.settings["mapping"] == packs.MAPPINGS["yunet"]
    assert any("YuNet" in note for note in crops.seal.notes)


def test_only_the_sources_asked_for(tmp_path: Path) -> None:
    crops = prepare_packs(good(tmp_path / "packs"), tmp_path / "crops", PackOptions(sources=("lab", "web")))
    assert [row.identity for row in crops.rows] == ["lab/anna", "", ""]
    with pytest.raises(InputError, match=r'no source "wlid".*did you mean "wild"'):
        prepare_packs(tmp_path / "packs", tmp_path / "other", PackOptions(sources=("wlid",)))


def test_stopped_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    folder = good(tmp_path / "packs")
    whole = prepare_packs(folder, tmp_path / "whole")

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_packs(folder, tmp_path / "crops", on_progress=stop)
    seen: list[int] = []
    again = prepare_packs(folder, tmp_path / "crops", on_progress=lambda done, total: seen.append(done))
    assert seen == [4, 5, 6]
    assert again.sha256 == whole.sha256


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture"),
        (b"<html>", "not a picture"),
        (webp(face(1, 96)), "96x96 px, where 128x128 is expected"),
        (webp(face(1))[:200], "not a picture|cannot be decoded"),
    ],
)
def test_a_bad_picture_is_rejected_and_the_rest_goes_on(tmp_path: Path, content: bytes, reason: str) -> None:
    folder = make(tmp_path / "packs", [("a", "x", webp(face(0))), ("a", "y", content), ("a", "z", webp(face(2)))])
    crops = prepare_packs(folder, tmp_path / "crops")
    assert len(crops) == 2
    rejected = crops.rejections()
    assert [r.photo for r in rejected] == ["faces_0.zip/00001.webp"]
    import re

    assert re.search(reason, rejected[0].reason)


def test_a_grey_or_png_picture_is_taken_as_rgb(tmp_path: Path) -> None:
    grey = cv2.imencode(".png", face(3)[..., 0])[1].tobytes()
    crops = prepare_packs(make(tmp_path / "packs", [("a", "x", grey)]), tmp_path / "crops")
    assert np.array_equal(crops.crops([0])[0], np.repeat(face(3)[..., :1], 3, axis=2))


def test_a_picture_missing_from_its_zip_is_rejected(tmp_path: Path) -> None:
    folder = good(tmp_path / "packs")
    with (folder / "index.csv").open("a") as stream:
        stream.write("faces_0.zip,00099.webp,wild,carl,1.0,0.1\n")
    crops = prepare_packs(folder, tmp_path / "crops")
    assert [r.reason for r in crops.rejections()] == ["not in the zip"]


def test_broken_packs_are_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        prepare_packs(tmp_path, tmp_path / "crops")
    folder = make(tmp_path / "short", [("a", "x", webp(face(0)))], header=("shard", "name", "source"))
    with pytest.raises(InputError, match="lacks the column identity"):
        prepare_packs(folder, tmp_path / "crops")
    folder = good(tmp_path / "packs")
    (folder / "faces_1.zip").unlink()
    with pytest.raises(InputError, match=r"faces_1\.zip"):
        prepare_packs(folder, tmp_path / "crops")
    (folder / "faces_1.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match="not a whole zip"):
        prepare_packs(folder, tmp_path / "other")
    (folder / "index.csv").write_text("shard,name,source,identity\n../x.zip,a,b,c\n")
    with pytest.raises(InputError, match=r"\.\./x\.zip"):
        prepare_packs(folder, tmp_path / "third")
    (folder / "index.csv").write_text("shard,name,source,identity\nfaces_0.zip,a\n")
    with pytest.raises(InputError, match="line 2: fewer values"):
        prepare_packs(folder, tmp_path / "third")


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    folder = good(tmp_path / "packs")
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(InputError, match="twice"):
        prepare_packs(folder, tmp_path / "crops")


def test_the_real_packs_open(shared: Path, tmp_path: Path) -> None:
    """One source of the project's own packs, cut to its first faces."""
    index = (shared / "data/train/index.csv").read_text().splitlines()
    folder = tmp_path / "packs"
    folder.mkdir()
    rows = [line for line in index[1:] if line.startswith("faces_0.zip,") and ",celeba_small," in line][:20]
    (folder / "index.csv").write_text("\n".join([index[0], *rows]) + "\n")
    (folder / "faces_0.zip").symlink_to(shared / "data/train/faces_0.zip")
    crops = prepare_packs(folder, tmp_path / "crops")
    assert len(crops) == 20
    assert CropSet.open(tmp_path / "crops").identities[0].startswith("celeba_small/")


def test_the_command(tmp_path: Path) -> None:
    """`prepare --aligned`, as a user types it, and what it refuses."""
    import json

    import typer
    from typer.testing import CliRunner

    from edge_facenet.cli.prepare import command
    from edge_facenet.errors import ConfigError

    app = typer.Typer()
    app.command()(command)
    folder = good(tmp_path / "packs")
    words = ["--aligned", str(folder), str(tmp_path / "crops"), "--sources", "wild, lab", "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["crops"] == 5
    plain = CliRunner().invoke(app, words[:-1])
    assert "5 faces, 4 of them of 3 people" in plain.stdout
    assert isinstance(CliRunner().invoke(app, words[1:]).exception, ConfigError)
    assert isinstance(CliRunner().invoke(app, ["--aligned", "a", "b", "c"]).exception, ConfigError)


def test_a_finished_crop_set_of_something_else_is_kept(tmp_path: Path) -> None:
    folder = good(tmp_path / "packs")
    whole = prepare_packs(folder, tmp_path / "crops")
    before = {path.name: path.read_bytes() for path in (tmp_path / "crops").iterdir()}
    other = make(tmp_path / "other", [("wild", "eve", webp(face(9)))])
    for packs_, options in ((other, PackOptions()), (folder, PackOptions(sources=("lab",)))):
        with pytest.raises(OutputError, match="holds a crop set made with other settings"):
            prepare_packs(packs_, tmp_path / "crops", options)
    assert {path.name: path.read_bytes() for path in (tmp_path / "crops").iterdir()} == before
    assert prepare_packs(folder, tmp_path / "crops").sha256 == whole.sha256
