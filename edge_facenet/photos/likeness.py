"""Photos that stand twice in a crop set: the same bytes, or the same picture saved, shrunk or cropped anew.

Reported, never removed: `duplicates.csv` in the crop set names each with the earlier one it repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_facenet.schema import doc

from .rows import CropRow, csv_bytes

NEAR = 0.98
"""Correlation of two signatures from which on they are of one picture. Measured on ORL: saved again at JPEG q 70, 160 of
160; shrunk to 0.7 and saved at q 85, 158 of 160; cut closer by up to 5 px of 92 on each side, where the face is found anew,
58 %. Another shot of the same person, seconds later: 20 of 1,800 pairs. Other people: at most 0.92."""
MOST = 50_000
"""Crops among which near duplicates are looked for: 100 MB and some 90 s on one core. Equal bytes are always found."""
_SIDE = 32
_CHUNK = 1024
_COLUMNS = ("kind", "row", "source", "identity", "of_row", "of_source", "of_identity", "likeness")

Signatures = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Twin:
    """A crop and the earlier one it repeats."""

    exact: bool = doc("the photos have the same bytes")
    row: int = doc("the later crop")
    of: int = doc("the earlier crop")
    likeness: float = doc("correlation of the two crops, 0..1; 1 for equal bytes", 1.0)


def twins(rows: Sequence[CropRow], crop: Callable[[int], bytes], size: int, margin: int) -> tuple[Twin, ...]:
    """Every crop that repeats an earlier one, with the one it repeats, by row.

    Args:
        crop: bytes of the (size, size, 3) uint8 crop of a row.
    """
    first: dict[tuple[str, int], int] = {}  # a copy of a photo of several people has the same faces in the same order
    found: list[Twin] = []
    others: list[int] = []
    for row in rows:
        of = first.setdefault((row.sha256, row.face), row.row) if row.sha256 else row.row
        if rows[of].source != row.source:
            found.append(Twin(True, row.row, of))
        else:
            others.append(row.row)
    if len(others) <= MOST:
        marks = np.stack([signature(crop(k), size, margin) for k in others]) if others else np.empty((0, 1), np.float16)
        sources = [rows[k].source for k in others]
        found += [Twin(False, others[a], others[b], value) for a, b, value in _near(marks, sources)]
    return tuple(sorted(found, key=lambda twin: twin.row))


def signature(crop: bytes, size: int, margin: int) -> Signatures:
    """What a crop looks like: grey, `_SIDE` x `_SIDE` means of the template, centred, of unit length."""
    import cv2

    whole = np.frombuffer(crop, np.uint8).reshape(size, size, 3)[margin : size - margin, margin : size - margin]
    grey = cv2.resize(cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    centred = grey.astype(np.float32).reshape(-1) - np.float32(grey.mean())
    length = np.float32(np.linalg.norm(centred))
    mark: Signatures = (centred / length if length else centred).astype(np.float16)  # moves a correlation by 1e-4
    return mark


def table(found: Sequence[Twin], rows: Sequence[CropRow]) -> bytes:
    """`duplicates.csv`."""
    lines: list[Sequence[object]] = [_COLUMNS]
    for twin in found:
        a, b = rows[twin.row], rows[twin.of]
        kind, likeness = "exact" if twin.exact else "near", f"{twin.likeness:.4f}"
        lines.append((kind, a.row, a.source, a.identity, b.row, b.source, b.identity, likeness))
    return csv_bytes(lines)


def summary(found: Sequence[Twin], rows: Sequence[CropRow], file: str) -> list[str]:
    """What a person should know, as notes."""
    notes = []
    if found:
        exact = _photos([twin for twin in found if twin.exact], rows)
        near = _photos([twin for twin in found if not twin.exact], rows)
        other = _photos([twin for twin in found if rows[twin.row].identity != rows[twin.of].identity], rows)
        notes.append(
            f"Duplicates: {exact} photos have the bytes of an earlier one, {near} look like one; "
            f"{other} of them stand under another name ({file})."
        )
    if len(rows) - sum(twin.exact for twin in found) > MOST:  # those that `twins` would have compared
        notes.append(f"Near duplicates were not looked for: there are more than {MOST:,} crops.")
    return notes


def _photos(found: Sequence[Twin], rows: Sequence[CropRow]) -> int:
    """Photos of these crops; one may show several faces."""
    return len({rows[twin.row].source for twin in found})


def _near(marks: Signatures, sources: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Each row with the most similar one before it, where that is near; rows of one photo are not compared."""
    for start in range(0, len(marks), _CHUNK):
        rows = marks[start : start + _CHUNK].astype(np.float32)
        best, which = np.full(len(rows), -1, np.float32), np.zeros(len(rows), int)
        for begin in range(0, start + 1, _CHUNK):
            likeness = rows @ marks[begin : begin + _CHUNK].astype(np.float32).T
            if begin == start:
                likeness[np.triu_indices(len(rows))] = -1  # itself, and those that come later
            at = likeness.argmax(1)
            value = likeness[np.arange(len(rows)), at]
            better = value > best
            best[better], which[better] = value[better], at[better] + begin
        for k in np.flatnonzero(best >= NEAR):
            a, b = start + int(k), int(which[k])
            if sources[a] != sources[b]:
                yield a, b, round(min(float(best[k]), 1.0), 4)
