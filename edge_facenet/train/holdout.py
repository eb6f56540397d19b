"""Who is held out of a crop set of several sources: so many people of each, with enough photos to be judged on.

A person may stand in two sources under one name (`a/celeba_12`, `b/celeba_12`). Whoever is held out in one is then
in no part of the split in the others, so that nobody is trained on whom results come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..schema import doc, nearest
from ..verification import Split, person_of


@dataclass(frozen=True)
class Quota:
    """How many people of one source are held out."""

    source: str = doc("first part of the names `source/person`")
    people: int = doc("people held out")
    least_photos: int = doc("each with at least this many photos", 4)

    def __post_init__(self) -> None:
        if self.people < 1 or self.least_photos < 1:
            raise ValueError(f"people and least_photos are at least 1, found {self.people} and {self.least_photos}.")


def hold_out(photos: Mapping[str, int], quotas: Sequence[Quota], seed: int) -> Split:
    """The people of the quotas calibrate; all others train, but for namesakes of those held out.

    Args:
        photos: number of photos by name `source/person`, in the crop set's order.
        seed: of the choice.
    Raises:
        InputError: a source that is not there, or has too few such people.
    """
    rng = np.random.default_rng(seed)
    held: set[str] = set()
    for quota in quotas:
        held |= _chosen(photos, quota, rng, {person_of(name) for name in held})
    persons = {person_of(name) for name in held}
    train = tuple(name for name in photos if person_of(name) not in persons)
    return Split(seed, train, tuple(name for name in photos if name in held), ())


def _chosen(photos: Mapping[str, int], quota: Quota, rng: np.random.Generator, taken: set[str]) -> set[str]:
    there = [name for name in photos if name.startswith(f"{quota.source}/")]
    if not there:
        sources = {name.partition("/")[0] for name in photos if "/" in name} or {"(none)"}
        raise InputError(
            f'No named face of source "{quota.source}" in this crop set ({nearest(quota.source, sources)})'
        )
    able = sorted(name for name in there if photos[name] >= quota.least_photos)
    if len(able) < quota.people:
        raise InputError(
            f'Source "{quota.source}" has {len(able)} people with at least {quota.least_photos} photos, '
            f"{quota.people} are to be held out. Lower people or least_photos of split.quotas."
        )
    first = {able[place] for place in rng.choice(len(able), quota.people, replace=False)}
    chosen = {name for name in first if person_of(name) not in taken}
    others = [name for name in able if name not in first and person_of(name) not in taken]
    if len(others) < (missing := quota.people - len(chosen)):
        raise InputError(
            f'Source "{quota.source}" has {len(chosen) + len(others)} people with at least {quota.least_photos} photos who are '
            f"not held out of another source, {quota.people} are to be held out. Lower people or least_photos of split.quotas."
        )
    return chosen | {others[place] for place in rng.choice(len(others), missing, replace=False)} if missing else chosen
