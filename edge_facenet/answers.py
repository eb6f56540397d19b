"""What a recognizer answers: who was enrolled, who was seen, whether two faces are one person's."""

from __future__ import annotations

from dataclasses import dataclass

from .gallery import Candidate
from .photos.aligner import Box, Point
from .photos.quality import Quality
from .schema import doc

__all__ = ["Candidate", "Comparison", "Enrolment", "Refusal", "Seen", "Side"]


@dataclass(frozen=True)
class Refusal:
    """A photo that was not enrolled."""

    source: str = doc("path or name")
    reason: str = doc("one sentence")


@dataclass(frozen=True)
class Enrolment:
    """What one `enroll` did."""

    person: int = doc("id; never given to anybody else")
    name: str = doc("as stored")
    created: bool = doc("whether the person is new")
    added: int = doc("photos added")
    known: int = doc("photos that were there already: equal photo and face")
    replaced: int = doc("older photos that gave way to another one of the same path")
    embeddings: int = doc("the person's photos now")
    refused: tuple[Refusal, ...] = doc("photos left out (skip_bad), and faces marked as not this person", ())
    pictures: int = doc("photos known without a kept crop that have one now", 0)


@dataclass(frozen=True)
class Seen:
    """One face of a picture, and who it is."""

    box: Box = doc("left, top, right, bottom, px of the photo after EXIF rotation; may reach over its edge")
    points: tuple[Point, ...] = doc("eye, eye, nose tip, mouth corner, mouth corner, each from the picture's left, px")
    quality: Quality = doc("what was measured on the face")
    reasons: tuple[str, ...] = doc("why the face would not be enrolled; it was compared all the same")
    name: str | None = doc("None: unknown, or ambiguous")
    person: int | None = doc("id; None with the name")
    similarity: float | None = doc("cosine to the nearest person, also of an unknown face; None when there is nobody")
    threshold: float | None = doc("the cosine above which a face is named; None when nobody is enrolled")
    why: str = doc("one sentence: what the answer rests on")
    ambiguous: tuple[Candidate, ...] = doc("the people it may be, when the margin between them is too small", ())


@dataclass(frozen=True)
class Side:
    """The face of one photo that was compared."""

    box: Box = doc("left, top, right, bottom, px of the photo after EXIF rotation; may reach over its edge")
    quality: Quality = doc("what was measured on it")
    reasons: tuple[str, ...] = doc("what speaks against relying on it", ())


@dataclass(frozen=True)
class Comparison:
    """Two faces."""

    similarity: float = doc("cosine, -1..1")
    threshold: float = doc("the manifest's, at `far`")
    far: float = doc("share of pairs of strangers that pass, nominal; on other photos than the manifest's it differs")
    same: bool = doc("similarity above the threshold")
    a: Side = doc("the face of the first photo")
    b: Side = doc("the face of the second photo")
