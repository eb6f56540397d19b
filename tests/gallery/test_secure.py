"""Encrypted galleries: keys, tampering, what is readable without the key."""

from __future__ import annotations

import base64
import builtins
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_world import KEY, MAKER, closed, filled, on_disk, raw, sample, unit

pytest.importorskip("cryptography", reason="needs the extra [secure]")

from edge_facenet.errors import GalleryDamaged, InputError, MissingExtra, OutputError, WrongKey
from edge_facenet.gallery import Gallery
from edge_facenet.gallery.check import check
from edge_facenet.gallery.secure import make_key, read_key

OTHER = bytes(32)


def test_nothing_of_a_person_is_readable_without_the_key(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=2, key=KEY, crop=True)
    gallery.enroll("Zsófia", [sample(42, source="holiday.jpg", crop=True)])
    for _ in range(2):
        content = on_disk(gallery.path)
        for needle in (unit(42).tobytes(), "Zsófia".encode(), b"holiday", f"{42:064x}".encode(), b"IHDR", KEY):
            assert needle not in content
        closed(gallery)
    again = Gallery.open(gallery.path, MAKER, key=KEY)
    assert [p.name for p in again.people()] == ["P0", "P1", "Zsófia"]
    assert (
        np.array_equal(again.templates().matrix, filled(tmp_path / "plain.db", people=2).templates().matrix[:2])
        is False
    )
    assert again.samples(3)[0].source == "holiday.jpg"
    assert np.array_equal(again.samples(3)[0].vector, unit(42))


def test_a_wrong_a_missing_and_an_unwanted_key_are_three_sentences(tmp_path: Path) -> None:
    sealed, plain = closed(filled(tmp_path / "g.db", key=KEY)), closed(filled(tmp_path / "p.db"))
    before = (sealed.read_bytes(), plain.read_bytes())
    with pytest.raises(WrongKey, match=r"This key does not open gallery .*g\.db: it is another gallery's"):
        Gallery.open(sealed, MAKER, key=OTHER)
    with pytest.raises(WrongKey, match=r"is encrypted\. Name its key file: --key-file FILE"):
        Gallery.open(sealed, MAKER)
    with pytest.raises(WrongKey, match="is not encrypted, so no key opens it"):
        Gallery.open(plain, MAKER, key=KEY)
    with pytest.raises(InputError, match="A key has 32 bytes, found 5"):
        Gallery.open(sealed, MAKER, key=b"short")
    assert before == (sealed.read_bytes(), plain.read_bytes())


COLUMNS = ["vector", "photo", "source", "crop"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("how", ["flip", "swap", "cut", "zeros"])
def test_a_tampered_row_is_noticed(tmp_path: Path, column: str, how: str) -> None:
    path = closed(filled(tmp_path / "g.db", people=2, photos=1, key=KEY, crop=True))
    with raw(path) as connection:
        mine, theirs = (row[0] for row in connection.execute(f"SELECT {column} FROM embeddings ORDER BY id"))
        changed = {
            "flip": mine[:-1] + bytes([mine[-1] ^ 1]),
            "swap": theirs,
            "cut": mine[:10],
            "zeros": bytes(512),
        }[how]
        connection.execute(f"UPDATE embeddings SET {column} = ? WHERE id = 1", (changed,))
    gallery = Gallery.open(path, MAKER, key=KEY)
    (found,) = check(gallery).faults[:1]
    assert (found.person, found.embedding) == (1, 1)
    assert "altered" in found.what
    act = {"vector": gallery.templates, "crop": lambda: None}.get(column, lambda: gallery.samples(1))
    if column != "crop":
        with pytest.raises(GalleryDamaged, match=r"embedding 1 of person 1 was altered, or moved from elsewhere"):
            act()
    assert gallery.samples(2)[0].source == "1000.jpg"  # the others are still there
    assert gallery.forget([1]) == 1
    assert check(gallery).faults == ()
    assert gallery.templates().names == ("P1",)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE embeddings SET person = 3 - person",  # two people exchanged
        "UPDATE embeddings SET rejected = 1 WHERE id = 1",
        f"UPDATE embeddings SET aligner = '{'b' * 64}' WHERE id = 1",
        "UPDATE embeddings SET dimension = 64 WHERE id = 1",
        "UPDATE embeddings SET id = 99 WHERE id = 1",
        "UPDATE embeddings SET vector = x'00' WHERE id = 1",
        "UPDATE people SET uid = 'x' WHERE id = 1",
        "UPDATE people SET name = (SELECT name FROM people WHERE id = 2) WHERE id = 1",
        "UPDATE people SET name = 'Mallory' WHERE id = 1",
    ],
)
def test_a_row_moved_to_another_person_maker_or_number_is_noticed(tmp_path: Path, statement: str) -> None:
    path = closed(filled(tmp_path / "g.db", people=2, photos=1, key=KEY))
    with raw(path) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute(statement)
    gallery = Gallery.open(path, MAKER, key=KEY)
    assert any("altered" in fault.what for fault in check(gallery).faults)
    with pytest.raises(GalleryDamaged, match=r"was altered, or moved from elsewhere, outside edge-facenet"):
        gallery.people()
        gallery.samples(1)
        gallery.samples(2)


def test_a_row_of_another_gallery_under_the_same_key_is_noticed(tmp_path: Path) -> None:
    a, b = (closed(filled(tmp_path / f"{n}.db", people=1, photos=1, key=KEY)) for n in "ab")
    with raw(a) as connection:
        connection.execute("ATTACH ? AS other", (str(b),))
        connection.execute("UPDATE embeddings SET vector = (SELECT vector FROM other.embeddings)")
    with pytest.raises(GalleryDamaged, match="moved from elsewhere"):
        Gallery.open(a, MAKER, key=KEY).templates()


def test_forgetting_in_an_encrypted_gallery_takes_the_sealed_bytes_too(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", key=KEY)
    with raw(gallery.path) as connection:
        (sealed,) = connection.execute("SELECT vector FROM embeddings WHERE id = 1").fetchone()
    gallery.forget([1])
    assert sealed not in on_disk(gallery.path)


def test_without_cryptography_the_cure_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtra, match=r"pip install 'edge-facenet\[secure\]'"):
        Gallery.open(tmp_path / "g.db", MAKER, key=KEY).enroll("A", [sample(1)])
    assert not (tmp_path / "g.db").exists()
    assert Gallery.open(tmp_path / "p.db", MAKER).enroll("A", [sample(1)]).added == 1  # a plain one needs nothing


def test_key_files(tmp_path: Path) -> None:
    made = tmp_path / "keys" / "k"
    make_key(made)
    key = read_key(made)
    assert len(key) == 32
    assert key != KEY
    if os.name != "nt":
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
    with pytest.raises(OutputError, match="a key is never written over"):
        make_key(made)
    assert read_key(made) == key
    for content in (KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b"\r\n", base64.b64encode(KEY) + b"\n"):
        (tmp_path / "x").write_bytes(content)
        assert read_key(tmp_path / "x") == KEY


@pytest.mark.parametrize("content", [b"", b"password\n", KEY[:31], KEY + b"x", b"zz" * 32, bytes(4096)])
def test_a_file_that_is_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=r"is not a key: expected 32 bytes.* edge-facenet gallery key FILE"):
        read_key(tmp_path / "x")
    with pytest.raises(InputError, match="Cannot read key file"):
        read_key(tmp_path / "absent")
    with pytest.raises(InputError, match="Cannot read key file"):
        read_key(tmp_path)
