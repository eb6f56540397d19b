"""Files that are no gallery any more, or never were; places that cannot be written to. One sentence each, nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gallery_world import MAKER, as_nobody, closed, filled, raw, sample

from edge_facenet.errors import EdgeFacenetError, GalleryDamaged, InputError, OutputError
from edge_facenet.gallery import Gallery
from edge_facenet.gallery.check import check
from edge_facenet.gallery.transfer import export_gallery, import_gallery


def refused(path: Path, match: str) -> None:
    before = path.read_bytes()
    for readonly in (False, True):
        with pytest.raises(GalleryDamaged, match=match) as caught:
            Gallery.open(path, MAKER, readonly=readonly)
        assert len(str(caught.value)) < 400
    with pytest.raises(GalleryDamaged):
        Gallery.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.8, 0.99])
def test_a_truncated_database(tmp_path: Path, share: float) -> None:
    path = closed(filled(tmp_path / "g.db", people=20))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, r"cut short|damaged|another kind of file")


@pytest.mark.parametrize("lost", [1, 4096])
def test_a_database_that_lost_its_last_bytes(tmp_path: Path, lost: int) -> None:
    path = closed(filled(tmp_path / "g.db", people=20))
    path.write_bytes(path.read_bytes()[:-lost])
    refused(path, r"cut short|damaged")


@pytest.mark.parametrize(
    "content", [b"hello\n", b"x" * 5000, b"\xff\xd8\xff\xe0JFIF" + bytes(3000), b"SQLite format 3\0"]
)
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "g.db").write_bytes(content)
    refused(tmp_path / "g.db", r"another kind of file|damaged")


def test_a_database_of_another_program(tmp_path: Path) -> None:
    with raw(tmp_path / "g.db") as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)")
    refused(tmp_path / "g.db", "of another program, not a gallery")


def test_a_newer_schema(tmp_path: Path) -> None:
    path = closed(filled(tmp_path / "g.db"))
    with raw(path) as connection:
        connection.execute("PRAGMA user_version=2")
    refused(path, "has schema 2, this version reads 1 to 1. Upgrade edge-facenet")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE embeddings",
        "CREATE TRIGGER t AFTER DELETE ON people BEGIN DELETE FROM embeddings; END",
        "CREATE TABLE more (x)",
    ],
)
def test_a_schema_that_somebody_changed(tmp_path: Path, statement: str) -> None:
    path = closed(filled(tmp_path / "g.db"))
    with raw(path) as connection:
        connection.execute(statement)
    refused(path, "altered: it has .* too many or too few")


@pytest.mark.parametrize(
    "statement", ["DELETE FROM facts WHERE key = 'gallery'", "UPDATE facts SET value = 'x' WHERE key = 'maker'"]
)
def test_facts_that_somebody_changed(tmp_path: Path, statement: str) -> None:
    path = closed(filled(tmp_path / "g.db"))
    with raw(path) as connection:
        connection.execute(statement)
    with pytest.raises(GalleryDamaged, match="altered"):
        Gallery.open(path, MAKER)


@pytest.mark.parametrize("seed", range(12))
def test_bytes_overwritten_anywhere_give_a_sentence_or_the_right_answer(tmp_path: Path, seed: int) -> None:
    """Whatever a page of noise hits: an error of the tree, never another exception."""
    path = closed(filled(tmp_path / "g.db", people=20))
    content = bytearray(path.read_bytes())
    start = len(content) * seed // 12 // 4096 * 4096
    content[start : start + 4096] = os.urandom(4096)
    path.write_bytes(bytes(content))
    try:
        gallery = Gallery.open(path, MAKER)
        found = check(gallery)
        gallery.templates()
        gallery.people()
        assert found.faults != () or len(gallery.templates()) == 20
    except EdgeFacenetError as error:
        assert isinstance(error, GalleryDamaged), error


def test_a_file_without_content_is_an_empty_gallery(tmp_path: Path) -> None:
    """A kill between making the file and its first transaction leaves this."""
    (tmp_path / "g.db").touch()
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    assert len(gallery) == 0
    assert gallery.enroll("A", [sample(1)]).person == 1
    connection = sqlite3.connect(tmp_path / "h.db")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    assert Gallery.open(tmp_path / "h.db", MAKER).enroll("A", [sample(1)]).person == 1


def test_a_log_left_by_a_kill_is_taken_in(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db")
    for side in ("", "-wal"):
        shutil.copy(tmp_path / f"g.db{side}", tmp_path / f"h.db{side}")
    assert len(Gallery.open(tmp_path / "h.db", MAKER)) == len(gallery) == 3


def test_a_gallery_behind_a_link_has_its_log_beside_the_file_itself(tmp_path: Path) -> None:
    """Before the first checkpoint the file alone is shorter than it says; its pages are in the log."""
    (tmp_path / "usb").mkdir()
    (tmp_path / "g.db").symlink_to(tmp_path / "usb" / "people.db")
    with pytest.raises(InputError, match="Plug its disk in"):
        Gallery.open(tmp_path / "g.db", MAKER)
    gallery = filled(tmp_path / "usb" / "people.db", people=40)
    assert (tmp_path / "usb" / "people.db-wal").stat().st_size
    (tmp_path / "usb" / "people.db-wal").chmod(0o644)
    assert len(Gallery.open(tmp_path / "g.db", MAKER)) == len(gallery) == 40
    assert (tmp_path / "usb" / "people.db-wal").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("version", [0, -1])
def test_a_schema_that_never_was(tmp_path: Path, version: int) -> None:
    path = closed(filled(tmp_path / "g.db"))
    with raw(path) as connection:
        connection.execute(f"PRAGMA user_version={version}")
    refused(path, f"altered: it has schema {version}")


def test_one_value_that_is_no_text_does_not_close_the_gallery(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db")
    with raw(gallery.path) as connection:
        # "||" makes text of bytes: here 128 values of which the first is NaN
        connection.execute("UPDATE embeddings SET vector = x'0000c07f' || zeroblob(508) WHERE person = 1")
        connection.execute("UPDATE embeddings SET source = CAST(x'fffe' AS TEXT) WHERE person = 2")
    assert list(gallery.templates().ids) == [2, 3]
    found = check(gallery)
    assert {fault.embedding for fault in found.faults if fault.person == 1} == {1, 2, None}
    assert len(export_gallery(gallery, tmp_path / "b").path.read_bytes()) > 0


@pytest.mark.parametrize("name", [b"\xff\x00", 7, "\x1b[2J", "Ada\u202e", ""])
def test_a_name_that_another_program_wrote_reaches_no_terminal(tmp_path: Path, name: object) -> None:
    gallery = filled(tmp_path / "g.db")
    with raw(gallery.path) as connection:
        connection.execute("UPDATE people SET name = ? WHERE id = 1", (name,))
    shown = gallery.find("#1").name
    assert "\ufffd" in shown and shown.isprintable()
    assert gallery.templates().names[0] == shown
    assert [fault.what for fault in check(gallery).faults] == ["the name cannot be shown: another program wrote it"]
    export_gallery(gallery, tmp_path / "b")
    other = Gallery.open(tmp_path / "h.db", MAKER)
    import_gallery(other, tmp_path / "b")
    assert other.find(1).name == shown


@pytest.mark.parametrize("last", [2**63 - 1, -1, "many"])
def test_a_count_of_ids_that_somebody_changed(tmp_path: Path, last: object) -> None:
    gallery = filled(tmp_path / "g.db")
    with raw(gallery.path) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'people'", (last,))
    with pytest.raises(GalleryDamaged, match="last id given in people"):
        gallery.enroll("Anna", [sample(9)])
    assert len(gallery) == 3


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_places_that_are_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("stick/g.db")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(InputError, match="is a device or a pipe"):
            Gallery.open(path, MAKER)
    with pytest.raises(InputError, match=r"is a link to stick/g\.db, which is not there"):
        Gallery.open(tmp_path / "link", MAKER)


def test_a_folder_and_a_path_through_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, a gallery is a file"):
        Gallery.open(tmp_path, MAKER)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is not a folder"):
        Gallery.open(tmp_path / "file" / "g.db", MAKER)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that also another user may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


needs_rights = pytest.mark.skipif(os.name == "nt" or not hasattr(os, "fork"), reason="POSIX rights")


@needs_rights
def test_a_read_only_folder_can_be_read_and_says_why_it_cannot_be_written(open_place: Path) -> None:
    path = closed(filled(open_place / "g.db"))
    path.chmod(0o444)
    open_place.chmod(0o555)
    before = path.read_bytes()
    for readonly in (False, True):
        assert as_nobody(lambda r=readonly: len(Gallery.open(path, MAKER, readonly=r).templates())) == "ok 3"
    for act in (
        lambda: Gallery.open(path, MAKER).enroll("A", [sample(1)]),
        lambda: Gallery.open(path, MAKER).forget([1]),
        lambda: Gallery.open(path, MAKER).reject(1, sample(1)),
    ):
        said = as_nobody(act)
        assert said.startswith("OutputError: "), said
        assert "cannot be read or written" in said
        assert "Nothing was changed" in said
    assert path.read_bytes() == before
    assert len(list(open_place.iterdir())) == 1


@needs_rights
def test_a_place_where_no_gallery_can_be_made(open_place: Path) -> None:
    open_place.chmod(0o555)
    for place in (open_place / "g.db", open_place / "deep" / "g.db"):
        said = as_nobody(lambda p=place: Gallery.open(p, MAKER).enroll("A", [sample(1)]))
        assert said.startswith("OutputError: Cannot make gallery"), said
        assert "--gallery" in said
    assert list(open_place.iterdir()) == []


@needs_rights
def test_a_gallery_that_belongs_to_somebody_else(open_place: Path) -> None:
    path = closed(filled(open_place / "g.db"))
    said = as_nobody(lambda: len(Gallery.open(path, MAKER)))
    if os.geteuid() == 0:
        assert said.startswith("OutputError: "), said


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_facenet.gallery import database

    gallery = filled(tmp_path / "g.db")
    real = database._connect

    def cramped(path: Path, mode: str) -> sqlite3.Connection:
        connection = real(path, mode)
        connection.execute("PRAGMA max_page_count=12")  # SQLite then answers as on a full disk
        return connection

    gallery.close()
    monkeypatch.setattr(database, "_connect", cramped)
    with pytest.raises(OutputError, match=r"The disk is full: gallery .* was not changed"):
        gallery.enroll("A", [sample(k, crop=True) for k in range(20)])
    assert len(gallery) == 3
    assert gallery.forget([1]) == 1


def test_the_file_of_schema_1_is_read(tmp_path: Path) -> None:
    for name, key in (("gallery-v1.db", None), ("gallery-v1-encrypted.db", bytes(range(32)))):
        if key is not None:
            pytest.importorskip("cryptography", reason="needs the extra [secure]")
        shutil.copy(Path(__file__).parent / "old" / name, tmp_path / name)
        gallery = Gallery.open(tmp_path / name, MAKER, key=key)
        assert [(p.id, p.name, p.embeddings, p.rejected, p.crops) for p in gallery.people()] == [
            (1, "Олена", 2, 0, 0),
            (3, "a/b 🦊", 1, 1, 1),
        ]
        assert gallery.templates().names == ("Олена", "a/b 🦊")
        assert [row.vector.tobytes() for row in gallery.samples(3)] == [
            sample(2).embedding.tobytes(),
            sample(3).embedding.tobytes(),
        ]
        assert check(gallery).faults == ()
        assert gallery.enroll("Next", [sample(9)]).person == 4
