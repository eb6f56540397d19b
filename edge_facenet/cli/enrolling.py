"""How `enroll` goes through photos, folders and cameras."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge_facenet.cameras import CameraOptions, open_source
from edge_facenet.errors import ConfigError, InputError, NoFaceFound
from edge_facenet.gallery.people import check_name
from edge_facenet.photos.aligner import LIMITS
from edge_facenet.photos.examine import read
from edge_facenet.photos.quality import judge
from edge_facenet.photos.shots import source_of
from edge_facenet.photos.sniff import HEAD_BYTES, sniff
from edge_facenet.photos.walk import Listing, walk
from edge_facenet.recognise import Enrolment, FaceRecognizer, Refusal

from . import enroll_text as text
from . import pruning
from .enroll_text import Outcome
from .look_alikes import remarks
from .people import Out, note, progress
from .progress import OnProgress

SPACING_S = 0.7
"""Between two pictures of a camera: long enough for the head to move."""


Key = tuple[str, str]
"""Of a photo: its source and sha256; no hash where it cannot be read, which enrolling it will say."""


class Keys(dict[str, Key]):
    """Keys of photos, each read when it is asked for, and once."""

    def __missing__(self, path: str) -> Key:
        try:
            digest = read(os.fsencode(path), LIMITS)[1]
        except OSError:
            digest = ""
        self[path] = (source_of(path), digest)
        return self[path]


@dataclass(frozen=True)
class Ways:
    """Where faces come from: one of the first three."""

    photos: tuple[Path, ...] = ()
    folder: Path | None = None
    camera: str | None = None
    count: int = 5
    """Pictures of a camera."""
    seconds: float = 60.0
    """Patience with a camera."""


@dataclass(frozen=True)
class Request:
    """What was typed."""

    name: str | None
    ways: Ways
    face: int | Literal["largest"] | None = None
    person: int | Literal["new"] | None = None
    skip_bad: bool = False
    prune: bool = False

    def __post_init__(self) -> None:
        chosen = [bool(self.ways.photos), self.ways.folder is not None, self.ways.camera is not None]
        if sum(chosen) != 1 or (self.name is None) != (self.ways.folder is not None):
            raise ConfigError("Give NAME and PHOTOS, or NAME and --camera SOURCE, or --from FOLDER alone.")
        if self.ways.folder is not None and (self.face is not None or self.person is not None):
            raise ConfigError("--face, --largest, --person and --new are about one person: they do not go with --from.")
        if self.prune and self.ways.folder is None:
            raise ConfigError("--prune compares a folder with the gallery: it needs --from.")


def run(recognizer: FaceRecognizer, request: Request, frames: CameraOptions, *, as_json: bool) -> int:
    """Enroll; the exit code: 0, or 3 when somebody of --from was refused."""
    out = Out()
    if request.ways.folder is not None:
        outcomes = _folder(recognizer, request, request.ways.folder)
    elif request.ways.camera is not None:
        outcomes = iter([_camera(recognizer, request, request.ways.camera, frames)])
    else:
        outcomes = iter([_photos(recognizer, request)])
    code = 0
    created = list[int]()
    for outcome in outcomes:
        if outcome.enrolment is not None and outcome.enrolment.created:
            created.append(outcome.enrolment.person)
        code = InputError.exit_code if outcome.error else code
        if as_json:
            out.values(**text.values(outcome))
        else:
            for line in text.lines(outcome):
                out.line(line)
    if not as_json:
        gallery = recognizer.gallery
        count = len(gallery)
        out.line(f"Gallery: {gallery.path} ({count} {'person' if count == 1 else 'people'})")
    for remark in remarks(recognizer, created) if created else ():
        note(remark)
    return code


def _photos(recognizer: FaceRecognizer, request: Request) -> Outcome:
    """NAME and PHOTOS: refusals are errors."""
    assert request.name is not None
    photos, left_out = list[str](), list[str]()
    for path in request.ways.photos:
        if path.is_dir():
            found, others = _pictures(path)
            if not found:
                raise InputError(f"There is no photo in the folder {path} ({len(others)} other files).")
            photos += found
            left_out += others
        else:
            photos.append(str(path))
    return replace(_one(recognizer, request, request.name, photos, Keys()), left_out=tuple(left_out))


def _folder(recognizer: FaceRecognizer, request: Request, folder: Path) -> Iterator[Outcome]:
    """One sub-folder a person: refusals are outcomes."""
    people: dict[str, list[str]] = {}
    unnamed = list[str]()
    listing = walk([folder])
    for remark in listing.notes:
        note(remark)
    for entry in listing.entries:
        path = os.fsdecode(entry.path)
        if entry.identity:
            people.setdefault(entry.identity, []).append(path)
        else:
            unnamed.append(path)
    if unnamed:
        note(f"Only sub-folders are people; directly in {folder} and left out: {text.some(unnamed)}.")
    missed = _missed(listing, people)
    if not people and not missed:
        raise InputError(
            f"{folder} has no sub-folder with files in it. Make one for each person, named like the person."
        )
    with progress("Enrolling people", "people") as on_progress:
        for done, (name, paths) in enumerate(people.items()):
            on_progress(done, len(people))
            yield _member(recognizer, request, folder / name, paths)
    yield from missed
    for person in pruning.departed(recognizer, folder, people):
        enrolled = recognizer.gallery.find(person)
        yield _settled(recognizer, request, Outcome(enrolled.name, _as_it_was(recognizer, person)), folder, ())


def _missed(listing: Listing, people: Collection[str]) -> list[Outcome]:
    """Sub-folders, and files in them, of which nothing could be taken: whoever is not enrolled is named."""
    found = [Outcome(_first(one.photo), error=f"Left out: {one.photo}: {one.reason}") for one in listing.refused]
    others: dict[str, list[str]] = {}
    for name in listing.again:
        if (first := _first(name)) not in people:
            others.setdefault(first, []).append(name)
    for first, names in others.items():
        reason = f"each file there is taken under another name: {text.some(names)}. Give copies, not links"
        found.append(Outcome(first, error=f"Nothing was enrolled for {first}: {reason}."))
    return found


def _first(name: str) -> str:
    return name.partition("/")[0]


def _member(recognizer: FaceRecognizer, request: Request, home: Path, paths: Sequence[str]) -> Outcome:
    photos, others = _sorted_out(paths)
    keys = Keys()
    name = os.fsdecode(home.name)
    try:
        if not photos:
            raise InputError(f"Nothing was enrolled for {name}: there is no photo in {home}.")
        outcome = _one(recognizer, request, name, photos, keys)
    except InputError as error:
        person = _known(recognizer, name, None)
        before = None if person is None else _as_it_was(recognizer, person)
        outcome = Outcome(name, before, error=str(error))
    there = [keys[path] for path in photos]
    return replace(_settled(recognizer, request, outcome, home, there), left_out=tuple(others))


def _settled(
    recognizer: FaceRecognizer, request: Request, outcome: Outcome, home: Path, photos: Sequence[Key]
) -> Outcome:
    """What is gone from below `home` named, or forgotten; a refused photo is no reason to keep it."""
    if outcome.enrolment is None:
        return outcome
    person = outcome.enrolment.person
    gone = pruning.gone(recognizer, person, home, photos)
    if not (request.prune and gone):
        return replace(outcome, gone=gone)
    pruned, forgotten = pruning.prune(recognizer, person, gone)
    error = outcome.error if photos or not forgotten else None  # no photo any more: that is what was asked for
    return replace(outcome, pruned=pruned, forgotten=forgotten, error=error)


def _one(recognizer: FaceRecognizer, request: Request, name: str, photos: Sequence[str], keys: Keys) -> Outcome:
    person = _known(recognizer, name, request.person)
    known = recognizer.photos_of(person) if person is not None and request.face is None else frozenset[Key]()
    is_known = _recollection(known)
    settled = {path: keys[path] for path in photos if is_known(keys[path])} if known else {}
    fresh = [path for path in photos if path not in settled]
    unchanged = len(photos) - len(fresh)
    pictures = 0 if person is None else _given_pictures(recognizer, name, person, settled)
    if not fresh and person is not None:
        return Outcome(name, replace(_as_it_was(recognizer, person), pictures=pictures), unchanged)
    bar = progress(f"Enrolling {name}", "photos") if request.ways.folder is None else contextlib.nullcontext(None)
    try:
        with bar as on_progress:
            counted = fresh if on_progress is None else _counted(fresh, on_progress)
            done = recognizer.enroll(name, counted, face=request.face, person=request.person, skip_bad=request.skip_bad)
    except InputError as error:
        if not (request.skip_bad and unchanged and person is not None):
            raise
        done = replace(_as_it_was(recognizer, person), refused=(Refusal("", str(error)),))  # refused then as now
    return Outcome(name, replace(done, pictures=done.pictures + pictures), unchanged)


def _given_pictures(recognizer: FaceRecognizer, name: str, person: int, known: Mapping[str, Key]) -> int:
    """Look again at photos that were enrolled without a crop; one that is refused today stays as it is."""
    bare = recognizer.photos_of(person, bare=True) if known and recognizer.options.keep_crops else frozenset[Key]()
    again = [path for path, key in known.items() if key in bare]
    try:
        return recognizer.enroll(name, again, person=person, skip_bad=True).pictures if again else 0
    except InputError:
        return 0


def _as_it_was(recognizer: FaceRecognizer, person: int) -> Enrolment:
    entry = recognizer.gallery.find(person)
    return Enrolment(entry.id, entry.name, False, 0, 0, 0, entry.embeddings)


def _known(recognizer: FaceRecognizer, name: str, person: int | Literal["new"] | None) -> int | None:
    """The id of whoever is meant, where that is clear; the gallery itself complains where it is not."""
    if person is not None:
        return None if person == "new" else person
    wanted = unicodedata.normalize("NFC", name).strip()
    same = [one.id for one in recognizer.gallery.people() if one.name == wanted]
    return same[0] if len(same) == 1 else None


def _recollection(known: frozenset[Key]) -> Callable[[Key], bool]:
    """Whether this very photo is enrolled, under whatever name, and no other photo under this one's name."""
    hashes = {digest for _, digest in known}
    under: dict[str, set[str]] = {}
    for source, digest in known:
        under.setdefault(source, set()).add(digest)
    return lambda key: key[1] in hashes and under.get(key[0], {key[1]}) == {key[1]}


def _camera(recognizer: FaceRecognizer, request: Request, what: str, frames: CameraOptions) -> Outcome:
    """Pictures of a camera that show one face, good enough, some time apart."""
    assert request.name is not None
    check_name(request.name)  # before anybody has to stand still
    name = f"camera:{what}" if what.isdecimal() else what
    taken = list[npt.NDArray[np.uint8]]()
    due = 0.0
    said = ""
    with open_source(name, frames) as source:
        for frame in source.frames():
            if frame.seconds > request.ways.seconds or len(taken) >= request.ways.count:
                break
            if frame.seconds < due:
                continue
            hint = _hint(recognizer, frame.pixels, request.face == "largest")
            if not hint:
                taken.append(frame.pixels)
                due = frame.seconds + SPACING_S
                hint = f"picture {len(taken)} of {request.ways.count}; turn your head a little"
            if hint != said:
                note(hint)
                said = hint
    if not taken:
        raise NoFaceFound(
            f"Nothing was enrolled for {request.name}: no picture of {name} would do; last: {said or 'none'}."
        )
    face: Literal["largest"] | None = "largest" if request.face == "largest" else None
    return Outcome(request.name, recognizer.enroll(request.name, taken, face=face, person=request.person))


def _hint(recognizer: FaceRecognizer, pixels: npt.NDArray[np.uint8], largest: bool) -> str:
    """What keeps a frame from being enrolled; empty when nothing does."""
    found = recognizer.faces(pixels)
    if not found:
        return "no face in the picture"
    if len(found) > 1 and not largest:
        return f"{len(found)} faces in the picture: one person alone, or --largest"
    best = max(found, key=lambda one: (one.box[2] - one.box[0]) * (one.box[3] - one.box[1]))
    reasons = judge(best.quality, recognizer.options.rules)
    return _without_numbers(reasons[0]) if reasons else ""


def _without_numbers(reason: str) -> str:
    """The first words alone: with numbers a hint would be another one at every frame."""
    return reason.partition(":")[0]


def _pictures(folder: Path) -> tuple[list[str], list[str]]:
    """Pictures below a folder, by content, and the other files."""
    listing = walk([folder])
    for remark in (*listing.notes, *(f"Left out: {one.photo}: {one.reason}" for one in listing.refused)):
        note(remark)
    return _sorted_out([os.fsdecode(entry.path) for entry in listing.entries])


def _sorted_out(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Pictures, by content, and the other files."""
    found = [(path, _is_picture(path)) for path in paths]
    return [path for path, is_picture in found if is_picture], [path for path, is_picture in found if not is_picture]


def _is_picture(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return sniff(stream.read(HEAD_BYTES))[0] is not None
    except OSError:
        return True  # enrolling it says what is wrong


def _counted(photos: Sequence[str], on_progress: OnProgress) -> Iterator[str]:
    for done, path in enumerate(photos):
        on_progress(done, len(photos))
        yield path
