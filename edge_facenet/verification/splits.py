"""Who is trained on, who sets thresholds, who is only tested: a split by person, never by photo."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import files
from ..errors import InputError
from ..schema import doc, from_json, to_json

MIN_TRAIN = 2  # a loss over identities needs at least two of them


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of people, each in the order the crop set names them (natural order)."""

    seed: int = doc("seed of the permutation")
    train: tuple[str, ...] = doc("people the network is trained on")
    calibrate: tuple[str, ...] = doc("people that parity and thresholds come from")
    test: tuple[str, ...] = doc("people that results come from; nothing else ever sees them")

    def __post_init__(self) -> None:
        people = [*self.train, *self.calibrate, *self.test]
        if len(set(people)) != len(people):
            twice = sorted({p for p in people if people.count(p) > 1})
            raise ValueError(f"people in two parts of the split, or twice in one: {', '.join(twice[:5])}")


def split_identities(identities: Sequence[str], calibrate: int | float, test: int | float, seed: int) -> Split:
    """Split people by `default_rng(seed).permutation`: the first are test, the next calibrate, the rest train.

    One person may stand in two sources under one name (`a/celeba_12`, `b/celeba_12`). Whoever is held out is so under one
    name, and the other is in no part: nobody is trained on whom results come from, or taken for two people by them.

    Args:
        identities: distinct names in natural order, as `CropSet.identities`; `source/person` where there are several sources.
        calibrate, test: an int is a number of people, a float a share in [0, 1), rounded, at least one person above 0.
    Raises:
        InputError: a name twice, or fewer than two people left to train on.
    """
    count = len(identities)
    if len(set(identities)) != count:
        raise InputError(f"Cannot split {count} people: a name occurs twice. Give each identity once.")
    n_calibrate, n_test = _people(calibrate, count, "calibrate"), _people(test, count, "test")
    if count - n_calibrate - n_test < MIN_TRAIN:
        raise InputError(
            f"Cannot split {count} people into {n_test} test and {n_calibrate} calibrate: training needs at least "
            f"{MIN_TRAIN} more. Add people, or ask for fewer."
        )
    order = np.random.default_rng(seed).permutation(count)

    taken: set[str] = set()

    def held(chosen: np.ndarray) -> tuple[str, ...]:
        names: list[str] = []
        for i in sorted(chosen.tolist()):
            if person_of(identities[i]) not in taken:
                taken.add(person_of(identities[i]))
                names.append(identities[i])
        return tuple(names)

    tested, calibrating, others = np.split(order, [n_test, n_test + n_calibrate])
    test_names, calibrate_names = held(tested), held(calibrating)
    train_names = tuple(identities[i] for i in sorted(others.tolist()) if person_of(identities[i]) not in taken)
    if len(set(map(person_of, train_names))) < MIN_TRAIN:
        raise InputError(
            f"Cannot split {count} names: {len(train_names)} are left to train on, the others are of people held out under "
            f"another name. Add people, or hold out fewer."
        )
    return Split(seed, train_names, calibrate_names, test_names)


def person_of(name: str) -> str:
    """Who a name of a crop set means, whatever source it stands in.

    >>> person_of("a/celeba_12"), person_of("Ann")
    ('celeba_12', 'Ann')
    """
    source, slash, person = name.partition("/")
    return person if slash else source


def read_split(path: Path) -> Split:
    """Read a run's `split.json`.

    Raises:
        InputError: missing, not JSON, not a split, or a person in two parts.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"Cannot read split {path}: {error.strerror}. A run's folder holds it as split.json."
        ) from error
    except ValueError as error:
        raise InputError(f"Split {path} is not JSON: {error}.") from error
    return from_json(Split, value, f"split {path.name}", InputError)


def write_split(path: Path, split: Split) -> None:
    """Write a split as JSON in one step."""
    files.write_json(path, to_json(split))


def _people(wanted: int | float, count: int, part: str) -> int:
    if isinstance(wanted, float):
        if not 0 <= wanted < 1:
            raise InputError(
                f"{part}: a share lies in [0, 1), found {wanted:g}. Give a number of people as an integer."
            )
        return max(1, round(wanted * count)) if wanted > 0 else 0
    if wanted < 0:
        raise InputError(f"{part}: cannot take {wanted} people.")
    return wanted
