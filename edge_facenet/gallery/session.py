"""One transaction on an open gallery, and what can be done inside it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import GalleryDamaged, InputError
from ..pixels import Pixels
from ..schema import doc, from_json, to_json
from . import rows
from .people import Enrolled, Maker, Person, Sample, check_vector
from .rows import Face
from .secure import Vault

SAME_FACE = 0.999
"""Two embeddings of one photo nearer than this are one face: engines differ by less than 1e-3, two faces by far more."""


@dataclass(frozen=True)
class Rejected:
    """What one "not this person" did."""

    person: int = doc("id")
    name: str = doc("as stored")
    known: bool = doc("whether it had been said before")
    withdrawn: int = doc("samples of this very face that the person was enrolled with and now is not")


class Session:
    """A connection inside a transaction, and the vault that its values go through."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, where: Path) -> None:
        self.connection = connection
        self.vault = vault
        self.where = where

    def fact(self, key: str) -> bytes | None:
        """A value of the gallery itself."""
        found = self.connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        if found is not None and not isinstance(found[0], bytes):
            raise GalleryDamaged(f"Gallery {self.where} was altered outside edge-facenet: its {key} is no bytes.")
        return None if found is None else found[0]

    def set_fact(self, key: str, value: bytes) -> None:
        """Keep a value."""
        self.connection.execute("INSERT OR REPLACE INTO facts (key, value) VALUES (?, ?)", (key, value))

    def maker(self) -> Maker | None:
        """What made the gallery's embeddings; None while it has none."""
        content = self.fact("maker")
        if content is None or self.connection.execute("SELECT 1 FROM embeddings LIMIT 1").fetchone() is None:
            return None
        try:
            value = json.loads(content)
        except ValueError as error:
            raise GalleryDamaged(f"Gallery {self.where} does not say what made it: it was altered. {error}.") from error
        return from_json(Maker, value, f"maker of gallery {self.where}", GalleryDamaged)

    def set_maker(self, maker: Maker) -> None:
        """State what makes the embeddings from now on."""
        self.set_fact("maker", json.dumps(to_json(maker)).encode())

    def ids(self) -> set[int]:
        """Everybody's ids, without opening a single sealed value."""
        return {number for (number,) in self.connection.execute("SELECT id FROM people")}

    def name(self, person: int) -> str:
        """Raises InputError when nobody has this id."""
        if person not in self.ids():
            raise InputError(
                f"Gallery {self.where} has nobody with id {person}. See who is there: edge-facenet gallery list."
            )
        return rows.names(self.connection, self.vault)[person]

    def faces(self, person: int | None = None) -> list[Face]:
        """Everybody's rows, or one person's."""
        return rows.faces(self.connection, self.vault, person)

    def people(self) -> tuple[Person, ...]:
        """Everybody, by id."""
        maker = self.maker()
        counts: dict[int, list[int]] = {}
        for owner, rejected, current, crop in self._counted(maker):
            row = counts.setdefault(owner, [0, 0, 0, 0])
            row[1 if rejected else 0 if current else 3] += 1
            row[2] += crop
        people = []
        for person in rows.entries(self.connection, self.vault):
            embeddings, rejected, crops, outdated = counts.get(person.id, [0, 0, 0, 0])
            dates = (person.enrolled, person.updated)
            people.append(Person(person.id, person.name, embeddings, *dates, crops, rejected, outdated))
        return tuple(people)

    def _counted(self, maker: Maker | None) -> list[tuple[int, int, int, int]]:
        made_by = (maker.embedder, maker.aligner, maker.dimension) if maker else ("", "", 0)
        return self.connection.execute(
            "SELECT person, rejected, embedder = ? AND aligner = ? AND dimension = ?, crop IS NOT NULL FROM embeddings",
            made_by,
        ).fetchall()

    def target(self, name: str, person: int | None, *, new: bool) -> int | None:
        """The id that an enrolment means; None for somebody new."""
        if person is not None:
            if (found := self.name(person)) != name:
                raise InputError(
                    f"Person {person} of gallery {self.where} is called {found}, not {name}. Give the right id or name."
                )
            return person
        same_name = [number for number, known in rows.names(self.connection, self.vault).items() if known == name]
        if new or not same_name:
            return None
        if len(same_name) > 1:
            ids = ", ".join(map(str, same_name))
            raise InputError(
                f"{len(same_name)} people are called {name}: ids {ids}. Say which one by id, or that it is somebody new."
            )
        return same_name[0]

    def enroll(self, name: str, person: int | None, samples: Sequence[Sample], maker: Maker) -> Enrolled:
        """Add checked samples to `person`, or to somebody new."""
        created = person is None
        number = self.add_person(name) if person is None else person
        stored = [] if created else self.faces(number)
        current = [face for face in stored if face.maker == maker]
        fresh: list[Sample] = []
        bare = set() if created else rows.without_crop(self.connection, number)
        known, refused, pictures = set[int](), 0, 0
        by_photo: dict[str, list[Face | Sample]] = {}
        for face in current:
            by_photo.setdefault(face.photo_sha256, []).append(face)
        for sample in samples:
            seen = by_photo.setdefault(sample.photo_sha256, [])
            twins = [other for other in seen if same(other, sample)]
            refused += any(isinstance(twin, Face) and twin.rejected for twin in twins)
            known |= {twin.id for twin in twins if isinstance(twin, Face)}
            for twin in twins:
                if sample.crop is not None and isinstance(twin, Face) and not twin.rejected and twin.id in bare:
                    rows.keep_crop(self.connection, self.vault, twin, rows.to_png(sample.crop))
                    bare.remove(twin.id)
                    pictures += 1
            if not twins:
                fresh.append(sample)
                seen.append(sample)
        sources = {sample.source for sample in samples if sample.source}
        replaced = [f for f in current if not f.rejected and f.source in sources and f.id not in known]
        counts = bool(fresh) or any(not face.rejected for face in current)
        outdated = [face for face in stored if face.maker != maker and not face.rejected and counts]
        self.remove([*replaced, *outdated])  # those of another network stay until one of this counts
        for sample in fresh:
            self.add(sample, number, maker, rejected=False)
        if fresh or replaced or outdated or pictures:
            self.touch(number)
        left = len([face for face in current if not face.rejected]) - len(replaced) + len(fresh)
        already = len(samples) - len(fresh) - refused
        gone = len(replaced) + len(outdated)
        return Enrolled(number, name, created, len(fresh), already, gone, refused, left, pictures)

    def reject(self, person: int, sample: Sample, maker: Maker) -> Rejected:
        """Remember that a face is not this person."""
        name = self.name(person)
        twins = [face for face in self.faces(person) if face.maker == maker and same(face, sample)]
        withdrawn = self.remove([face for face in twins if not face.rejected])
        known = any(face.rejected for face in twins)
        if not known:
            self.add(sample, person, maker, rejected=True)
            self.touch(person)
        return Rejected(person, name, known, withdrawn)

    def forget(self, people: Iterable[int]) -> None:
        """Delete people and their rows."""
        for number in people:
            self.connection.execute("DELETE FROM embeddings WHERE person = ?", (number,))
            self.connection.execute("DELETE FROM people WHERE id = ?", (number,))
        self.set_fact("sweep", b"1")

    def add_person(self, name: str) -> int:
        """Insert somebody new and give the id."""
        moment = rows.now()
        return rows.add_person(self.connection, self.vault, rows.Entry(0, rows.new_uid(), name, moment, moment))

    def add(self, sample: Sample, person: int, maker: Maker, *, rejected: bool) -> None:
        """Insert one row."""
        crop = None if sample.crop is None else rows.to_png(sample.crop)
        rows.add_face(self.connection, self.vault, rows.face_of(sample, person, maker, rejected=rejected), crop)

    def remove(self, faces: Sequence[Face]) -> int:
        """Delete rows, and remember that the file has to be swept."""
        self.connection.executemany("DELETE FROM embeddings WHERE id = ?", [(face.id,) for face in faces])
        if faces:
            self.set_fact("sweep", b"1")
        return len(faces)

    def touch(self, person: int) -> None:
        """The person was changed now."""
        self.connection.execute("UPDATE people SET updated = ? WHERE id = ?", (rows.now(), person))


def same(a: Face | Sample, b: Sample) -> bool:
    """Whether two rows show one face of one photo."""
    left = a.vector if isinstance(a, Face) else a.embedding
    return (
        a.photo_sha256 == b.photo_sha256
        and left.shape == b.embedding.shape
        and float(left.astype(np.float64) @ b.embedding.astype(np.float64)) >= SAME_FACE
    )


def checked(sample: Sample, maker: Maker, number: int) -> Sample:
    """A sample whose values may be stored.

    Raises:
        InputError: no unit vector of the maker's dimension, no hash, or a crop that is no picture.
    """
    vector = check_vector(sample.embedding, maker.dimension, f"The embedding of sample {number}")
    if not sample.photo_sha256:
        raise InputError(f"Sample {number} does not say which photo it is from. Give the photo's sha256.")
    return Sample(vector, sample.photo_sha256, sample.source, _picture(sample.crop, number))


def _picture(crop: Pixels | None, number: int) -> Pixels | None:
    if crop is not None and (crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or not crop.size):
        raise InputError(f"The crop of sample {number} must be (s, s, 3) uint8 RGB, found {crop.shape} {crop.dtype}.")
    if crop is not None and max(crop.shape) > rows.LARGEST_CROP:
        raise InputError(
            f"The crop of sample {number} is {crop.shape[1]} x {crop.shape[0]} px; at most {rows.LARGEST_CROP} are kept."
        )
    return crop
