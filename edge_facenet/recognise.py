"""Recognise people: enroll them with a few photos, then ask who is in a picture.

There is no liveness detection here or anywhere in this project: a printed photograph of a face passes for the face. Do not
open doors with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .answers import Comparison, Enrolment, Refusal, Seen, Side
from .embedder import Embedder, load
from .errors import ConfigError, InputError, ManifestError, NoFaceFound, ThresholdError
from .gallery import Enrolled, Gallery, Maker, Match, Sample, default_path
from .gallery.decide import decide, threshold
from .gallery.secure import read_key
from .manifest import Manifest
from .photos.align import TEMPLATE_NAME
from .photos.aligner import LIMITS, Aligner, Box, FoundFace, open_aligner
from .photos.decode import Photo
from .photos.quality import Quality, QualityRules, judge
from .photos.shots import Image, Shot, label_of, open_shot, several
from .schema import doc

__all__ = [
    "Comparison",
    "Enrolment",
    "FaceRecognizer",
    "FoundFace",
    "Image",
    "Quality",
    "QualityRules",
    "RecognizerOptions",
    "Refusal",
    "Seen",
    "Side",
]

Which: TypeAlias = int | Literal["largest"] | None
"""Which of a photo's faces: its number from 1, in the order of `faces`; the largest; None = there must be one alone."""
EMPTY = "the gallery is empty: nobody is enrolled"
OUTDATED = "nobody in the gallery is enrolled with this model: enroll them again"
_SHOWN = 5


@dataclass(frozen=True)
class RecognizerOptions:
    """How a `FaceRecognizer` works."""

    fpir: float = doc("share of strangers who may be taken for somebody enrolled, 0..1", 0.01)
    rules: QualityRules = doc("what a face must be like to be enrolled", QualityRules())
    key_file: Path | None = doc("key of an encrypted gallery", None)
    keep_crops: bool = doc("keep each enrolled face as a small picture, so that another network can embed it", False)
    engine: str | None = doc("litert, tflite-runtime, onnxruntime or litert-gpu; None = by the model's file", None)
    threads: int = doc("threads of one call", 1)

    def __post_init__(self) -> None:
        if not 0 < self.fpir < 1:
            raise ConfigError(
                f"fpir is a share of strangers between 0 and 1, found {self.fpir:g}. 0.01 is one in a hundred."
            )


class FaceRecognizer:
    """Who is in a picture. Safe to call from several threads, and to use beside other processes on one gallery.

    No liveness: a photograph of a face passes for the face.

    >>> people = FaceRecognizer("mobile", "people.db")               # doctest: +SKIP
    >>> people.enroll("Anna", ["anna1.jpg", "anna2.jpg"])            # doctest: +SKIP
    >>> for face in people.identify("party.jpg"):                    # doctest: +SKIP
    ...     print(face.name or "unknown", face.box, face.why)
    """

    def __init__(
        self,
        model: str | Path | Embedder = "mobile",
        gallery: str | Path | Literal[False] | None = None,
        options: RecognizerOptions = RecognizerOptions(),
        aligner: Aligner | None = None,
    ) -> None:
        """Open and prove the networks, and look at the gallery.

        Args:
            model: name of a released model, path of a manifest, or an embedder that is open already.
            gallery: its file, made by the first enrolment; None = `gallery.db` in the user's data folder; False = none, for
                `faces` and `compare` alone.
            aligner: what finds and cuts faces; None = the project's own, as `edge-facenet setup` fetches it.
        Raises:
            ManifestError, LaneUnavailable, SelfTestFailed: the model cannot be used here.
            ModelsMissing: `edge-facenet setup` has not been run.
            GalleryMismatch: the gallery was made by another network or aligner.
            GalleryDamaged, WrongKey: it cannot be read.
        """
        self.options = options
        key = None if options.key_file is None or gallery is False else read_key(Path(options.key_file))
        self.embedder = (
            model if isinstance(model, Embedder) else load(model, engine=options.engine, threads=options.threads)
        )
        manifest = self.embedder.manifest
        check_template(manifest)
        self._aligner = aligner or open_aligner(options.engine, options.threads)
        maker = Maker(self.embedder.fingerprint, self._aligner.fingerprint, manifest.dimension)
        self._gallery = None if gallery is False else Gallery.open(Path(gallery or default_path()), maker, key=key)

    @property
    def gallery(self) -> Gallery:
        """Who is enrolled.

        Raises:
            ConfigError: this recognizer was opened without a gallery.
        """
        if self._gallery is None:
            raise ConfigError("This recognizer was opened without a gallery. Give one: FaceRecognizer(model, gallery).")
        return self._gallery

    def faces(self, image: Image, *, turned: bool = True) -> tuple[FoundFace, ...]:
        """Every face of a photo, the subject (largest and most central) first; nobody is compared with anybody.

        Args:
            turned: also look for a face that lies on its side or upside down; a camera's frames, upright, need it not.
        Raises:
            PhotoError: not a photo, damaged, above a limit.
        """
        return self._faces(_opened(image).photo, turned=turned)

    def enroll(
        self,
        name: str,
        images: Image | Iterable[Image],
        *,
        face: Which = None,
        person: int | Literal["new"] | None = None,
        skip_bad: bool = False,
    ) -> Enrolment:
        """Add photos of one person; all of them or, when one is refused, none.

        Five photos in different light and pose are a good start. A name that nobody has makes a new person, a name that
        one person has means that person; `person` (an id, or "new") says who is meant where a name is shared.

        Args:
            face: which face of a photo that shows several.
            skip_bad: enroll the others when a photo is refused.
        Raises:
            NoFaceFound, PhotoError, InputError: a photo without a face, with several, or below `options.rules`; nothing was
                written.
            GalleryMismatch, WrongKey, OutputError: the gallery cannot take them.
        """
        if isinstance(person, str) and person != "new":
            raise ConfigError(f'person is an id or "new", found {person!r}.')
        samples, refused = list[Sample](), list[Refusal]()
        first: InputError | None = None
        for number, image in enumerate(several(images), 1):
            label = f"photo {number}"
            try:
                samples.append(self._sample(_opened(image, label), face))
            except InputError as error:
                first = first or error
                refused.append(Refusal(label_of(image, label), str(error).removeprefix(f"{label_of(image, label)}: ")))
        if first is not None and (not skip_bad or not samples):
            raise type(first)(_refusal(name, refused, skip_bad)) from first
        if not samples:
            raise InputError(f"There is no photo to enroll {name} with. Give at least one.")
        new = person == "new"
        done = self.gallery.enroll(name, samples, person=None if isinstance(person, str) else person, new=new)
        return _enrolment(done, refused)

    def identify(self, image: Image, *, turned: bool = True) -> tuple[Seen, ...]:
        """Every face of a picture and who it is, the subject (largest and most central) first.

        A face is named when it is nearer to one person than the open-set threshold, and clearly nearer than to the next
        one. The threshold follows from the manifest's impostors, the gallery's people and `options.fpir`. Nobody in the
        picture, nobody enrolled and nobody known are answers, not errors.

        Args:
            turned: whether faces are also looked for with the picture turned by 90, 180 and 270 degrees. Give False for the
                frames of a camera or video, which stand upright: it is faster, and cannot be misled.
        Raises:
            PhotoError: not a photo, damaged, above a limit.
            ThresholdError: the model has no thresholds, or none for a gallery of this size.
        """
        found = self._faces(_opened(image).photo, turned=turned)
        if not found:
            return ()
        templates = self.gallery.templates()
        if not len(templates):
            nobody = _nobody(OUTDATED if len(self.gallery) else EMPTY)
            return tuple(self._seen(face, nobody, None) for face in found)
        limit = threshold(self.embedder.manifest.thresholds, templates, self.options.fpir)
        matches = (decide(probe, templates, limit) for probe in self._embed(found))
        return tuple(self._seen(face, match, limit.cosine) for face, match in zip(found, matches, strict=True))

    def compare(
        self, a: Image, b: Image, far: float = 1e-3, *, faces: tuple[Which, Which] = (None, None)
    ) -> Comparison:
        """Whether two photos show one person. The gallery is not asked.

        Args:
            far: false accept rate, one that the manifest has.
            faces: which face of each, where a photo shows several.
        Raises:
            NoFaceFound, InputError, PhotoError: a photo without a face, or with several and none chosen.
            ThresholdError: the manifest has no threshold at this rate.
        """
        thresholds = self.embedder.manifest.thresholds
        if thresholds is None:
            raise ThresholdError(
                f"{self.embedder.manifest.file} has no thresholds, so it embeds but does not decide. Export it with a crop set to "
                "calibrate on, or give its manifest rather than the lone file."
            )
        limit = thresholds.cosine(far)
        shots = (_opened(a, "the first photo"), _opened(b, "the second photo"))
        options = ("--face-a", "--face-b")
        left, right = (self._only(*one) for one in zip(shots, faces, options, strict=True))
        x, y = self._embed([left, right]).astype(np.float64)
        similarity = float(np.clip(x @ y, -1, 1))
        sides = (Side(one.box, one.quality, judge(one.quality, self.options.rules)) for one in (left, right))
        return Comparison(similarity, limit, far, similarity > limit, *sides)

    def photos_of(self, person: int, *, bare: bool = False) -> frozenset[tuple[str, str]]:
        """(source, sha256) of the photos that somebody is enrolled with, for whoever keeps a folder and a gallery alike.

        Args:
            bare: only those without a kept crop.
        """
        maker = self.gallery.maker
        rows = self.gallery.samples(person, bare=bare)
        return frozenset((r.source, r.photo_sha256) for r in rows if not r.rejected and r.maker == maker)

    def _faces(self, photo: Photo, *, turned: bool = True) -> tuple[FoundFace, ...]:
        return self._aligner.faces(photo, self.embedder.manifest.margin, turned=turned)

    def _embed(self, faces: Sequence[FoundFace]) -> npt.NDArray[np.float32]:
        return self.embedder.embed(np.stack([face.crop for face in faces]))

    def _sample(self, shot: Shot, which: Which) -> Sample:
        """Raises InputError: no face, several, or not good enough."""
        face = self._only(shot, which)
        if reasons := judge(face.quality, self.options.rules):
            raise InputError(f"{shot.label}: {'; '.join(reasons)}")
        crop = face.crop if self.options.keep_crops else None
        return Sample(self._embed([face])[0], shot.sha256, shot.source, crop)

    def _only(self, shot: Shot, which: Which, option: str = "--face") -> FoundFace:
        return pick(shot, self._faces(shot.photo), which, option)

    def _seen(self, face: FoundFace, match: Match, limit: float | None) -> Seen:
        reasons = judge(face.quality, self.options.rules)
        about = (face.box, face.points, face.quality, reasons)
        return Seen(*about, match.name, match.person, match.similarity, limit, match.why, match.ambiguous)


def _opened(image: Image, label: str = "the photo") -> Shot:
    if not isinstance(image, str | bytes | os.PathLike | np.ndarray):
        hint = " (cv2.imread gives None for a file it cannot read)" if image is None else ""
        raise InputError(
            f"{label}: give a path, the bytes of a picture, or pixels (h, w, 3) uint8 RGB; found {type(image).__name__}{hint}."
        )
    return open_shot(image, LIMITS, label)


def pick(shot: Shot, found: Sequence[FoundFace], which: Which, option: str = "--face") -> FoundFace:
    """The face that is meant, of those found in a photo.

    Args:
        option: of the command line, by which one is chosen.
    Raises:
        NoFaceFound: none there. InputError: several and none chosen, or no such face.
    """
    if not found:
        raise NoFaceFound(f"{shot.label}: no face found (mean luminance {shot.photo.luminance:.0f} of 255)")
    if isinstance(which, str) and which != "largest":
        raise ConfigError(f'face is a number from 1 or "largest", found {which!r}.')
    if which == "largest":
        return max(found, key=lambda face: _area(face.box))
    if which is not None and not 1 <= which <= len(found):
        raise InputError(f"{shot.label}: there is no face {which}, it shows {len(found)}: {_boxes(found)}")
    if which is None and len(found) > 1:
        raise InputError(
            f"{shot.label}: {len(found)} faces: {_boxes(found)}. Say which one ({option} N), or take the largest (--largest)"
        )
    return found[(which or 1) - 1]


def check_template(manifest: Manifest) -> None:
    """Raises ManifestError when a network takes faces cut otherwise than photos are cut here."""
    if manifest.template != TEMPLATE_NAME:
        raise ManifestError(
            f"{manifest.file} takes faces cut to template {manifest.template}; photos are cut to {TEMPLATE_NAME} here. Give "
            "another model."
        )


def _nobody(why: str) -> Match:
    return Match(None, None, None, None, (), why)


def _enrolment(done: Enrolled, refused: list[Refusal]) -> Enrolment:
    marked = f"{done.refused} of the photos show a face that was marked as not this person"
    out = (*refused, *([Refusal("", marked)] if done.refused else []))
    counts = (done.added, done.known, done.replaced, done.embeddings)
    return Enrolment(done.person, done.name, done.created, *counts, out, done.pictures)


def _refusal(name: str, refused: Sequence[Refusal], skip_bad: bool) -> str:
    shown = "; ".join(f"{r.source}: {r.reason.rstrip('.')}" for r in refused[:_SHOWN])
    more = f"; … and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    advice = "None of the photos will do" if skip_bad else "Leave such photos out, or give --skip-bad"
    return f"Nothing was enrolled for {name}: {shown}{more}. {advice}."


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _boxes(found: Sequence[FoundFace]) -> str:
    return "; ".join(f"{k} at {box_text(face.box)}" for k, face in enumerate(found, 1))


def box_text(box: Box) -> str:
    """A box as people read it: left,top–right,bottom, px."""
    left, top, right, bottom = (round(v) for v in box)
    return f"{left},{top}–{right},{bottom}"
