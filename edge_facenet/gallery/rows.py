"""Rows of the file to faces and back, through the vault."""

from __future__ import annotations

import dataclasses
import io
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ..errors import GalleryDamaged
from ..pixels import Pixels
from ..schema import doc
from .people import Floats, Maker, Rows, Sample, readable
from .secure import Plain, Vault

_COLUMNS = "id, person, rejected, embedder, aligner, dimension, vector, photo, source, added"
_FLOAT = np.dtype("<f4")
LARGEST_CROP = 1024
"""Side of a kept picture, px: networks take 80 to 224, and a backup that somebody sends must not fill the memory."""
_LAST_ID = 2**63 - 1  # SQLite's


@dataclass(frozen=True, eq=False)
class Face:
    """One stored row."""

    id: int = doc("never used again")
    person: int = doc("id")
    rejected: bool = doc('whether it says "not this person"')
    maker: Maker = doc("what made the vector")
    vector: Floats = doc("as it was found, sound or not")
    photo_sha256: str = doc("of the photo")
    source: str = doc("path or name of the photo")
    added: str = doc("ISO 8601, UTC")

    def place(self) -> str:
        """The row in words, and what it is bound to when it is encrypted."""
        maker = f"{self.maker.embedder};{self.maker.aligner};{self.maker.dimension}"
        return f"embedding {self.id} of person {self.person};{int(self.rejected)};{maker}"


def now() -> str:
    """The time as galleries write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_uid() -> str:
    """A random name for a person or a gallery, the same in every copy."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Entry:
    """A person's own row."""

    id: int = doc("never used again; 0 for the next one")
    uid: str = doc("random, the same in every copy of the gallery")
    name: str = doc("as given, in Unicode NFC")
    enrolled: str = doc("ISO 8601, UTC")
    updated: str = doc("ISO 8601, UTC")


def add_person(connection: sqlite3.Connection, vault: Vault, entry: Entry) -> int:
    """Insert a person and give the id."""
    number = entry.id or _next(connection, "people")
    stored = _store(vault, entry.name, _name_place(number, entry.uid))
    connection.execute(
        "INSERT INTO people (id, uid, name, enrolled, updated) VALUES (?, ?, ?, ?, ?)",
        (number, entry.uid, stored, entry.enrolled, entry.updated),
    )
    return number


def entries(connection: sqlite3.Connection, vault: Vault) -> list[Entry]:
    """Everybody, by id.

    Raises:
        GalleryDamaged: a name does not open.
    """
    return [entry(vault, row) for row in raw_people(connection)]


def entry(vault: Vault, row: tuple[object, ...]) -> Entry:
    """A row of `raw_people` as a person."""
    number, uid, name, enrolled, updated = row
    place = _name_place(_int(number), str(uid))
    return Entry(_int(number), str(uid), readable(_load(vault, name, place)), str(enrolled), str(updated))


def raw_people(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Everybody as they stand, for `entry` to open one by one."""
    return connection.execute("SELECT id, uid, name, enrolled, updated FROM people ORDER BY id").fetchall()


def names(connection: sqlite3.Connection, vault: Vault) -> dict[int, str]:
    """id -> name of everybody, by id."""
    return {person.id: person.name for person in entries(connection, vault)}


def sequence(connection: sqlite3.Connection, table: str) -> int:
    """The highest id ever given; 0 for none."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    number = 0 if found is None else found[0]
    if not isinstance(number, int) or not 0 <= number < _LAST_ID:
        raise GalleryDamaged(
            f"This gallery was altered outside edge-facenet: the last id given in {table} is {number!r}. Nothing was changed; "
            "put a backup in its place."
        )
    return number


def add_face(connection: sqlite3.Connection, vault: Vault, face: Face, crop: bytes | None) -> None:
    """Insert a row; `face.id` 0 means the next one."""
    number = face.id or _next(connection, "embeddings")
    place = dataclasses.replace(face, id=number).place()
    connection.execute(
        f"INSERT INTO embeddings ({_COLUMNS}, crop) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            face.person,
            int(face.rejected),
            face.maker.embedder,
            face.maker.aligner,
            face.maker.dimension,
            vault.seal(face.vector.astype(_FLOAT).tobytes(), f"{place};vector"),
            _store(vault, face.photo_sha256, f"{place};photo"),
            _store(vault, face.source, f"{place};source"),
            face.added,
            None if crop is None else vault.seal(crop, f"{place};crop"),
        ),
    )


def face_of(sample: Sample, person: int, maker: Maker, *, rejected: bool) -> Face:
    """A sample on its way into the file."""
    return Face(0, person, rejected, maker, sample.embedding, sample.photo_sha256, sample.source, now())


def faces(connection: sqlite3.Connection, vault: Vault, person: int | None = None) -> list[Face]:
    """Every row, or one person's, in the order in which they came.

    Raises:
        GalleryDamaged: a row does not open.
    """
    where, values = ("", ()) if person is None else (" WHERE person = ?", (person,))
    found = connection.execute(f"SELECT {_COLUMNS} FROM embeddings{where} ORDER BY id", values)
    return [face(vault, row) for row in found]


def face(vault: Vault, row: tuple[object, ...]) -> Face:
    """A row of `COLUMNS` as a face."""
    number, person, rejected, embedder, aligner, dimension, vector, photo, source, added = row
    maker = Maker(str(embedder), str(aligner), _int(dimension))
    bare = Face(_int(number), _int(person), bool(rejected), maker, np.empty(0, np.float32), "", "", str(added))
    place = bare.place()
    return Face(
        bare.id,
        bare.person,
        bare.rejected,
        maker,
        _floats(vault.open(vector, f"{place};vector")),
        _load(vault, photo, f"{place};photo"),
        _load(vault, source, f"{place};source"),
        bare.added,
    )


def crop_of(connection: sqlite3.Connection, vault: Vault, face: Face) -> bytes | None:
    """The kept picture of a row, PNG."""
    (sealed,) = connection.execute("SELECT crop FROM embeddings WHERE id = ?", (face.id,)).fetchone()
    return None if sealed is None else vault.open(sealed, f"{face.place()};crop")


def without_crop(connection: sqlite3.Connection, person: int) -> set[int]:
    """Ids of somebody's rows that have no picture."""
    found = connection.execute("SELECT id FROM embeddings WHERE person = ? AND crop IS NULL", (person,))
    return {_int(number) for (number,) in found}


def keep_crop(connection: sqlite3.Connection, vault: Vault, face: Face, crop: bytes) -> None:
    """Give a row its picture, PNG."""
    sealed = vault.seal(crop, f"{face.place()};crop")
    connection.execute("UPDATE embeddings SET crop = ? WHERE id = ?", (sealed, face.id))


def raw_rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Every row as it stands, for `face` to open one by one."""
    return connection.execute(f"SELECT {_COLUMNS} FROM embeddings ORDER BY id").fetchall()


def vectors(connection: sqlite3.Connection, vault: Vault, maker: Maker) -> Rows:
    """All of a maker's rows that have the right number of bytes."""
    found = connection.execute(
        "SELECT id, person, rejected, vector FROM embeddings WHERE embedder = ? AND aligner = ? AND dimension = ? ORDER BY id",
        (maker.embedder, maker.aligner, maker.dimension),
    ).fetchall()
    nothing = np.empty(0, np.float32)
    people, rejected, contents = [], [], []
    for number, person, turned_down, vector in found:
        place = Face(_int(number), _int(person), bool(turned_down), maker, nothing, "", "", "").place()
        content = vault.open(vector, f"{place};vector")
        if len(content) == maker.dimension * _FLOAT.itemsize:
            people.append(_int(person))
            rejected.append(bool(turned_down))
            contents.append(content)
    table = np.frombuffer(b"".join(contents), _FLOAT).astype(np.float32).reshape(-1, maker.dimension)
    return Rows(np.array(people, np.int64), np.array(rejected, bool), table)


def to_png(crop: Pixels) -> bytes:
    """A crop as PNG: lossless, so that embedding it again gives what embedding it first gave."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(crop).save(stream, "PNG")
    return stream.getvalue()


def from_png(content: bytes, what: str) -> Pixels:
    """(s, s, 3) uint8 RGB.

    Raises:
        GalleryDamaged: not a picture.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if max(picture.size) > LARGEST_CROP:
                raise ValueError(f"{picture.width} x {picture.height} px, at most {LARGEST_CROP} are kept")
            return np.asarray(picture.convert("RGB"))
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ) as error:  # what Pillow raises on a broken PNG
        raise GalleryDamaged(f"The kept picture of {what} is damaged ({error}). Enroll this photo again.") from error


def _next(connection: sqlite3.Connection, table: str) -> int:
    """The number AUTOINCREMENT would give; the row is bound to it before it is written."""
    return sequence(connection, table) + 1


def _name_place(number: int, uid: str) -> str:
    return f"the name of person {number};{uid}"


def _store(vault: Vault, text: str, place: str) -> bytes | str:
    """Text stays text in a plain gallery, so that any SQLite program shows it."""
    content = text.encode("utf-8", "surrogateescape")
    if not isinstance(vault, Plain):
        return vault.seal(content, place)
    return content if any("\ud800" <= c <= "\udfff" for c in text) else text  # a file name need not be valid text


def _load(vault: Vault, stored: object, place: str) -> str:
    return vault.open(stored, place).decode("utf-8", "surrogateescape")


def _floats(content: bytes) -> Floats:
    whole = len(content) // _FLOAT.itemsize * _FLOAT.itemsize
    return np.frombuffer(content[:whole], _FLOAT).astype(np.float32)


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
