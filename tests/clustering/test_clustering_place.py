"""OUT: refused unless it is ours, replaced in one step, and never at the price of a photo."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from edge_facenet import files
from edge_facenet.clustering import place
from edge_facenet.clustering.album import Shot
from edge_facenet.clustering.place import Content, Link, check_place, publish
from edge_facenet.errors import OutputError


def shot(path: Path, name: str | None = None) -> Shot:
    about = path.stat()
    return Shot(name or path.name, os.fsencode(path), files.sha256(path), about.st_size, about.st_mtime_ns)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (folder / name).write_bytes(name.encode() * 50)
    return folder


def content(album: Path, *, copies: bool = False, page: bytes = b"page") -> Content:
    shots = [shot(path) for path in sorted(album.iterdir())]
    links = [Link(f"person-00{1 + k // 2}/{one.name}", one) for k, one in enumerate(shots)]
    return Content(links, {"index.html": page, "thumbs/1.jpg": b"t"}, {}, frozenset(s.sha256 for s in shots), copies)


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def neighbours(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("copies", [False, True])
def test_photos_are_linked_or_copied_and_the_originals_stay(album: Path, tmp_path: Path, copies: bool) -> None:
    before, out = tree(album), tmp_path / "out"
    assert publish(out, content(album, copies=copies)) == (0 if copies else 3)
    assert (out / "person-001/a.jpg").read_bytes() == before["a.jpg"] and (out / "person-002/c.jpg").is_file()
    assert os.path.samefile(out / "person-001/a.jpg", album / "a.jpg") is not copies
    assert tree(album) == before and neighbours(tmp_path) == ["album", "out"]


def test_faces_are_the_owners_alone_until_the_owner_opens_them(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, content(album))
    assert out.stat().st_mode & 0o777 == 0o700
    out.chmod(0o755)
    publish(out, content(album, page=b"another"))
    assert out.stat().st_mode & 0o777 == 0o755


def test_where_links_are_not_to_be_had_photos_are_copied(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    assert publish(tmp_path / "out", content(album)) == 0
    assert (tmp_path / "out/person-001/b.jpg").read_bytes() == (album / "b.jpg").read_bytes()


def test_an_album_read_through_links_is_linked_to_the_files_themselves(album: Path, tmp_path: Path) -> None:
    other = tmp_path / "links"
    other.mkdir()
    for path in album.iterdir():
        (other / path.name).symlink_to(path)
    publish(tmp_path / "out", content(other))
    assert not (tmp_path / "out/person-001/a.jpg").is_symlink()


def test_the_same_again_gives_the_same_bytes(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, content(album))
    first = tree(out)
    check_place(out, album)
    publish(out, content(album))
    assert tree(out) == first


@pytest.mark.parametrize("name", ["notes.txt", "clusters.json", "person-001"])
def test_a_folder_of_something_else_is_refused_and_left_alone(album: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text('{"tool": "another"}')
    for act in (lambda: check_place(out, album), lambda: publish(out, content(album))):
        with pytest.raises(OutputError):
            act()
    assert tree(out) == {name: b'{"tool": "another"}'} and neighbours(tmp_path) == ["album", "out"]


def test_a_file_an_empty_folder_and_the_album_itself(album: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        check_place(tmp_path / "file", album)
    for holder in (album, tmp_path, album / ".." / "album"):
        with pytest.raises(OutputError, match="holds the photos themselves"):
            check_place(holder, album)
    (tmp_path / "empty").mkdir()
    check_place(tmp_path / "empty", album)
    publish(tmp_path / "empty", content(album))
    check_place(album / "sorted", album)  # inside the album is well


# -- nothing of an earlier OUT is lost --------------------------------------------------------------------------------


def replaced(album: Path, out: Path) -> None:
    check_place(out, album)
    publish(out, content(album, page=b"new"))


@pytest.mark.parametrize("copies", [False, True])
def test_the_last_copy_of_a_photo_is_kept(album: Path, tmp_path: Path, copies: bool) -> None:
    """Somebody sorted the album, then deleted from it what he had seen in OUT."""
    out = tmp_path / "out"
    publish(out, content(album, copies=copies))
    (album / "b.jpg").unlink()
    before = tree(out)
    with pytest.raises(OutputError, match=r"b\.jpg is the only one left of this photo"):
        replaced(album, out)
    assert tree(out) == before


def test_what_somebody_put_or_changed_there_is_kept(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, content(album, copies=True))
    (out / "person-001" / "caption.txt").write_text("Anna")
    with pytest.raises(OutputError, match=r"caption\.txt was not written by"):
        replaced(album, out)
    (out / "person-001" / "caption.txt").unlink()
    (out / "index.html").write_text("my own")
    with pytest.raises(OutputError, match=r"index\.html was changed by hand"):
        replaced(album, out)
    (out / "index.html").write_text("page")
    (out / "person-001" / "a.jpg").write_bytes(b"retouched")
    with pytest.raises(OutputError, match=r"a\.jpg is the only one left"):
        replaced(album, out)
    assert (out / "person-001" / "a.jpg").read_bytes() == b"retouched"


def test_a_link_to_a_folder_and_an_empty_folder_that_somebody_put_there_are_kept(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, content(album))
    (tmp_path / "elsewhere").mkdir()
    (out / "person-001" / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"person-001/more was not written by"):
        replaced(album, out)
    (out / "person-001" / "more").unlink()
    (out / "to sort").mkdir()
    with pytest.raises(OutputError, match=r"to sort was not written by"):
        replaced(album, out)
    (out / "to sort").rmdir()
    shutil.rmtree(out / "thumbs")
    (out / "thumbs").symlink_to(tmp_path / "elsewhere")  # under a name of ours
    with pytest.raises(OutputError, match=r"thumbs was not written by"):
        replaced(album, out)
    (out / "thumbs").unlink()
    replaced(album, out)


def test_what_is_in_the_album_still_may_go(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, content(album))
    (album / "a.jpg").write_bytes(b"retouched in place, the link with it")
    (album / "b.jpg").rename(album / "renamed.jpg")
    (out / ".DS_Store").write_bytes(b"x")
    replaced(album, out)
    assert (out / "index.html").read_bytes() == b"new" and not (out / ".DS_Store").exists()
    assert sorted(p.name for p in out.rglob("*.jpg")) == ["1.jpg", "a.jpg", "c.jpg", "renamed.jpg"]


def test_an_album_that_links_into_the_result_is_refused(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, content(album, copies=True))
    (album / "d.jpg").symlink_to(out / "person-001" / "a.jpg")
    (album / "a.jpg").unlink()
    with pytest.raises(OutputError, match="is a link into"):
        replaced(album, out)
    assert (out / "person-001" / "a.jpg").is_file()


def test_a_photo_that_changed_meanwhile_stops_the_run(album: Path, tmp_path: Path) -> None:
    made = content(album)
    (album / "b.jpg").write_bytes(b"another")
    with pytest.raises(OutputError, match=r"'b\.jpg' was changed while"):
        publish(tmp_path / "out", made)
    assert neighbours(tmp_path) == ["album"]


# -- interrupted -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", range(1, 4))
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_run_leaves_what_was_there(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int, error: BaseException
) -> None:
    out = tmp_path / "out"
    publish(out, content(album))
    before, real, calls = tree(out), place._put, []

    def breaks(*words: object) -> bool:
        calls.append(words)
        if len(calls) == when:
            raise error
        return real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(place, "_put", breaks)
    with pytest.raises((KeyboardInterrupt, OutputError)):
        publish(out, content(album, page=b"new"))
    assert tree(out) == before and neighbours(tmp_path) == ["album", "out"]


def test_after_a_kill_between_the_renames_the_old_result_comes_back(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    publish(out, content(album))
    before = tree(out)
    shutil.copytree(out, tmp_path / ".out.edge-facenet-new")  # what a kill leaves
    os.rename(out, tmp_path / ".out.edge-facenet-old")
    check_place(out, album)
    assert tree(out) == before
    replaced(album, out)
    assert neighbours(tmp_path) == ["album", "out"] and (out / "index.html").read_bytes() == b"new"


def test_two_runs_into_one_folder(album: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    out = tmp_path / "out"
    with place._stage(out), pytest.raises(OutputError, match="Another edge-facenet cluster"):
        publish(out, content(album))
    publish(out, content(album))
    assert json.loads((out / "clusters.json").read_bytes())["tool"] == place.TOOL


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place(album: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(OutputError, match="Permission denied"):
        publish(tmp_path / "locked" / "out", content(album))
