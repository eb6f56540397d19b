"""How `identify` goes through photos, folders and streams."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_facenet.cameras import CameraOptions, Frame, Source, is_camera, open_source
from edge_facenet.cameras.opening import MJPEG
from edge_facenet.cameras.stored import may_be_video
from edge_facenet.errors import InputError, PhotoError
from edge_facenet.photos.sniff import HEAD_BYTES, sniff
from edge_facenet.photos.walk import walk

from .people import Names, Out, face_text, face_values, note, progress
from .watching import LINGER_S, Watch, clock

if TYPE_CHECKING:
    from edge_facenet.recognise import FaceRecognizer, Seen


@dataclass(frozen=True)
class Looks:
    """What is looked at and shown."""

    every: float = 0.0
    seconds: float | None = None
    why: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Job:
    """Everything one call of the command needs."""

    recognizer: FaceRecognizer
    frames: CameraOptions
    looks: Looks
    out: Out


def run(job: Job, sources: Sequence[str]) -> int:
    """Look at everything; the exit code: 0, or 3 when one of several sources cannot be read."""
    code = 0
    if not len(job.recognizer.gallery):
        note(
            f"Gallery {job.recognizer.gallery.path} is empty: every face is unknown. Enroll people: edge-facenet enroll."
        )
    elif not len(job.recognizer.gallery.templates()):
        note(
            f"Nobody in gallery {job.recognizer.gallery.path} is enrolled with this model: every face is unknown. Enroll them again: "
            "edge-facenet enroll; who they are: edge-facenet gallery list."
        )
    for what in sources:
        try:
            _source(job, what)
        except InputError as error:
            if len(sources) == 1:
                raise
            note(str(error))
            code = InputError.exit_code
    return code


def _source(job: Job, what: str) -> None:
    if is_stream(what):
        _stream(job, what)
    elif os.path.isdir(what):
        _folder(job, Path(what))
    else:
        _photo(job, what, job.recognizer.identify(what))


def camera_of(what: str) -> str:
    """What `--camera` means.

    Raises:
        InputError: no camera, and nothing else that is there.
    """
    name = f"camera:{what}" if what.isdecimal() else what
    if not (name == "-" or is_camera(name) or os.path.lexists(name)):
        raise InputError(
            f"There is no camera {what!r}: it is a number, camera:0, picamera:0 or /dev/video0. A stream of the network is piped "
            "in: ffmpeg -i URL -f mjpeg - | edge-facenet identify -"
        )
    return name


def is_stream(what: str) -> bool:
    """Whether something is frames over time: a camera, a pipe, a video."""
    if what == "-" or is_camera(what):
        return True
    try:
        about = os.stat(what)
        if not stat.S_ISREG(about.st_mode):
            return stat.S_ISFIFO(about.st_mode)
        with open(what, "rb") as stream:
            head = stream.read(HEAD_BYTES)
    except (OSError, ValueError):
        return False  # whoever reads it as a photo says what is wrong
    return may_be_video(head) or (what.lower().endswith(MJPEG) and sniff(head)[0] == "JPEG")


def _folder(job: Job, folder: Path) -> None:
    listing = walk([folder])
    left_out = [refused.photo for refused in listing.refused]
    with progress("Looking at photos", "photos") as on_progress:
        for done, entry in enumerate(listing.entries):
            on_progress(done, len(listing.entries))
            try:
                _photo(job, os.fsdecode(entry.path), job.recognizer.identify(os.fsdecode(entry.path)))
            except PhotoError as error:
                note(str(error))
                left_out.append(entry.name)
    looked_at = len(listing.entries) + len(listing.refused) - len(left_out)
    if not looked_at:
        raise InputError(f"There is no photo in the folder {folder} that can be read ({len(left_out)} other files).")
    if left_out:
        note(
            f"{folder}: {looked_at} photos looked at, {len(left_out)} other file{'s' * (len(left_out) != 1)} left out."
        )


def _photo(job: Job, name: str, faces: tuple[Seen, ...]) -> None:
    if job.looks.as_json:
        for number, face in enumerate(faces, 1):
            job.out.values(source=name, face=number, **face_values(face))
        return
    count = f"{len(faces)} face{'s' * (len(faces) != 1)}" if faces else "no face found"
    job.out.line(f"{name}: {count}")
    names = Names.of(job.recognizer)
    for number, face in enumerate(faces, 1):
        job.out.line(face_text(number, face, names, why=job.looks.why))


def _stream(job: Job, what: str) -> None:
    with open_source(what, job.frames) as source:
        looked_at = _looked_at(source, job.looks)
        first = next(looked_at, None)
        if first is None:
            raise InputError(f"{source.name} gave no picture. Give another source, or a smaller --every.")
        second = None if source.live else next(looked_at, None)
        if second is None and not source.live and not os.path.isfile(what):
            _photo(job, source.name, job.recognizer.identify(first.pixels))  # a single picture, piped in
            return
        begun = [first] if second is None else [first, second]
        _watch(job, source, begun, looked_at)


def _looked_at(source: Source, looks: Looks) -> Iterator[Frame]:
    """The frames that are due."""
    due = None
    for frame in source.frames():
        if looks.seconds is not None and frame.seconds > looks.seconds:
            return
        if due is None or frame.seconds >= due:
            due = frame.seconds + looks.every if due is None else max(due, frame.seconds - looks.every) + looks.every
            yield frame


def _watch(job: Job, source: Source, begun: Sequence[Frame], rest: Iterator[Frame]) -> None:
    looks = job.looks
    watch = Watch((lambda line: None) if looks.as_json else job.out.line, max(LINGER_S, 1.5 * looks.every))
    total = source.total or 0
    try:
        with progress("Watching", "frames") as on_progress:
            for frame in _chain(begun, rest):
                if total:
                    on_progress(min(frame.number, total), total)
                faces = job.recognizer.identify(frame.pixels, turned=False)
                watch.see(frame.seconds, faces, Names.of(job.recognizer))
                if looks.as_json:
                    _frame_values(job, source, frame, faces)
    finally:  # also when a camera's watch is ended by Ctrl-C
        for line in summary(watch):
            (note if looks.as_json else job.out.line)(line)


def _chain(begun: Sequence[Frame], rest: Iterator[Frame]) -> Iterator[Frame]:
    yield from begun
    yield from rest


def _frame_values(job: Job, source: Source, frame: Frame, faces: tuple[Seen, ...]) -> None:
    about: dict[str, Any] = {"source": source.name, "frame": frame.number, "seconds": round(frame.seconds, 3)}
    for number, face in enumerate(faces, 1):
        job.out.values(**about, face=number, **face_values(face))


def summary(watch: Watch) -> list[str]:
    """Who was seen, one line each."""
    lines = [
        f"{_frames(watch.frames)} looked at; {'seen' if watch.people else 'nobody seen'}{':' * bool(watch.people)}"
    ]
    for one in watch.summary():
        lines.append(f"  {one.name}: {_frames(one.frames)}, {clock(one.first)} to {clock(one.last)}")
    return lines


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"
