"""`edge-facenet gallery`: what it says, what it leaves with, what it must not take for an option."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from gallery_world import KEY, MAKER, filled, raw, sample, unit

from edge_facenet import embedder
from edge_facenet.cli import gallery_faces
from edge_facenet.cli.main import main
from edge_facenet.gallery import Gallery, Maker
from edge_facenet.photos import models, orl


class Line:
    """Runs a command line in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["gallery", *map(str, words)])
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return int(left.value.code or 0), out, err


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Line:
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path / "home"))
    return Line(capsys)


def test_c122_a_fresh_and_an_emptied_gallery(line: Line, tmp_path: Path) -> None:
    place = tmp_path / "home" / "gallery.db"
    for _ in range(2):
        assert line("list") == (
            0,
            f"The gallery is empty ({place}). Enroll somebody: edge-facenet enroll NAME PHOTOS.\n",
            "",
        )
        assert json.loads(line("list", "--json")[1]) == {"gallery": str(place), "people": []}
        for words in (("forget", "x"), ("show", "x"), ("reject", "x", "--undo")):
            code, out, err = line(*words)
            assert (code, out) == (3, "")
            assert "is empty: there is nobody called x" in err
        assert line("forget", "--everybody")[0] == 0
        assert line("check")[0] == 0
        assert line("export", tmp_path / "b")[0] == 3
        gallery = filled(place, people=1)
        gallery.forget(gallery.ids())


def test_list_and_show(line: Line, tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=2, crop=True)
    gallery.reject(1, sample(5))
    code, out, _ = line("list", "--gallery", gallery.path)
    assert code == 0
    assert "2 people in" in out
    assert "1  P0  (2 embeddings, 2 pictures, 1 marked as not this person)" in out
    assert [p["name"] for p in json.loads(line("list", "--json", "--gallery", gallery.path)[1])["people"]] == [
        "P0",
        "P1",
    ]
    for who in ("P0", "1", "#1"):
        out = line("show", who, "--gallery", gallery.path)[1]
        assert "NOT this person  5.jpg" in out
        assert "enrolled  0.jpg" in out
    shown = json.loads(line("show", "P0", "--json", "--gallery", gallery.path)[1])
    assert [row["rejected"] for row in shown["rows"]] == [False, False, True]
    assert "vector" not in json.dumps(shown)


@pytest.mark.parametrize("name", ["-rf", "--yes", "a/b", "../x", "x'); DROP TABLE people;--", "👩‍👩‍👧 / 🐻", "Олена"])
def test_c121_odd_names_on_the_command_line(line: Line, tmp_path: Path, name: str) -> None:
    gallery = filled(tmp_path / "g.db", people=2)
    gallery.enroll(name, [sample(7)])
    assert name in line("list", "--gallery", gallery.path)[1]
    assert name in line("show", "--gallery", gallery.path, "--", name)[1]
    code, out, _ = line("forget", "--gallery", gallery.path, "--", name)
    assert (code, out) == (0, f"1 person forgotten; 2 left in {gallery.path}.\n")
    gallery.enroll(name, [sample(7)])
    assert line("forget", "--id", 4, "--gallery", gallery.path)[0] == 0
    assert [p.name for p in gallery.people()] == ["P0", "P1"]
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith("g.db")] == []


def test_forgetting_several_is_a_dry_run_until_yes(line: Line, tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=4)
    for words in (("P0", "P1"), ("--everybody",), ("--id", 1, "--id", 2), ("P0", "--id", 2)):
        code, out, _ = line("forget", *words, "--gallery", gallery.path)
        assert code == 0
        assert "Nothing was done; give --yes to do it." in out
        said = json.loads(line("forget", *words, "--gallery", gallery.path, "--json")[1])
        assert (said["dry_run"], said["left"]) == (True, 4)
    assert line("forget", "P0", "#2", "--yes", "--gallery", gallery.path)[1].startswith("2 people forgotten; 2 left")
    assert line("forget", "--everybody", "--yes", "--gallery", gallery.path)[0] == 0
    assert len(gallery) == 0
    assert line("forget", "--gallery", gallery.path)[0] == 7


def test_forgetting_says_whose_records_keep_faces_of_others(line: Line, tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=3)
    gallery.reject(1, sample(5))
    out = line("forget", "P1", "--gallery", gallery.path)[1]
    assert 'marked as "not this person" stay: P0 (id 1): 1.' in out
    assert json.loads(line("forget", "P2", "--gallery", gallery.path, "--json")[1])["rejected_left"] == {"1": 1}
    assert line("reject", "1", "--undo", "--gallery", gallery.path)[0] == 0
    gallery.enroll("Olga", [sample(8)])
    assert "not this person" not in line("forget", "Olga", "--gallery", gallery.path)[1]


def test_one_of_two_annas_is_asked_for_by_id(line: Line, tmp_path: Path) -> None:
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    gallery.enroll("Anna", [sample(1)])
    gallery.enroll("Anna", [sample(2)], new=True)
    code, _, err = line("forget", "Anna", "--yes", "--gallery", gallery.path)
    assert code == 3
    assert "#1 (Anna), #2 (Anna)" in err
    assert line("forget", "Anna", "Bert", "--gallery", gallery.path)[0] == 3
    assert len(gallery) == 2


def test_c133_back_up_and_restore(line: Line, tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="needs the extra [secure]")
    gallery, key, other = filled(tmp_path / "g.db"), tmp_path / "k", tmp_path / "k2"
    assert line("key", key)[0] == line("key", other)[0] == 0
    assert line("key", key)[0] == 8
    code, out, _ = line("export", tmp_path / "plain", "--gallery", gallery.path)
    assert code == 0
    assert "not encrypted: whoever has the file can recognise these people" in out
    code, out, _ = line("export", tmp_path / "sealed", "--gallery", gallery.path, "--seal-with", key)
    assert "6 embeddings, 0 pictures; encrypted." in out
    new = tmp_path / "new.db"
    assert line("import", tmp_path / "sealed", "--gallery", new, "--sealed-with", other)[0] == 3
    assert line("import", tmp_path / "sealed", "--gallery", new)[0] == 3
    out = line("import", tmp_path / "sealed", "--gallery", new, "--sealed-with", key)[1]
    assert out.startswith("3 new people") and "The backup is encrypted, this gallery is not" in out
    assert json.loads(line("import", tmp_path / "plain", "--gallery", new, "--json")[1])["merged"] == 3
    encrypted = tmp_path / "enc.db"  # a plain backup into a new, encrypted gallery
    code, out, _ = line("import", tmp_path / "plain", "--gallery", encrypted, "--key-file", key, "--plain")
    assert code == 0 and "is not:" not in out
    assert "is not:" not in line("import", tmp_path / "sealed", "--gallery", encrypted, "--key-file", key)[1]
    assert line("list", "--gallery", encrypted)[0] == 3
    assert "3 people" in line("list", "--gallery", encrypted, "--key-file", key)[1]
    line("export", tmp_path / "kept", "--gallery", encrypted, "--key-file", key)  # stays under its key
    assert unit(0).tobytes() not in (tmp_path / "kept").read_bytes()
    line("export", tmp_path / "opened", "--gallery", encrypted, "--key-file", key, "--plain")
    assert unit(0).tobytes() in (tmp_path / "opened").read_bytes()
    for command in ("export", "import"):
        flag = "--seal-with" if command == "export" else "--sealed-with"
        assert line(command, tmp_path / "plain", "--plain", flag, key)[0] == 7


def test_a_key_beside_the_gallery_is_remarked_upon(line: Line, tmp_path: Path) -> None:
    assert "protects nothing" in line("key", tmp_path / "home" / "k")[1]
    assert "protects nothing" not in line("key", tmp_path / "stick" / "k")[1]
    assert json.loads(line("key", tmp_path / "k3", "--json")[1])["beside_the_gallery"] is False


def test_check(line: Line, tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db")
    code, out, _ = line("check", "--gallery", gallery.path)
    assert code == 0
    assert "Nothing is wrong." in out
    assert "P0 (id 1): 0.jpg and 1.jpg" in out
    with raw(gallery.path) as connection:
        connection.execute("UPDATE embeddings SET vector = ? WHERE id = 3", (bytes(512),))
    code, out, _ = line("check", "--gallery", gallery.path)
    assert code == 3
    assert "embedding 3 of person #2 is all zeros; it is never compared" in out
    assert json.loads(line("check", "--gallery", gallery.path, "--json")[1])["faults"][0]["embedding"] == 3


class Network:
    """Stands for an embedder; the CLI's own path through one is `test_reject_and_undo`."""

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return np.stack([unit(int(crop.sum()), 64) for crop in crops])


def test_migrate(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = filled(tmp_path / "g.db", people=2, crop=True)
    gallery.enroll("Олена / 🦊", [sample(60)])
    tools: Any = gallery_faces.Tools(Network(), Maker("f" * 64, "a" * 64, 64), side=16)  # type: ignore[arg-type]
    monkeypatch.setattr(gallery_faces, "open_tools", lambda model: tools)
    code, out, _ = line("migrate", "--gallery", gallery.path)
    assert code == 0
    assert "4 embeddings made again from kept crops; 1 without a crop that counts. 2 people ready." in out
    assert "These must enroll again" in out and "not this person" not in out
    assert "3  Олена / 🦊" in out
    said = json.loads(line("migrate", "--gallery", gallery.path, "--json")[1])
    assert (said["embedded"], [p["id"] for p in said["again"]]) == (0, [3])


def test_no_network_for_another_template_gets_a_gallery(line: Line, tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db")
    model = tiny.artifact(tmp_path, template="other-96")
    for words in (("migrate",), ("reject", "P0", tmp_path / "x.jpg")):
        code, out, err = line(*words, "--model", model, "--gallery", gallery.path)
        assert (code, out) == (4, "")
        assert "cut to template other-96" in err
    assert len(gallery.templates()) == 3


def test_reject_and_undo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With the released network and a real photo: from the command line to the row, and back."""
    line = Line(capsys)
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    pytest.importorskip("edge_facenet_models", reason="needs the released models")
    photo = next(path for path in sorted(orl.folder().rglob("*")) if path.suffix in (".pgm", ".png", ".jpg"))
    tools = gallery_faces.open_tools("mobile")
    assert isinstance(tools.embedder, embedder.Embedder)
    gallery = Gallery.open(tmp_path / "g.db", tools.maker)
    gallery.enroll("Anna", [tools.sample(photo, None)])
    code, out, err = line("reject", "Anna", photo, "--gallery", gallery.path)
    assert code == 0, err
    assert "this face is remembered as not this person; 1 sample of it withdrawn." in out
    assert f"NOT this person  {photo.resolve()}  " in line("show", "Anna", "--gallery", gallery.path)[1]
    os.mkfifo(tmp_path / "pipe.jpg")
    code, _, err = line("reject", "Anna", tmp_path / "pipe.jpg", "--gallery", gallery.path)
    assert code == 3 and "pipe.jpg" in err
    assert "already" in line("reject", "Anna", photo, "--gallery", gallery.path)[1]
    code, _, err = line("reject", "Anna", photo, "--face", 3, "--gallery", gallery.path)
    assert code == 3 and "there is no face 3, it shows 1: 1 at " in err
    assert "already" in line("reject", "Anna", photo, "--largest", "--gallery", gallery.path)[1]
    assert line("reject", "Anna", photo, "--largest", "--face", 1, "--gallery", gallery.path)[0] == 7
    assert "1 rejection taken back" in line("reject", "Anna", "--undo", "--gallery", gallery.path)[1]
    (tmp_path / "text.jpg").write_text("no photo")
    code, _, err = line("reject", "Anna", tmp_path / "text.jpg", "--gallery", gallery.path)
    assert code == 3
    assert "text.jpg" in err
    assert line("reject", "Anna", tmp_path / "absent.jpg", "--gallery", gallery.path)[0] == 3
    assert line("reject", "Anna", "--gallery", gallery.path)[0] == 7


def test_wrong_files_and_keys_leave_with_3(line: Line, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for words in (
        ("list", "--gallery", tmp_path / "text"),
        ("list", "--gallery", tmp_path),
        ("list", "--key-file", tmp_path / "text"),
    ):
        code, out, err = line(*words)
        assert (code, out) == (3, "")
        assert err.count("\n") == 1
    gallery = filled(tmp_path / "g.db")
    (tmp_path / "key").write_bytes(KEY)
    code, _, err = line("list", "--gallery", gallery.path, "--key-file", tmp_path / "key")
    assert code == 3
    assert "is not encrypted" in err


def test_help_teaches(line: Line) -> None:
    for command in ("list", "show", "forget", "reject", "export", "import", "migrate", "check", "key"):
        code, out, _ = line(command, "--help")
        assert code == 0
        assert "Example: edge-facenet gallery" in out.replace("\n", " ").replace("  ", " ")
