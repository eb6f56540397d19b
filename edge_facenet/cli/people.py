"""What `enroll`, `identify` and `compare` share: their options, the recognizer, faces as text and as JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .plain import json_text, plain
from .progress import OnProgress, bar

if TYPE_CHECKING:
    from edge_facenet.photos.aligner import Box
    from edge_facenet.photos.quality import QualityRules
    from edge_facenet.recognise import FaceRecognizer, RecognizerOptions, Seen

Where = Annotated[
    Path | None, typer.Option("--gallery", help="The gallery file. Default: gallery.db in the user's data folder.")
]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="Key of an encrypted gallery; make one with gallery key.")
]
Model = Annotated[str, typer.Option(help="NAME.json, a folder with one, or a released model's name.")]
Engine = Annotated[str | None, typer.Option(help="litert, tflite-runtime, onnxruntime or litert-gpu.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of one call.")]
Rules = Annotated[
    list[str] | None,
    typer.Option("--rule", metavar="KEY=VALUE", help="Another limit of quality, such as face_px=12; several times."),
]
CameraSize = Annotated[str, typer.Option("--size", metavar="WxH", help="Picture size asked of a camera, px.")]
Rotate = Annotated[int, typer.Option(help="Turn frames by 0, 90, 180 or 270 degrees clockwise.")]


UNKNOWN = "unknown"


class Out:
    """Standard output, also while a progress bar has its hands on `sys.stdout`."""

    def __init__(self) -> None:
        self._stream = sys.stdout

    def line(self, text: str) -> None:
        """One line, at once."""
        print(plain(text), file=self._stream, flush=True)

    def values(self, **values: Any) -> None:
        """One line of JSON."""
        print(json_text(values), file=self._stream, flush=True)


def note(text: str) -> None:
    """A line beside the results."""
    print(plain(text), file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress(title: str, unit: str) -> Iterator[OnProgress]:
    """A bar where results go elsewhere than to the terminal; where they appear there, they are the progress."""
    if sys.stdout.isatty():
        yield lambda done, total: None
    else:
        with bar(title, unit) as on_progress:
            yield on_progress


def open_recognizer(model: str, gallery: Path | Literal[False] | None, options: RecognizerOptions) -> FaceRecognizer:
    """The recognizer, with OpenCV held to one thread: crops are small, more threads cost more than they bring."""
    import cv2

    from edge_facenet.recognise import FaceRecognizer

    cv2.setNumThreads(1)
    recognizer = FaceRecognizer(model, gallery, options)
    if gallery is not False:
        remark_key(options.key_file)
    return recognizer


def remark_key(path: Path | None) -> None:
    """Say when others on this machine can read the key of an encrypted gallery."""
    from edge_facenet.gallery.secure import is_exposed

    if path is not None and is_exposed(path):
        note(f"Others on this machine can read the key {path}. Type: chmod 600 {path}")


def rules_of(changes: Sequence[str] | None) -> QualityRules:
    """The quality rules with `KEY=VALUE` changes.

    Raises:
        ConfigError: no such rule, or no number.
    """
    from edge_facenet.errors import ConfigError
    from edge_facenet.photos.quality import QualityRules
    from edge_facenet.schema import nearest

    names = [field.name for field in dataclasses.fields(QualityRules)]
    values: dict[str, float] = {}
    for change in changes or ():
        key, _, text = change.partition("=")
        if key not in names:
            raise ConfigError(f'--rule: there is no rule "{key}" ({nearest(key, names)}).')
        try:
            values[key] = float(text)
        except ValueError as error:
            raise ConfigError(f"--rule takes KEY=NUMBER, found {change!r}, such as {key}=12.") from error
    return QualityRules(**values)


def size_of(text: str) -> tuple[int, int]:
    """Width and height out of "640x480".

    Raises:
        ConfigError: not two whole numbers.
    """
    from edge_facenet.errors import ConfigError

    width, mark, height = text.lower().partition("x")
    if not (mark and width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"--size takes WIDTHxHEIGHT in px, such as 640x480, found {text!r}.")
    return int(width), int(height)


@dataclass(frozen=True)
class Names:
    """How people are called where some have the same name."""

    repeated: frozenset[str]

    @classmethod
    def of(cls, recognizer: FaceRecognizer) -> Names:
        """Names as the gallery has them now."""
        counts = Counter(recognizer.gallery.templates().names)
        return cls(frozenset(name for name, count in counts.items() if count > 1))

    def call(self, name: str, person: int) -> str:
        """The name, with the id where it is needed: to tell two people apart, or somebody called so from a stranger."""
        return f"{name} (#{person})" if name in self.repeated or name == UNKNOWN else name

    def who(self, face: Seen) -> str:
        """Who a face is, in short: "Anna", "Anna or Eva", "unknown"."""
        if face.name is not None and face.person is not None:
            return self.call(face.name, face.person)
        return " or ".join(self.call(one.name, one.person) for one in face.ambiguous) or UNKNOWN


def face_text(number: int, face: Seen, names: Names, *, why: bool) -> str:
    """One face as a line."""
    who = names.who(face)
    if face.threshold is None:
        who += f" ({face.why})"
    elif why:
        who += f": {face.why.removeprefix('unknown: ').removeprefix('ambiguous: ')}"
    elif face.ambiguous:
        who += f" ({', '.join(f'{one.similarity:.3f}' for one in face.ambiguous)})"
    elif face.similarity is not None:
        nearest = "" if face.name else "nearest "
        who += f" ({nearest}{face.similarity:.3f}, threshold {face.threshold:.3f})"
    remarks = f"; {'; '.join(face.reasons)}" if face.reasons else ""
    return f"  {number}  {who}, at {box_text(face.box)}{remarks}"


def face_values(face: Seen) -> dict[str, Any]:
    """One face for JSON; what there is none of is null."""
    return dataclasses.asdict(face)


def box_text(box: Box) -> str:
    """A box as people read it."""
    from edge_facenet.recognise import box_text as text

    return text(box)
