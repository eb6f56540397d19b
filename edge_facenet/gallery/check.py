"""What is wrong with a gallery: rows that are no embedding, altered rows, people whose photos do not look alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import GalleryDamaged
from ..schema import doc
from . import rows
from .people import UNREADABLE, Maker, fault
from .rows import Face
from .secure import Vault
from .session import Session
from .store import Gallery


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    person: int | None = doc("id; None for the file itself")
    embedding: int | None = doc("id of the row; None for the person's own")
    what: str = doc("one sentence, without the row's name")


@dataclass(frozen=True)
class Widest:
    """The two photos of a person that look least alike."""

    person: int = doc("id")
    name: str = doc("as stored")
    similarity: float = doc("cosine between the two")
    sources: tuple[str, str] = doc("where the two come from")
    embeddings: tuple[int, int] = doc("ids of the two rows")


@dataclass(frozen=True)
class Checkup:
    """What a look at everything found."""

    path: Path = doc("the gallery")
    people: int = doc("people enrolled")
    embeddings: int = doc("rows, whatever their state")
    faults: tuple[Fault, ...] = doc("nothing here: the gallery is sound")
    widest: tuple[Widest, ...] = doc("one per person with two sound rows, the least alike first")
    lingering: bool = doc("bytes of what was deleted may still be in the file; the next act sweeps them away")


def check(gallery: Gallery) -> Checkup:
    """Look at every row and every kept picture. Nothing is changed.

    Raises:
        GalleryDamaged: the file cannot be read as a gallery at all.
        WrongKey: the gallery needs another key.
    """
    with gallery.reading() as session:
        if session is None:
            return Checkup(gallery.path, 0, 0, (), (), False)
        names, faults = _names(session)
        faces, more = _faces(session)
        faults += more + _strays(faces, names) + _idle(session, faces, names)
        for (line,) in session.connection.execute("PRAGMA integrity_check(20)"):
            if line != "ok":
                faults.append(Fault(None, None, f"the file itself: {line}"))
        total = session.connection.execute("SELECT count(*) FROM embeddings").fetchone()[0]
        maker = session.maker()
        found = sorted(_widest(_sound(faces, maker), names), key=lambda pair: pair.similarity)
        return Checkup(
            gallery.path, len(session.ids()), total, tuple(faults), tuple(found), session.fact("sweep") is not None
        )


def _names(session: Session) -> tuple[dict[int, str], list[Fault]]:
    names, faults = {}, []
    for row in rows.raw_people(session.connection):
        try:
            entry = rows.entry(session.vault, row)
            names[entry.id] = entry.name
            if UNREADABLE in entry.name:
                faults.append(Fault(entry.id, None, "the name cannot be shown: another program wrote it"))
        except GalleryDamaged:
            number = int(str(row[0]))
            names[number] = f"#{number}"
            faults.append(Fault(number, None, "the name was altered outside edge-facenet"))
    return names, faults


def _faces(session: Session) -> tuple[list[Face], list[Fault]]:
    maker = session.maker()
    faces, faults = [], []
    for row in rows.raw_rows(session.connection):
        number, person = int(str(row[0])), row[1] if isinstance(row[1], int) else None
        try:
            face = rows.face(session.vault, row)
        except GalleryDamaged:
            faults.append(Fault(person, number, "was altered, or moved from elsewhere, outside edge-facenet"))
            continue
        faces.append(face)
        what = _wrong(session.vault, session, face, maker)
        faults += [Fault(person, number, what)] if what else []
    return faces, faults


def _wrong(vault: Vault, session: Session, face: Face, maker: Maker | None) -> str | None:
    if face.maker != maker:
        return f"is of another network or aligner ({face.maker}) and never compared; {'reject' if face.rejected else 'enroll'} this photo again"
    if what := fault(face.vector, face.maker.dimension):
        return f"{what}; it is never compared"
    try:
        crop = rows.crop_of(session.connection, vault, face)
        if crop is not None:
            rows.from_png(crop, "this row")
    except GalleryDamaged:
        return "its kept picture is damaged or was altered"
    return None


def _strays(faces: list[Face], names: dict[int, str]) -> list[Fault]:
    return [Fault(face.person, face.id, "belongs to nobody") for face in faces if face.person not in names]


def _idle(session: Session, faces: list[Face], names: dict[int, str]) -> list[Fault]:
    """People who can never be recognised."""
    usable = {face.person for face in _sound(faces, session.maker())}
    return [Fault(number, None, "has no usable embedding; enroll again") for number in names if number not in usable]


def _sound(faces: list[Face], maker: Maker | None) -> list[Face]:
    return [f for f in faces if not f.rejected and f.maker == maker and fault(f.vector, f.maker.dimension) is None]


def _widest(faces: list[Face], names: dict[int, str]) -> Iterator[Widest]:
    groups: dict[int, list[Face]] = {}
    for face in faces:
        groups.setdefault(face.person, []).append(face)
    for person, group in groups.items():
        if len(group) > 1 and person in names:
            table = np.stack([face.vector for face in group])
            scores = table @ table.T
            a, b = (int(k) for k in np.unravel_index(scores.argmin(), scores.shape))
            first, second = group[min(a, b)], group[max(a, b)]
            sources, ids = (first.source, second.source), (first.id, second.id)
            yield Widest(person, names[person], float(scores[a, b]), sources, ids)
