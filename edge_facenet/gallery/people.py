"""What a gallery holds and hands out: people, samples of their faces, templates; and the rules for names and vectors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..pixels import Pixels
from ..schema import doc

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
T = TypeVar("T", bound=np.generic)

NAME_LENGTH = 200
NAME_RULE = (
    f"A name has 1 to {NAME_LENGTH} characters, at least one of them visible, and no control characters, line breaks, "
    "characters that nobody sees, or marks that turn the direction of writing"
)
UNIT_SLACK = 1e-3
"""How far from 1 the length of an embedding may be: rounding to half precision moves it by at most 5e-4."""
SHORTEST_MEAN = 1e-3
"""A mean shorter than this points nowhere: embeddings that cancel each other are no template."""
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})
# With these two people would have names that look the same. What scripts and emoji need stays: joiners and variation
# selectors (but not beside Latin letters), Mongolian's own, and the tags that spell the flags of England, Scotland, Wales.
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200b\u200e\u200f\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
    "|(?:^|[\x20-\x7e])[\u200c\u200d]|[\u200c\u200d](?:$|[\x20-\x7e])|[A-Za-z][\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
UNREADABLE = "\ufffd"


@dataclass(frozen=True)
class Maker:
    """What made an embedding. Only embeddings of equal makers may be compared."""

    embedder: str = doc("fingerprint of the network: graph, pixels, template, norm")
    aligner: str = doc("fingerprint of what finds and cuts the face")
    dimension: int = doc("length of an embedding")

    def __str__(self) -> str:
        return f"network {self.embedder[:12]}, aligner {self.aligner[:12]}, dimension {self.dimension}"


@dataclass(frozen=True)
class Person:
    """One enrolled person, without vectors."""

    id: int = doc("never used again, not even after the person was forgotten")
    name: str = doc("as given, in Unicode NFC; several people may have one name")
    embeddings: int = doc("rows that count for the template's maker")
    enrolled: str = doc("ISO 8601, UTC")
    updated: str = doc("ISO 8601, UTC: the last row that came or went")
    crops: int = doc("rows with a kept picture")
    rejected: int = doc('faces marked as "not this person"')
    outdated: int = doc("rows of another network or aligner; they are never compared", 0)


@dataclass(frozen=True, eq=False)
class Sample:
    """One face: its embedding and where it comes from."""

    embedding: Floats = doc("(d,) float32, unit length")
    photo_sha256: str = doc("hex digest of the photo's bytes (of a frame: of its pixels)")
    source: str = doc("path or name of the photo; a later photo of the same source replaces it", "")
    crop: Pixels | None = doc("(s, s, 3) uint8 RGB, kept only when the owner asked for it", None)


@dataclass(frozen=True)
class Enrolled:
    """What one enrolment did."""

    person: int = doc("id")
    name: str = doc("as stored")
    created: bool = doc("whether the person is new")
    added: int = doc("samples stored")
    known: int = doc("samples that were there already: equal photo and embedding")
    replaced: int = doc("older samples that gave way to another photo of the same source, or to this network's")
    refused: int = doc('samples left out because they were marked as "not this person"')
    embeddings: int = doc("the person's samples now")
    pictures: int = doc("samples known without a picture that have one now", 0)


@dataclass(frozen=True, eq=False)
class Templates:
    """Everything a search needs, in arrays that nobody may write to. People without a usable embedding are not in it."""

    ids: Indices = doc("(p,) int64, ascending")
    names: tuple[str, ...] = doc("(p,)")
    matrix: Floats = doc("(p, d) float32: one template a person, unit length")
    embeddings: Floats = doc("(n, d) float32: every usable embedding")
    owner: Indices = doc("(n,) int64: row of `matrix` that each belongs to, ascending")
    rejected: Floats = doc("(r, d) float32: faces that are not this person")
    rejected_owner: Indices = doc("(r,) int64: row of `matrix` that each is not")

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Rows:
    """Stored rows in arrays, sound or not."""

    person: Indices = doc("(k,) int64: ids")
    rejected: npt.NDArray[np.bool_] = doc('(k,) whether the row says "not this person"')
    vectors: Floats = doc("(k, d) float32")


def build_templates(names: dict[int, str], rows: Rows) -> Templates:
    """Templates: the renormalised mean of each person's unit embeddings, in float64, rounded to float32.

    Rows that are no embedding (zeros, not finite, another length than 1) are left out, as are rows of people without a
    name in `names`.
    """
    good = sound(rows.vectors) & np.isin(rows.person, np.array(list(names), np.int64))
    order = np.argsort(rows.person, kind="stable")
    enrolled = order[good[order] & ~rows.rejected[order]]
    turned_down = order[good[order] & rows.rejected[order]]
    embeddings, owners = rows.vectors[enrolled], rows.person[enrolled]
    ids, starts = np.unique(owners, return_index=True)
    means = (
        np.add.reduceat(embeddings.astype(np.float64), starts, axis=0) if len(ids) else np.empty_like(embeddings, float)
    )
    means /= np.diff(np.append(starts, len(owners)))[:, None]
    lengths = np.linalg.norm(means, axis=1)
    usable = lengths >= SHORTEST_MEAN
    ids = ids[usable]
    kept, turned_down = np.isin(owners, ids), turned_down[np.isin(rows.person[turned_down], ids)]
    return Templates(
        ids=_frozen(ids),
        names=tuple(names[int(i)] for i in ids),
        matrix=_frozen((means[usable] / lengths[usable, None]).astype(np.float32)),
        embeddings=_frozen(embeddings[kept]),
        owner=_frozen(np.searchsorted(ids, owners[kept])),
        rejected=_frozen(rows.vectors[turned_down]),
        rejected_owner=_frozen(np.searchsorted(ids, rows.person[turned_down])),
    )


def sound(vectors: Floats) -> npt.NDArray[np.bool_]:
    """(k,) which of (k, d) vectors may be compared."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    good: npt.NDArray[np.bool_] = np.abs(lengths - 1) <= UNIT_SLACK  # NaN is not
    return good


def fault(vector: npt.NDArray[np.floating], dimension: int) -> str | None:
    """Why this must not be compared with anything, or None."""
    if vector.shape != (dimension,):
        return f"has shape {vector.shape}, expected ({dimension},)"
    if not np.isfinite(vector).all():
        return "holds values that are not finite"
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if length == 0.0:
        return "is all zeros"
    return None if abs(length - 1) <= UNIT_SLACK else f"has length {length:.4f}, expected 1 ± {UNIT_SLACK}"


def check_vector(vector: npt.ArrayLike, dimension: int, what: str) -> Floats:
    """(d,) float32 of unit length, or InputError."""
    array = np.asarray(vector)
    wrong = "is not made of numbers" if array.dtype.kind not in "fiu" else fault(array, dimension)
    if wrong is not None:
        raise InputError(f"{what} {wrong}. Take it from an Embedder, which gives rows of unit length.")
    return np.ascontiguousarray(array, np.float32)


def named(people: Iterable[Person], who: str | int, where: str) -> Person:
    """The one person meant by an id, a name, or "#id".

    Raises:
        InputError: nobody, or several (with their ids).
    """
    everybody = list(people)
    text = unicodedata.normalize("NFC", str(who)).strip()
    number = text.removeprefix("#")
    wanted = int(number) if number.isascii() and number.isdigit() else None
    by_name = not isinstance(who, int) and not text.startswith("#")
    found = [p for p in everybody if p.id == wanted or (by_name and p.name == text)]
    found = found or [
        p for p in everybody if not isinstance(who, int) and p.name == text
    ]  # a name that begins with "#"
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"#{p.id} ({p.name})" for p in found[:20])
        raise InputError(
            f"{len(found)} people in gallery {where} can be meant by {text}: {ids}. Give the id of one, as #id."
        )
    if not everybody:
        raise InputError(
            f"Gallery {where} is empty: there is nobody called {text}. Enroll people first: edge-facenet enroll."
        )
    raise InputError(f"Gallery {where} has nobody called {text}. See who is there: edge-facenet gallery list.")


def check_name(name: str) -> str:
    """The name as it is stored: white space around it gone, Unicode NFC.

    Raises:
        InputError: empty, too long, invisible, or with characters that would break a line, a page or a terminal.
    """
    text = unicodedata.normalize("NFC", name).strip()
    kinds = {unicodedata.category(c) for c in text}
    if not text or len(text) > NAME_LENGTH:
        raise InputError(f"{NAME_RULE}; found {len(text)} characters. Give another name.")
    if kinds & _BREAKING or _TURNING & set(text) or _UNSEEN.search(_FLAG.sub("\U0001f3f4", text)):
        raise InputError(f"{NAME_RULE}; found {ascii(text)[:80]}. Give another name.")
    if not any(unicodedata.category(c)[0] in "LNPS" for c in text):
        raise InputError(f"{NAME_RULE}; found nothing visible in {ascii(text)[:80]}. Give another name.")
    return text


def readable(stored: str) -> str:
    """A name as it may be shown. A gallery, or a backup that somebody sends, may hold what `check_name` never let in: that
    must not reach a terminal.

    >>> readable("Ada\\x1b[2J")
    'Ada\ufffd[2J'
    """
    shown = (UNREADABLE if unicodedata.category(c) in _BREAKING or c in _TURNING else c for c in stored)
    return "".join(shown) or UNREADABLE


def _frozen(array: npt.NDArray[T]) -> npt.NDArray[T]:
    array.setflags(write=False)
    return array
