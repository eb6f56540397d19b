"""`edge-facenet prepare` as a person types it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from edge_facenet.cli import progress
from edge_facenet.cli.main import main
from edge_facenet.photos import models, orl
from edge_facenet.photos.cropset import CropSet
from edge_facenet.photos.quality import QualityRules


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command line in this process, with what it wrote to the file descriptors; it never takes long enough to tell how far
    it is, however slow the machine."""
    monkeypatch.setattr(progress, "EVERY_S", math.inf)

    def run(*words: object) -> Done:
        with pytest.raises(SystemExit) as caught:
            main(["prepare", *map(str, words)])
        out, err = capfd.readouterr()
        assert isinstance(caught.value.code, int)
        return Done(caught.value.code, out, err)

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    folder = tmp_path / "my photos 😀"
    for name, person in (("s1", "Zoë Ś"), ("s2", "Bob")):
        for number in (1, 2):
            (folder / person).mkdir(parents=True, exist_ok=True)
            shutil.copy(orl.folder() / name / f"{number}.pgm", folder / person / f"{number}.pgm")
    (folder / "Bob" / "letter.jpg").write_text("Dear Bob")
    return folder


def test_a_folder_with_spaces_accents_and_emoji(photos: Path, tmp_path: Path, call: Callable[..., Done]) -> None:
    done = call(photos, tmp_path / "out ü")
    assert done.code == 0 and done.err == ""
    assert "5 files = 4 crops of 2 people + 1 rejected" in done.out and "text, not a picture" in done.out
    assert str(tmp_path / "out ü") in done.out
    assert CropSet.open(tmp_path / "out ü").identities == ("Bob", "Zoë Ś")
    again = json.loads(call(photos, tmp_path / "out ü", "--json").out)
    assert again["unchanged"] and again["looked_at"] == 0 and again["photos"] == again["crops"] + again["rejected"] == 5


def test_mistakes_are_one_sentence_and_destroy_nothing(photos: Path, tmp_path: Path, call: Callable[..., Done]) -> None:
    empty, text = tmp_path / "empty", tmp_path / "text"
    empty.mkdir()
    text.mkdir()
    (text / "a.jpg").write_text("no")
    for words, code, part in (
        ((tmp_path / "nowhere", tmp_path / "o"), 3, "There is no folder"),
        ((empty, tmp_path / "o"), 3, "There are no files in"),
        ((text, tmp_path / "o"), 3, "None of 1 files gave a crop: 'a.jpg': This is text"),
        ((photos, text), 8, "holds something else"),
        ((photos, "/proc/o"), 8, "Cannot write"),
        ((photos, tmp_path / "o", "--size", "33"), 7, "must be even"),
        (("orl", photos, tmp_path / "o"), 7, "orl stands alone"),
    ):
        done = call(*words)
        assert done.code == code and part in done.err, done.err
        assert done.err.count("\n") == 1 and "Traceback" not in done.err
        assert not (tmp_path / "o").exists()
    assert sorted(os.listdir(text)) == ["a.jpg"]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("--require", "sharp=3"), 7, '--require has no limit "sharp"'),
        (("--require", "yaw=wide"), 7, "--require yaw needs a number, found 'wide'"),
        (("--require", "yaw=-3"), 7, "A quality limit is a finite number of at least 0"),
        (("--jobs", "2", "--dask", "tcp://x:1"), 7, "give one of them"),
        (("--faces", "smallest"), 2, "smallest"),
        (("--jobs", "0"), 2, "--jobs"),
        (("--require", "face_px=5000"), 3, "Not good enough: too small"),
    ],
)
def test_limits_and_policies_that_are_none(
    photos: Path, tmp_path: Path, call: Callable[..., Done], words: tuple[str, ...], code: int, part: str
) -> None:
    done = call(photos, tmp_path / "o", *words)
    assert done.code == code and part in done.err and "Traceback" not in done.err and not (tmp_path / "o").exists()


def test_limits_policies_and_listings_as_typed(photos: Path, tmp_path: Path, call: Callable[..., Done]) -> None:
    shutil.copy(photos / "Bob" / "1.pgm", photos / "Bob" / "copy.pgm")
    (photos / "list.csv").write_text("path,identity\nBob/1.pgm,Robert\nBob/copy.pgm,Someone\nZoë Ś/1.pgm,\n")
    done = call(photos / "list.csv", tmp_path / "out", "--faces", "reject", "--require", "enroll", "--jobs", "1")
    assert done.code == 0 and "3 files = 3 crops of 2 people, 1 without a name + 0 rejected" in done.out
    assert "Duplicates: 1 photos have the bytes of an earlier one" in done.out
    settings = CropSet.open(tmp_path / "out").seal.settings
    assert settings["quality"]["face_px"] == 16 and settings["face"] == "photos that show several faces are rejected"
    assert (tmp_path / "out" / "duplicates.csv").read_text().count("\n") == 2


def test_a_folder_of_models_without_full_range_says_what_is_missing(
    photos: Path, tmp_path: Path, call: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shutil.copytree(models.folder(), tmp_path / "home" / "models")
    for name in (models.FAR.file, models.FAR.manifest):
        (old / name).unlink(missing_ok=True)
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path / "home"))
    done = call(photos, tmp_path / "out")
    assert done.code == 0 and "blazeface-full is not here. Type: edge-facenet setup" in done.out
    assert "4 crops" in done.out


def test_without_the_face_models_the_command_is_named(
    photos: Path, tmp_path: Path, call: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path / "home"))
    done = call(photos, tmp_path / "out")
    assert done.code == 6 and "Type: edge-facenet setup" in done.err and not (tmp_path / "out").exists()


def test_the_word_orl_gives_all_four_hundred(tmp_path: Path, photos: Path, call: Callable[..., Done]) -> None:
    value = json.loads(call("orl", tmp_path / "orl", "--json").out)
    assert (value["photos"], value["crops"], value["rejected"], value["identities"]) == (400, 400, 0, 40)
    crops = CropSet.open(tmp_path / "orl")
    assert crops.identities == tuple(f"s{k}" for k in range(1, 41))
    assert all(row.turned == 0 and row.presence > 0.5 for row in crops.rows)


def test_the_help_names_every_limit_with_what_enroll_asks(call: Callable[..., Done]) -> None:
    told = dict(
        re.findall(r"([a-z_]+)=([\d.]+\d|\d)", call("--help").out.split("--require takes")[1].split("Examples:")[0])
    )
    assert {name: float(value) for name, value in told.items()} == dataclasses.asdict(QualityRules())


def test_one_photo_of_two_people_is_one_file(tmp_path: Path, call: Callable[..., Done]) -> None:
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    party = Image.new("L", (600, 300), 128)
    for person, x in (("s1", 40), ("s3", 340)):
        party.paste(Image.open(orl.folder() / person / "1.pgm").resize((184, 224)), (x, 40))
    (tmp_path / "in").mkdir()
    party.save(tmp_path / "in" / "party.png")
    done = call(tmp_path / "in", tmp_path / "out", "--faces", "all")
    assert "1 files gave 2 crops of 0 people, 2 without a name + 0 rejected" in done.out
    assert json.loads(call(tmp_path / "in", tmp_path / "out", "--faces", "all", "--json").out)["photos"] == 1
