"""Pair files: LFW's pairs.txt and a plain CSV, and finding their pictures among a crop set's sources."""

from __future__ import annotations

import csv
import difflib
import io
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .pairs import Pairs

_SAME = {
    "1": True,
    "true": True,
    "same": True,
    "yes": True,
    "0": False,
    "false": False,
    "different": False,
    "no": False,
}


@dataclass(frozen=True, eq=False)
class PairList:
    """What a pair file asks for, as far as it was found."""

    pairs: Pairs  # found, in the file's order
    listed: int  # pairs in the file
    missing: tuple[str, ...]  # pictures not found, in the file's order, each once
    names: tuple[tuple[str, str], ...]  # both pictures of each pair found, as the file names them


class _Entry(NamedTuple):
    a: tuple[str, ...]  # spellings under which the picture may be known, the file's own first
    b: tuple[str, ...]
    same: bool
    people: tuple[str, str] | None
    fold: int


def read_pairs(
    file: Path,
    index: Mapping[str, int],
    *,
    labels: ArrayLike | None = None,
    allow_missing: bool = False,
    refused: Mapping[str, str] | None = None,
) -> PairList:
    """Read LFW's pairs.txt (tabs or spaces, any header) or a CSV `a,b,same`, and find each picture's row.

    LFW's `NAME 1` is the picture NAME_0001, or NAME/1. A CSV names pictures by stem or by path, with or without suffix;
    `same` is 1/0, true/false or same/different. Nothing is matched that merely looks alike.

    Args:
        index: row number by picture name, as `picture_index` makes it.
        labels: (rows,) identity number per row, negative = unlabelled. Without them people are the file's names (LFW), or
            groups of pictures that the file calls the same person (CSV).
        allow_missing: score the pairs found when some are not; otherwise one missing picture withholds the result.
        refused: why `prepare` left pictures out, by path: the first missing one's reason is told.
    Raises:
        InputError: unreadable, not a pair list, not as long as its header says, nothing found, or pictures missing.
    """
    entries = _parse(file)
    known = {_key(name): row for name, row in index.items()}
    rows = [(_find(e.a, known), _find(e.b, known)) for e in entries]
    found = [n for n, (a, b) in enumerate(rows) if a is not None and b is not None]
    gone = [
        names[0]
        for e, pair in zip(entries, rows, strict=True)
        for names, row in zip(e[:2], pair, strict=True)
        if row is None
    ]
    missing = tuple(dict.fromkeys(gone))
    if missing and not (allow_missing and found):
        why = _why_missing(missing[0], known, picture_reasons(refused or {}))
        raise InputError(_refusal(file, (len(found), len(entries)), missing, why))
    kept = [entries[n] for n in found]
    a = np.array([rows[n][0] for n in found], np.int64)
    b = np.array([rows[n][1] for n in found], np.int64)
    same = np.array([e.same for e in kept], bool)
    identity_a, identity_b = _identities(kept, a, b, labels)
    folds = np.array([e.fold for e in kept], np.int64)
    pairs = Pairs(a, b, same, identity_a, identity_b, folds if folds.max() > 0 else None)
    return PairList(pairs, len(entries), missing, tuple((e.a[0], e.b[0]) for e in kept))


def picture_index(sources: Iterable[str]) -> dict[str, int]:
    """Row by picture name, for `read_pairs`: the path (of several faces the first, the photo's subject); the path without suffix and the stem where only one has it.

    >>> picture_index(["s1/1.pgm", "s2/1.pgm", "Ann/Ann_0001.jpg"])["Ann_0001"]
    2
    """
    index: dict[str, int] = {}
    shorter: dict[str, list[int]] = {}
    for row, source in enumerate(sources):
        path = source.replace("\\", "/")
        if path in index:  # a photo's subject comes before its other faces
            continue
        index[path] = row
        bare = posixpath.splitext(path)[0]
        for name in {bare, posixpath.basename(bare)}:
            shorter.setdefault(name, []).append(row)
    for name, rows in shorter.items():
        if len(rows) == 1:
            index.setdefault(name, rows[0])
    return index


def picture_reasons(refused: Mapping[str, str]) -> dict[str, str]:
    """Reasons by path, and by everything `picture_index` would call it."""
    reasons = list(refused.values())
    return {name: reasons[row] for name, row in picture_index(refused).items()}


def _parse(file: Path) -> list[_Entry]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"Cannot read pair file {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"Pair file {file} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(f"Pair file {file} is empty.")
    entries = _parse_csv(file, text) if "," in lines[0][1] and "\t" not in lines[0][1] else _parse_lfw(file, lines)
    if not entries:
        raise InputError(f"Pair file {file} holds a header and no pairs.")
    return entries


def _parse_lfw(file: Path, lines: Sequence[tuple[int, str]]) -> list[_Entry]:
    header = [int(w) for w in lines[0][1].split()] if re.fullmatch(r"\d+(\s+\d+)?", lines[0][1]) else []
    body = lines[1:] if header else lines
    sets, per_kind = (header if len(header) == 2 else [1, *header]) if header else (1, 0)
    if per_kind and len(body) != 2 * sets * per_kind:
        raise InputError(
            f"Pair file {file} announces {sets} x 2 x {per_kind} = {2 * sets * per_kind:,} pairs and holds {len(body):,}. "
            "It is cut short or edited; get it again."
        )
    return [
        _lfw_entry(file, number, line, place // (2 * per_kind) if per_kind else 0)
        for place, (number, line) in enumerate(body)
    ]


def _lfw_entry(file: Path, number: int, line: str, fold: int) -> _Entry:
    words = [w.strip() for w in line.split("\t")] if "\t" in line else line.split()
    if len(words) == 3:
        words = [words[0], words[1], words[0], words[2]]
        same = True
    else:
        same = False
    if len(words) != 4 or not (words[1].isdecimal() and words[3].isdecimal()):
        raise InputError(
            f"Pair file {file}, line {number}: expected NAME N N or NAME N NAME N, found {line[:60]!r}. Names with spaces "
            "need tabs between the columns."
        )
    a, b = _lfw_names(words[0], words[1]), _lfw_names(words[2], words[3])
    return _Entry(a, b, same, (words[0], words[2]), fold)


def _lfw_names(name: str, number: str) -> tuple[str, ...]:
    stem = f"{name}_{int(number):04d}"
    return stem, f"{name}/{stem}", f"{name}/{int(number)}"


def _parse_csv(file: Path, text: str) -> list[_Entry]:
    reader, entries = csv.reader(io.StringIO(text, newline="")), []
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InputError(
            f"Pair file {file}, line {reader.line_num}: {error}. A quotation mark may stand there without its second one."
        ) from error
    for number, row in enumerate(rows, 1):
        words = [w.strip() for w in row]
        if not any(words) or (number == 1 and _is_header(words)):
            continue
        same = _SAME.get(words[2].lower()) if len(words) == 3 else None
        if same is None:
            raise InputError(
                f"Pair file {file}, line {number}: expected PICTURE,PICTURE,SAME with 1 or 0 in the third column; found "
                f"{','.join(row)[:60]!r}."
            )
        entries.append(_Entry(_csv_names(words[0]), _csv_names(words[1]), same, None, 0))
    return entries


def _is_header(words: Sequence[str]) -> bool:
    lower = [w.lower() for w in words]  # `x.jpg,y.jpg,same` in the first line is a pair
    return lower == ["a", "b", "same"] or (len(lower) == 3 and lower[2] in {"label", "issame", "is_same", "match"})


def _csv_names(name: str) -> tuple[str, ...]:
    path = name.replace("\\", "/")
    return name, path, posixpath.splitext(path)[0]


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name)  # one name in two Unicode spellings, as macOS and Linux write it


def _find(names: tuple[str, ...], known: Mapping[str, int]) -> int | None:
    return next((known[_key(n)] for n in names if _key(n) in known), None)


def _refusal(file: Path, found: tuple[int, int], missing: tuple[str, ...], why: str) -> str:
    text = f"{found[0]:,} of {found[1]:,} pairs found, first missing: {missing[0]}{why}"
    if not found[0]:
        return f"{text}. None of {file.name}'s pictures is in these crops; prepare the pictures it names."
    return (
        f"{text}; {len(missing):,} pictures are missing. The result is withheld, for it would be of other pairs than "
        f"{file.name}'s; --allow-missing scores those found."
    )


def _why_missing(name: str, known: Mapping[str, int], reasons: Mapping[str, str]) -> str:
    """What there is in a picture's place: a reason why it was left out, two of that name, or a name like it."""
    if reason := reasons.get(name):
        return f" (prepare left it out: {reason.rstrip('.')})"
    alike = [path for path in known if posixpath.splitext(posixpath.basename(path))[0] == posixpath.basename(name)]
    if len(alike) > 1:
        return f" (the crops hold more than one of that name: {', '.join(sorted(alike)[:3])})"
    close = difflib.get_close_matches(name, list(known)[:20_000], n=1, cutoff=0.6)
    return f' (the crops hold "{close[0]}")' if close else ""


def _identities(
    entries: Sequence[_Entry], a: NDArray[np.int64], b: NDArray[np.int64], labels: ArrayLike | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    known = None if labels is None else np.asarray(labels, np.int64)
    if known is not None and (known[a] >= 0).all() and (known[b] >= 0).all():
        return known[a], known[b]
    if all(e.people for e in entries):
        names = [_key(p[side]) for side in (0, 1) for e in entries if (p := e.people)]
        number = np.unique(names, return_inverse=True)[1].astype(np.int64)
        return number[: len(entries)], number[len(entries) :]
    group = _groups(entries, a, b)
    return np.array([group[r] for r in a.tolist()], np.int64), np.array([group[r] for r in b.tolist()], np.int64)


def _groups(entries: Sequence[_Entry], a: NDArray[np.int64], b: NDArray[np.int64]) -> dict[int, int]:
    """Pictures joined by pairs marked same are one person: union-find."""
    parent: dict[int, int] = {row: row for row in (*a.tolist(), *b.tolist())}

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for entry, first, second in zip(entries, a.tolist(), b.tolist(), strict=True):
        if entry.same:
            parent[root(first)] = root(second)
    return {row: root(row) for row in parent}
