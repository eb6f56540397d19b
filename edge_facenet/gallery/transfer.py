"""Backups: the whole gallery in one portable file, plain or encrypted, and back.

The file is itself a gallery of the same schema without side files, closed by a seal: a hash over everything it holds, kept
in the vault. A person keeps a random name of its own (`uid`) in every copy, so that importing twice adds nobody twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import GalleryDamaged, GalleryMismatch, InputError, OutputError
from ..schema import doc
from . import rows
from .database import SIDES, connect, create, reported, transaction
from .rows import Face
from .secure import mark_of, open_vault
from .session import SAME_FACE, Session
from .store import Gallery

_SEAL_PLACE = "the seal of the backup"


@dataclass(frozen=True)
class Exported:
    """What went into a backup."""

    path: Path = doc("the backup")
    people: int = doc("people in it")
    embeddings: int = doc("their rows")
    crops: int = doc("rows with a kept picture")
    encrypted: bool = doc("whether it needs a key")


@dataclass(frozen=True)
class Imported:
    """What came out of a backup."""

    people: int = doc("people who are new here")
    merged: int = doc("people who were here already, by their origin and not by their name")
    added: int = doc("rows added")
    known: int = doc("rows that were here already, or that are not this person by what was said here")


def export_gallery(gallery: Gallery, path: Path, *, key: bytes | None = None) -> Exported:
    """Write everything into one new file.

    Args:
        path: must not exist.
        key: encrypts the backup; None leaves it in plain, also that of an encrypted gallery.
    Raises:
        InputError: the gallery is empty.
        OutputError: `path` exists or cannot be written; nothing is left there.
        GalleryDamaged: a row of the gallery was altered.
    """
    with gallery.reading() as source:
        if source is None or not source.ids():
            raise InputError(f"Gallery {gallery.path} is empty: there is nothing to export.")
        with _new_file(path, key) as target:
            _fill(source, target)
        people = source.people()
        faces = sum(person.embeddings + person.rejected + person.outdated for person in people)
        return Exported(path, len(people), faces, sum(person.crops for person in people), key is not None)


def import_gallery(gallery: Gallery, path: Path, *, key: bytes | None = None) -> Imported:
    """Add a backup's people to a gallery, all of them or none. Into a new gallery they keep their ids.

    Args:
        path: a backup, or another gallery.
        key: of the backup.
    Raises:
        InputError: no such file, or nobody in it.
        GalleryDamaged: cut short or altered.
        WrongKey: the backup needs another key.
        GalleryMismatch: its embeddings were made by another network or aligner than the gallery's.
    """
    if not path.is_file():
        raise InputError(f"There is no backup {path}. Give a file that edge-facenet gallery export wrote.")
    if gallery.path.exists() and path.samefile(gallery.path):
        raise InputError(f"{path} is this very gallery. Give a backup of it, or another gallery.")
    backup = Gallery.open(path, key=key, readonly=True)
    try:
        with backup.reading() as source:
            if source is None or not source.ids():
                raise InputError(f"There is nobody in {path}: nothing was imported.")
            _verify(source, path)
            with gallery.writing() as target:
                gallery.check_maker(source)
                _check_makers(source, target, path)
                return _merge(source, target)
    finally:
        backup.close()


@contextlib.contextmanager
def _new_file(path: Path, key: bytes | None) -> Iterator[Session]:
    """An empty gallery beside `path` that becomes it when the block ends without an error."""
    if path.exists() or path.is_symlink():
        raise OutputError(f"{path} exists; a backup is never written over. Give a new name.")
    temporary = path.with_name(f".{path.name}.writing")
    _clear(temporary, path)
    _claim(temporary, path)
    uid = rows.new_uid()
    mark = None if key is None else mark_of(key, uid, path)
    try:
        create(temporary, {"gallery": uid.encode(), **({"key": mark} if mark else {})})
        with contextlib.closing(connect(temporary, readonly=False)) as connection:
            with transaction(connection, "BEGIN IMMEDIATE"):
                yield Session(connection, open_vault(key, uid, mark, path), path)
            connection.execute("PRAGMA journal_mode=DELETE")  # one file, also where it can only be read
        _put(temporary, path)
    except sqlite3.Error:
        with reported(path):
            raise
    finally:
        _remove(temporary)


def _clear(temporary: Path, path: Path) -> None:
    """Remove what an export that was killed left: faces that nobody would find, and nobody forget."""
    if not os.path.lexists(temporary):
        return
    with (
        contextlib.suppress(sqlite3.DatabaseError),
        contextlib.closing(connect(temporary, readonly=False)) as connection,
    ):
        connection.execute("PRAGMA busy_timeout=0")
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise OutputError(f"Another export is writing {path}. Wait until it has finished.") from error
    _remove(temporary)


def _claim(temporary: Path, path: Path) -> None:
    """The file is ours and new: in a folder that others write to, its name may be a link that waits for us."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error} ({temporary.name}). Give another place."
        ) from error


def _remove(temporary: Path) -> None:
    for side in ("", *SIDES):
        with contextlib.suppress(OSError):
            temporary.with_name(temporary.name + side).unlink()


def _put(temporary: Path, path: Path) -> None:
    try:
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}. Nothing was left there.") from error


def _fill(source: Session, target: Session) -> None:
    for person in rows.entries(source.connection, source.vault):
        rows.add_person(target.connection, target.vault, person)
    for face in source.faces():
        rows.add_face(target.connection, target.vault, face, rows.crop_of(source.connection, source.vault, face))
    if maker := source.fact("maker"):
        target.set_fact("maker", maker)
    _keep_sequence(source, target)
    target.set_fact("seal", target.vault.seal(_digest(source), _SEAL_PLACE))


def _digest(session: Session) -> bytes:
    """sha256 over everything that a gallery knows of people."""
    digest = hashlib.sha256()
    for person in rows.entries(session.connection, session.vault):
        digest.update(repr(dataclasses.astuple(person)).encode())
    for face in session.faces():
        crop = rows.crop_of(session.connection, session.vault, face)
        digest.update(
            f"{face.place()};{face.photo_sha256};{face.source!r};{face.added}".encode("utf-8", "surrogateescape")
        )
        digest.update(face.vector.tobytes())
        digest.update(hashlib.sha256(crop or b"").digest())
    return digest.digest()


def _verify(source: Session, path: Path) -> None:
    """A backup holds what it was sealed with; a gallery that is no backup has no seal, and its rows are read once."""
    digest = _digest(source)
    seal = source.fact("seal")
    if seal is not None and source.vault.open(seal, _SEAL_PLACE) != digest:
        raise GalleryDamaged(
            f"Backup {path} was altered after it was written. Nothing was imported; use another backup."
        )


def _check_makers(source: Session, target: Session, path: Path) -> None:
    theirs, ours = source.maker(), target.maker()
    if theirs is None:
        return
    if ours is None:
        target.set_maker(theirs)
    elif theirs != ours:
        raise GalleryMismatch(
            f"Backup {path} was made by {theirs}, the gallery by {ours}; such embeddings cannot be compared. Nothing was imported. "
            "Import it into a new gallery (--gallery NEW) and type edge-facenet gallery migrate --gallery NEW first."
        )


def _merge(source: Session, target: Session) -> Imported:
    """Everybody, under the ids they had where those were never used here."""
    here = {person.uid: person.id for person in rows.entries(target.connection, target.vault)}
    virgin = rows.sequence(target.connection, "people") == 0
    place: dict[int, int] = {}
    for person in rows.entries(source.connection, source.vault):
        free = person.id > rows.sequence(target.connection, "people")
        entry = dataclasses.replace(person, id=person.id if free else 0)
        place[person.id] = here.get(person.uid) or rows.add_person(target.connection, target.vault, entry)
    merged = sum(number in here.values() for number in place.values())
    added = known_rows = 0
    for old, new in place.items():
        brought = source.faces(old)
        stored: dict[str, list[Face]] = {}
        for face in target.faces(new):
            stored.setdefault(face.photo_sha256, []).append(face)
        for face in brought:
            twins = [other for other in stored.get(face.photo_sha256, []) if _equal(face, other)]
            if any(twin.rejected or not face.rejected for twin in twins):  # "not this person" outlives an older backup
                known_rows += 1
                continue
            target.remove(twins)
            crop = rows.crop_of(source.connection, source.vault, face)
            rows.add_face(target.connection, target.vault, dataclasses.replace(face, id=0, person=new), crop)
            added += 1
    if virgin:
        _keep_sequence(source, target)
    return Imported(len(place) - merged, merged, added, known_rows)


def _equal(a: Face, b: Face) -> bool:
    """Whether two rows are one face of one photo, whatever each says of it."""
    alike = (a.maker, a.photo_sha256, len(a.vector)) == (b.maker, b.photo_sha256, len(b.vector))
    return alike and (float(a.vector @ b.vector) >= SAME_FACE or a.vector.tobytes() == b.vector.tobytes())


def _keep_sequence(source: Session, target: Session) -> None:
    """Ids of people forgotten before the backup are not given again either."""
    for table in ("people", "embeddings"):
        highest = rows.sequence(source.connection, table)
        if highest > rows.sequence(target.connection, table):
            target.connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            target.connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, highest))
