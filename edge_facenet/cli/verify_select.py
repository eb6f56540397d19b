"""Which crops `verify` compares with which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..photos.cropset import CropSet
from ..verification import MAX_PAIRS, Pairs, Split, all_pairs, picture_index, read_pairs, sampled_pairs

SAMPLED = 1_000_000  # pairs of each kind, at most, when all are more than fit in memory


@dataclass(frozen=True)
class Selection:
    """Crops and their pairs."""

    rows: NDArray[np.int64]  # rows of the crop set; `pairs` numbers them from 0
    pairs: Pairs
    described: str
    listed: int  # pairs asked for
    missing: tuple[str, ...] = ()  # pictures of the pair file that are not in the crop set
    file_order: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """What the options say about which pairs."""

    pairs: Path | None
    allow_missing: bool
    split: Split | None
    part: str
    per_person: int | None


def choose(cropset: CropSet, choice: Choice, seed: int) -> Selection:
    """The pairs asked for.

    Raises:
        InputError: options that do not go together, rather than one of them without effect.
    """
    if choice.pairs is not None:
        if choice.per_person is not None:
            raise InputError("--per-person draws photos of people; with --pairs the file says which. Leave one out.")
        return select_file(cropset, choice.pairs, choice.allow_missing)
    if choice.allow_missing:
        raise InputError(
            "--allow-missing is about the pictures of a pair file. Give one with --pairs, or leave it out."
        )
    if choice.split is None:
        if choice.part != "test":
            raise InputError(f"--part {choice.part} names people of a split. Give it with --split.")
        return select_people(cropset, None, seed, choice.per_person)
    return select_people(cropset, tuple(getattr(choice.split, choice.part)), seed, choice.per_person)


def select_file(cropset: CropSet, file: Path, allow_missing: bool) -> Selection:
    """The pairs of a file, in its order and its folds."""
    index = picture_index(row.source for row in cropset.rows)
    refused = {rejection.photo: rejection.reason for rejection in cropset.rejections()}
    listed = read_pairs(file, index, labels=cropset.labels, allow_missing=allow_missing, refused=refused)
    rows, places = np.unique(np.concatenate([listed.pairs.a, listed.pairs.b]), return_inverse=True)
    count = len(listed.pairs)
    pairs = replace(listed.pairs, a=places[:count], b=places[count:])
    notes = []
    if listed.missing:
        notes.append(
            f"{count:,} of {listed.listed:,} pairs found, {len(listed.missing):,} pictures missing, the first "
            f"{listed.missing[0]}: these figures are not {file.name}'s, and its folds are not kept"
        )
    file_order = pairs.fold is not None and not listed.missing
    return Selection(rows, pairs, f"pair file {file.name}", listed.listed, listed.missing, file_order, tuple(notes))


def select_people(
    cropset: CropSet, people: Sequence[str] | None, seed: int, per_person: int | None = None
) -> Selection:
    """All pairs of these people, or of everybody; a sample when all are too many.

    Args:
        per_person: at most so many photos of each, drawn by the seed.
    """
    if people is not None and not people:
        raise InputError("The split has no test people. Train with some, or leave out --split.")
    rows = np.flatnonzero(cropset.labels >= 0) if people is None else cropset.rows_of(people)
    notes = []
    if per_person is not None:
        whole, rows = len(rows), _drawn(rows, cropset.labels[rows], per_person, seed)
        notes.append(f"at most {per_person} photos per person, drawn with seed {seed}: {len(rows):,} of {whole:,}")
    described = "all pairs of " + ("everybody in the crop set" if people is None else "the split's people")
    labels, count = cropset.labels[rows], len(rows) * (len(rows) - 1) // 2
    if count <= MAX_PAIRS:
        return Selection(rows, all_pairs(labels), described, count, notes=tuple(notes))
    pairs = sampled_pairs(labels, SAMPLED, SAMPLED, seed)
    notes.append(f"all {count:,} pairs are too many; at most {SAMPLED:,} of each kind were drawn with seed {seed}")
    return Selection(rows, pairs, described.replace("all pairs", "sampled pairs"), len(pairs), notes=tuple(notes))


def _drawn(rows: NDArray[np.int64], labels: NDArray[np.int32], per_person: int, seed: int) -> NDArray[np.int64]:
    """Each person's draw depends on the seed and the person's own photos alone."""
    kept = []
    for person in np.unique(labels):
        mine = rows[labels == person]
        kept.append(np.sort(np.random.default_rng([seed, int(person)]).permutation(mine)[:per_person]))
    return np.sort(np.concatenate(kept)) if kept else rows
