"""The two tables of a crop set: accepted faces (`index.csv`) and photos that gave none (`rejected.csv`).

File names are bytes; here they are text by UTF-8 with `surrogateescape`, whatever the locale, so that a name that is not
valid UTF-8 survives a round trip. Read the files with `encoding="utf-8", errors="surrogateescape", newline=""`.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from edge_facenet.errors import InputError
from edge_facenet.schema import doc

Point = tuple[float, float]
Points = tuple[Point, Point, Point, Point, Point]
POINT_NAMES = ("eye_left", "eye_right", "nose", "mouth_left", "mouth_right")  # left and right of the picture
_ADDED = ("face", "roll", "yaw", "pitch")
"""The last columns of index.csv, which crop sets of schema 1 do not have."""
T = TypeVar("T")


@dataclass(frozen=True)
class CropRow:
    """One face in a crop set. Numbers are rounded when they are made, so that a row read back equals the row written."""

    row: int = doc("position among the crops, from 0")
    identity: str = doc('folder of the first level under the root; "" = unlabelled')
    source: str = doc("photo, as a path relative to the photos' root")
    score: float = doc("of the face detector, 0..1")
    points: Points = doc(
        "eye, eye, nose, mouth corner, mouth corner, each from the picture's left, px of the photo after EXIF rotation"
    )
    presence: float = doc("of the face mesh, 0..1; below 0.5 the points are the detector's own", 1.0)
    faces: int = doc("faces found in the photo", 1)
    turned: int = doc("degrees anti-clockwise the photo had to be turned for its face to stand upright", 0)
    scale: float = doc("crop px per photo px; above 1 the face was enlarged", 1.0)
    face_px: float = doc("distance between the eyes, px of the photo as it was read, which may be at reduced size", 0.0)
    blur: float = doc("variance of the Laplacian of the grey crop; low = blurred", 0.0)
    luminance: float = doc("mean luminance of the crop, 0..255", 0.0)
    outside: float = doc("share of the crop that lies outside the photo and was filled by its border, 0..1", 0.0)
    cut_off: float = doc("share of the face's inner part, eyes to mouth, that lies outside the photo, 0..1", 0.0)
    sha256: str = doc("of the photo's bytes", "")
    face: int = doc("which of the photo's faces, from 1, the subject (largest and most central) first", 1)
    roll: float | None = doc("degrees between the eye line and level, clockwise, in the photo as turned", None)
    yaw: float | None = doc("degrees the face looks to the picture's right; empty where the mesh sees no face", None)
    pitch: float | None = doc("degrees the face looks up; empty where the mesh sees no face", None)


@dataclass(frozen=True)
class Rejection:
    """One photo without a crop. `sha256` is empty where a new look is due at the next run (rights, missing extras)."""

    photo: str = doc("path relative to the photos' root")
    reason: str = doc("one sentence")
    luminance: float | None = doc("mean luminance of the photo where it could be decoded, 0..255", None)
    sha256: str = doc("of the photo's bytes; empty = look again next time", "")


def write_index(rows: Iterable[CropRow]) -> bytes:
    """`index.csv` as bytes."""
    return _write(CropRow, rows)


def read_index(content: bytes, where: str) -> tuple[CropRow, ...]:
    """Rows of `index.csv`.

    Raises:
        InputError: another header, a value of the wrong kind, or rows out of order.
    """
    rows = _read(CropRow, content, where)
    for expected, row in enumerate(rows):
        if row.row != expected:
            raise InputError(f"{where}: row {row.row} stands where row {expected} belongs. Prepare the crop set again.")
    return rows


def write_rejected(rows: Iterable[Rejection]) -> bytes:
    """`rejected.csv` as bytes, sorted by the bytes of the photo's name."""
    return _write(Rejection, sorted(rows, key=lambda r: encode(r.photo)))


def read_rejected(content: bytes, where: str) -> tuple[Rejection, ...]:
    """Rows of `rejected.csv`.

    Raises:
        InputError: another header or a value of the wrong kind.
    """
    return _read(Rejection, content, where)


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    r"""A table, header first, as every CSV of this package is written; any text comes back as it went in.

    >>> csv_bytes([("photo", "face"), ("Icon\r", 1)])
    b'photo,face\n"Icon\r","1"\n'
    """
    stream = io.StringIO(newline="")
    plain = csv.writer(stream, lineterminator="\n")
    quoting = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        # Python 3.11 quotes "\n" by itself and "\r" not, where readers see the end of a line
        (quoting if any("\r" in value for value in row if isinstance(value, str)) else plain).writerow(row)
    return encode(stream.getvalue())


def encode(name: str) -> bytes:
    """The bytes of a file name."""
    return name.encode("utf-8", "surrogateescape")


def decode(name: bytes) -> str:
    """The text of a file name, reversible for any bytes."""
    return name.decode("utf-8", "surrogateescape")


def natural_key(name: str) -> tuple[Any, ...]:
    """Sort key in which s2 stands before s10; case-sensitive, independent of the locale.

    >>> sorted(["s10", "s2", "S3", "s02"], key=natural_key)
    ['S3', 's02', 's2', 's10']
    """
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(p), "") if i % 2 else (-1, p) for i, p in enumerate(parts)), name


def _write(kind: type[Any], rows: Iterable[Any]) -> bytes:
    names = [f.name for f in dataclasses.fields(kind)]
    lines = ([text for name in names for text in _texts(getattr(row, name))] for row in rows)
    return csv_bytes(itertools.chain([_header(kind)], lines))


def _read(kind: type[T], content: bytes, where: str) -> tuple[T, ...]:
    reader = csv.reader(io.StringIO(decode(content), newline=""), strict=True)
    header = _header(kind)
    try:
        found = next(reader, [])
        if found != header and not (kind is CropRow and found == header[: len(header) - len(_ADDED)]):
            raise InputError(f"{where}: expected the columns {', '.join(header)}; found {', '.join(found)[:200]!r}.")
        return tuple(_parse(kind, found, values) for values in reader)
    except (ValueError, csv.Error) as error:
        raise InputError(f"{where}, line {reader.line_num}: {error}. Prepare the crop set again.") from error


def _header(kind: type[Any]) -> list[str]:
    names: list[str] = []
    for field in dataclasses.fields(kind):
        names += [f"{p}_{axis}" for p in POINT_NAMES for axis in "xy"] if field.name == "points" else [field.name]
    return names


def _texts(value: Any) -> list[str]:
    if isinstance(value, tuple):
        return [repr(number) for point in value for number in point]
    if value is None:
        return [""]
    return [repr(value) if isinstance(value, float) else str(value)]


def _parse(kind: type[T], names: Sequence[str], values: Sequence[str]) -> T:
    if len(values) != len(names):
        raise ValueError(f"expected {len(names)} values, found {len(values)}")
    texts = dict(zip(names, values, strict=True))
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # T is one of the two dataclasses above
        if field.name == "points":
            arguments["points"] = tuple((float(texts[f"{p}_x"]), float(texts[f"{p}_y"])) for p in POINT_NAMES)
        elif field.name in texts:
            arguments[field.name] = _value(texts[field.name], str(field.type))
    return kind(**arguments)


def _value(text: str, of: str) -> Any:
    if of.endswith("None") and not text:
        return None
    return float(text) if of.startswith("float") else int(text) if of == "int" else text
