"""Every file is listed once, whatever it is called and however it is reached."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from edge_facenet.errors import InputError
from edge_facenet.photos.walk import Listing, walk


def touch(folder: Path, *names: str | bytes) -> Path:
    for number, name in enumerate(names):
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(b"%d" % number)
    return folder


def names(listing: Listing) -> list[str]:
    return [e.name for e in listing.entries]


def test_identity_is_the_first_level_at_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "ann/1.jpg", "ann/holiday/old.jpg/2.jpg", "bob/3.jpg", "flat.jpg")
    found = {e.name: e.identity for e in walk([tmp_path]).entries}
    assert found == {"ann/1.jpg": "ann", "ann/holiday/old.jpg/2.jpg": "ann", "bob/3.jpg": "bob", "flat.jpg": ""}


def test_c012_names_survive_as_bytes(tmp_path: Path) -> None:
    korean = "홍길동.jpg"
    given = [unicodedata.normalize(form, n).encode() for n in (korean, "é.jpg") for form in ("NFC", "NFD")]
    given += ["😀.jpg".encode(), b"a\nb.jpg", b"\xff.jpg"]
    touch(tmp_path, *[os.path.join("Łukasz Ś".encode(), name) for name in given])
    listing = walk([tmp_path])
    assert sorted(n.encode("utf-8", "surrogateescape") for n in names(listing)) == sorted(
        "Łukasz Ś/".encode() + name for name in given
    )
    assert {e.identity for e in listing.entries} == {"Łukasz Ś"}
    assert sum("One name on Windows and macOS" in note for note in listing.notes) == 2


def test_c014_a_path_near_the_system_s_limit(tmp_path: Path) -> None:
    deep = os.fsencode(tmp_path) + b"/" + b"a" * 250
    while len(deep) < 3550:
        deep += b"/" + b"c" * 90
    os.makedirs(deep)
    with open(deep + b"/" + b"b" * 246 + b".jpg", "wb") as stream:
        stream.write(b"x")
    (entry,) = walk([tmp_path]).entries
    assert entry.identity == "a" * 250 and entry.name.endswith("b" * 246 + ".jpg")


def test_a_path_beyond_the_system_s_limit_is_listed(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=handle)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(os.open("x.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=handle))
    os.close(handle)
    listing = walk([tmp_path])
    assert not listing.entries and len(listing.refused) == 1
    assert "name too long" in listing.refused[0].reason
    subprocess.run(["rm", "-rf", tmp_path / ("d" * 200)], check=True)  # shutil would meet the limit too


def test_c020_links_are_followed_and_each_real_file_is_taken_once(tmp_path: Path) -> None:
    root, elsewhere = touch(tmp_path / "root", "zoe/1.jpg", "zoe/2.jpg"), touch(tmp_path / "elsewhere", "3.jpg")
    (root / "again").symlink_to(root)
    (root / "aunt").symlink_to(elsewhere)
    (root / "all").mkdir()
    (root / "all" / "link.jpg").symlink_to(root / "zoe" / "1.jpg")
    (root / "all" / "hard.jpg").hardlink_to(root / "zoe" / "2.jpg")
    (root / "all" / "broken.jpg").symlink_to("nowhere")
    (root / "all" / "self.jpg").symlink_to("self.jpg")
    listing = walk([root])
    assert {e.name: e.identity for e in listing.entries} == {
        "all/hard.jpg": "all",  # of two hard links the first by name counts
        "aunt/3.jpg": "aunt",
        "zoe/1.jpg": "zoe",  # a real name counts before a link's
    }
    assert sorted(r.photo for r in listing.refused) == ["all/broken.jpg", "all/self.jpg"]
    assert all("broken link" in r.reason for r in listing.refused)
    assert any("each real file is taken once" in note for note in listing.notes)
    assert any("Links are followed: 'again', 'all/link.jpg', 'aunt'" in note for note in listing.notes)


def test_c023_overlapping_folders_and_names_that_differ_by_case(tmp_path: Path) -> None:
    touch(tmp_path, "ann/img.jpg", "ann/IMG.JPG", "Ann/other.jpg")
    listing = walk([tmp_path, tmp_path / "ann", tmp_path])
    assert names(listing) == ["Ann/other.jpg", "ann/IMG.JPG", "ann/img.jpg"]
    assert [e.identity for e in listing.entries] == ["Ann", "ann", "ann"]
    text = "\n".join(listing.notes)
    assert "lies inside" in text and "'ann/IMG.JPG', 'ann/img.jpg'" in text and "'Ann', 'ann'" in text


def test_two_folders_are_told_apart_by_their_own_names(tmp_path: Path) -> None:
    touch(tmp_path, "x/ann/1.jpg", "y/ann/1.jpg", "z/bob/1.jpg")
    listing = walk([tmp_path / "y", tmp_path / "x"])
    assert [(e.name, e.identity) for e in listing.entries] == [("x/ann/1.jpg", "ann"), ("y/ann/1.jpg", "ann")]


@pytest.mark.skipif(os.name == "nt", reason="needs named pipes")
def test_pipes_hidden_folders_and_the_output_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", ".git/2.jpg", "out/3.jpg", ".hidden.jpg")
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    listing = walk([tmp_path], leave_out=tmp_path / "out")
    assert names(listing) == [".hidden.jpg", "a/1.jpg"]
    assert [r.photo for r in listing.refused] == ["a/pipe.jpg"]
    assert any("Hidden folders not entered: '.git'" in note for note in listing.notes)


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        walk([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="No folder"):
        walk([])
    assert walk([tmp_path]).entries == ()


def test_single_files_may_be_given(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b/c.jpg")
    assert [(e.name, e.identity) for e in walk([tmp_path / "a.jpg", tmp_path / "b"]).entries] == [
        ("a.jpg", ""),
        ("b/c.jpg", ""),
    ]


def test_c022_the_order_does_not_depend_on_the_locale(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{folder}/ż{i}.jpg" for folder in ("zeta", "alpha", "Beta", "10", "9", "čech") for i in (2, 1)])
    program = (
        "import sys; from pathlib import Path; from edge_facenet.photos.walk import walk\n"
        "print(ascii([e.name for e in walk([Path(sys.argv[1])]).entries]))"
    )
    found = set()
    for language in ("C", "C.UTF-8", "cs_CZ", "cs_CZ.UTF-8"):
        environment = {
            **os.environ,
            "LC_ALL": language,
            "LANG": language,
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
        }
        found.add(subprocess.check_output([sys.executable, "-c", program, tmp_path], env=environment, text=True))
    assert found == {f"{names(walk([tmp_path]))!a}\n"}


def test_a_folder_that_cannot_be_read_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    real = os.scandir

    def scandir(path: bytes) -> object:
        if path.endswith(b"/a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = walk([tmp_path])
    assert names(listing) == ["b/2.jpg"]
    assert listing.refused[0].photo == "a" and "Permission denied" in listing.refused[0].reason
