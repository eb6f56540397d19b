"""The gallery: who is enrolled. One SQLite file; every act is one transaction.

Forgetting forgets: what is deleted is overwritten, the file written anew and the log emptied. Where that was cut short
(a kill, somebody reading for long) the file remembers, and the next act does it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from .. import files
from ..errors import ConfigError, GalleryDamaged, GalleryMismatch, InputError
from . import rows
from .database import Database
from .people import Enrolled, Maker, Person, Rows, Sample, Templates, build_templates, check_name, named
from .rows import Face
from .secure import Vault, mark_of, open_vault
from .session import Rejected, Session, checked


def default_path() -> Path:
    """Where the gallery lies when nobody names another place."""
    return files.user_data_folder() / "gallery.db"


class Gallery:
    """Who is enrolled. Safe to use from several threads, after a fork, and beside other processes."""

    def __init__(self, path: Path, maker: Maker | None, key: bytes | None, *, readonly: bool) -> None:
        """Use `Gallery.open`."""
        self.path = path
        self.maker = maker
        self._key = key
        self._database = Database(path, self._first, readonly=readonly)
        self._vault: tuple[bytes, Vault] | None = None
        self._templates: tuple[tuple[int, ...], Templates] | None = None

    @classmethod
    def open(
        cls, path: Path, maker: Maker | None = None, *, key: bytes | None = None, readonly: bool = False
    ) -> Gallery:
        """Open a gallery; the file is made by the first enrolment.

        Args:
            maker: what makes the embeddings that will be enrolled and compared; None to look and forget only.
            key: 32 bytes (`secure.read_key`) of an encrypted gallery; with it a new gallery is encrypted.
        Raises:
            GalleryMismatch: the gallery was made by another network or aligner.
            GalleryDamaged: cut short, altered, or not a gallery.
            WrongKey: another key is needed, or one, or none.
        """
        gallery = cls(Path(path), maker, key, readonly=readonly)
        with gallery.reading() as session:
            gallery.check_maker(session)
        return gallery

    def close(self) -> None:
        """Let go of the file. Using the gallery again opens it again."""
        self._database.close()
        self._templates = None

    def __len__(self) -> int:
        """People enrolled."""
        return len(self.ids())

    def people(self) -> tuple[Person, ...]:
        """Everybody, by id."""
        with self.reading() as session:
            return () if session is None else session.people()

    def ids(self) -> set[int]:
        """Everybody's ids; found also where names were altered."""
        with self.reading() as session:
            return set() if session is None else session.ids()

    def find(self, who: str | int) -> Person:
        """A person by id, by name, or by "#id".

        Raises:
            InputError: nobody, or several people of this name (with their ids).
        """
        return named(self.people(), who, str(self.path))

    def samples(self, person: int, *, bare: bool = False) -> tuple[Face, ...]:
        """A person's rows, rejected ones too, without pictures.

        Args:
            bare: only those of which no picture is kept.
        Raises:
            InputError: nobody has this id.
        """
        with self.reading() as session:
            if session is None:
                raise InputError(f"Gallery {self.path} is empty: there is nobody with id {person}.")
            session.name(person)
            wanted = rows.without_crop(session.connection, person) if bare else None
            return tuple(face for face in session.faces(person) if wanted is None or face.id in wanted)

    def templates(self) -> Templates:
        """Everything a search needs; read again only when somebody changed the gallery.

        Raises:
            GalleryMismatch: another process has migrated the gallery to another network.
            GalleryDamaged: a row of an encrypted gallery was altered.
        """
        with self._database.held():  # a change by another thread comes before or after all of this
            version = self._database.version()
            if self._templates is not None and self._templates[0] == version:
                return self._templates[1]
            with self.reading() as session:  # one by another process after `version` was read is seen at the next call
                self.check_maker(session)
                found = self._read_templates(session)
            self._templates = (version, found)
            return found

    def enroll(self, name: str, samples: Sequence[Sample], *, person: int | None = None, new: bool = False) -> Enrolled:
        """Add faces to a person, new or known; all of them or, when anything fails, none.

        Without `person`, a name that nobody has makes a new person and a name that one person has means that person.
        Equal photo and embedding are counted as known. Photos of a source that the person already has replace the older
        ones. Faces marked as "not this person" stay out.

        Args:
            person: id of the one who is meant, where several have this name.
            new: make another person, even when the name is taken.
        Raises:
            InputError: no samples, a bad name or embedding, several people of this name.
            GalleryMismatch: the gallery was made by another network or aligner.
            OutputError: read-only, full, or busy.
        """
        maker = self._own_maker()
        text = check_name(name)
        sound = [checked(sample, maker, k) for k, sample in enumerate(samples)]
        if not sound:
            raise InputError(f"There is no face to enroll {text} with. Give at least one.")
        with self.writing() as session:
            self.check_maker(session)
            session.set_maker(maker)
            return session.enroll(text, session.target(text, person, new=new), sound, maker)

    def forget(self, ids: Iterable[int]) -> int:
        """Delete people with everything known of them, from the file and its side files; gives how many.

        Raises:
            InputError: an id that nobody has; then nobody is forgotten.
        """
        wanted = sorted(set(ids))
        with self.reading() as session:
            self._all_there(wanted, session)
        if not wanted:
            return 0
        with self.writing() as session:
            self._all_there(wanted, session)
            session.forget(wanted)
        return len(wanted)

    def reject(self, person: int, sample: Sample) -> Rejected:
        """Remember that a face is not this person, for good; enrolled samples of the very same face are withdrawn."""
        maker = self._own_maker()
        sound = checked(sample, maker, 0)
        with self.reading() as known:
            self._all_there([person], known)
        with self.writing() as session:
            self.check_maker(session)
            session.set_maker(maker)
            return session.reject(person, sound, maker)

    def accept(self, person: int) -> int:
        """Take back every "not this person" of a person; gives how many."""
        with self.reading() as known:
            self._all_there([person], known)
        with self.writing() as session:
            return session.remove([face for face in session.faces(person) if face.rejected])

    @property
    def lingering(self) -> bool:
        """Whether bytes of what was deleted may still be in the file or its log; the next act sweeps them away."""
        with self.reading() as session:
            return session is not None and session.fact("sweep") is not None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session | None]:
        """One read transaction; None while there is no gallery."""
        with self._database.read() as connection:
            yield None if connection is None else self._session(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """One write transaction, swept afterwards when something was deleted."""
        with self._database.held():
            with self._database.write() as connection:
                session = self._session(connection)
                connection.execute("DELETE FROM facts WHERE key = 'seal'")  # a backup that is changed is a gallery
                yield session
                due = session.fact("sweep") is not None
            self._templates = None
            if due and self._database.sweep():
                with self._database.write() as connection:
                    connection.execute("DELETE FROM facts WHERE key = 'sweep'")

    def check_maker(self, session: Session | None) -> None:
        """Raises GalleryMismatch when what is in the gallery may not be compared with this maker's embeddings."""
        found = None if session is None else session.maker()
        if self.maker is None or found is None or found == self.maker:
            return
        fields = {"embedder": "network", "aligner": "aligner", "dimension": "dimension"}
        differing = [word for field, word in fields.items() if getattr(found, field) != getattr(self.maker, field)]
        raise GalleryMismatch(
            f"Gallery {self.path} is of another {' and '.join(differing)}: it was made by {found}, in use is {self.maker}; such "
            "embeddings cannot be compared. Give the model it was made with, or type: edge-facenet gallery migrate --gallery "
            f"{self.path} --model MODEL, and enroll those again whom it names: edge-facenet enroll NAME PHOTOS."
        )

    def _session(self, connection: sqlite3.Connection) -> Session:
        facts = dict(connection.execute("SELECT key, value FROM facts WHERE key IN ('gallery', 'key')").fetchall())
        uid = facts.get("gallery")
        if not isinstance(uid, bytes):
            raise GalleryDamaged(
                f"Gallery {self.path} was altered: it has no name of its own. Put a backup in its place."
            )
        if self._vault is None or self._vault[0] != uid:
            self._vault = (uid, open_vault(self._key, uid.decode(errors="replace"), facts.get("key"), self.path))
        return Session(connection, self._vault[1], self.path)

    def _first(self) -> dict[str, bytes]:
        """What a new gallery begins with: a name of its own and, when encrypted, the mark its key is known by."""
        uid = rows.new_uid()
        mark = {} if self._key is None else {"key": mark_of(self._key, uid, self.path)}
        return {"gallery": uid.encode(), **mark}

    def _own_maker(self) -> Maker:
        if self.maker is None:
            raise ConfigError("Storing an embedding needs to know what made it. Open the gallery with its maker.")
        return self.maker

    def _all_there(self, ids: Sequence[int], session: Session | None) -> None:
        known = set() if session is None else session.ids()
        unknown = ", ".join(str(number) for number in ids if number not in known)
        if unknown:
            what = f"has nobody with id {unknown}" if known else f"is empty, it has nobody with id {unknown}"
            raise InputError(
                f"Gallery {self.path} {what}. Nothing was changed; see who is there: edge-facenet gallery list."
            )

    def _read_templates(self, session: Session | None) -> Templates:
        maker = None if session is None else session.maker()
        if session is None or maker is None:
            none = np.empty((0, self.maker.dimension if self.maker else 0), np.float32)
            return build_templates({}, Rows(np.empty(0, np.int64), np.empty(0, bool), none))
        people = rows.names(session.connection, session.vault)
        return build_templates(people, rows.vectors(session.connection, session.vault, maker))
