"""Which records a report shows: of each lane the newest, of one name one file, without nobody's time and other faces."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from .faces import Data
from .machine import emulation
from .record import Record
from .run import Run


def newest(records: Iterable[Record]) -> tuple[list[Record], list[Record]]:
    """Newest record per (artifact's name, lane asked for, machine), in the order of the tables; and what is left out.

    Left out are lanes on record with an older file alone: their artifact has been made anew under the same name.
    """
    ordered = sorted(records, key=lambda one: (one.date, one.run))
    files = {one.artifact.name: one.artifact.sha256 for one in ordered}
    found = {_lane(one): one for one in ordered if one.artifact.sha256 == files[one.artifact.name]}
    left = {_lane(one): one for one in ordered if _lane(one) not in found}
    return sorted(found.values(), key=_place), sorted(left.values(), key=_place)


def without_nobodys_time(one: Record) -> Record:
    """Of an emulated machine, whoever wrote the record, no time reaches a page, and the row says why."""
    against = emulation(one.machine)
    if not against:
        return one
    return dataclasses.replace(
        one,
        status="parity" if one.status == "timed" else one.status,
        valid=False,
        cold=None,
        memory=None,
        burst=(),
        paced=(),
        reasons=tuple(dict.fromkeys((*against, *one.reasons))),
    )


def on_these_faces(one: Record, facts: Run | None, own: Run | None) -> Record:
    """Accuracy on other faces than the report's is left out, because nobody could compare it.

    Args:
        facts: the run whose faces the report names.
        own: the run of the record, where it is known: another split of one crop set may test as many photos.
    """
    data, found = facts.data if facts else None, one.accuracy
    if data is None or found is None:
        return one
    same = (found.sha256, found.photos) == (data.sha256, data.photos)
    if same and (own is None or own.data is None or same_faces(own.data, data)):
        return one
    note = f"its accuracy was measured on other faces ({found.source}) and is not shown"
    return dataclasses.replace(one, accuracy=None, notes=(*one.notes, note))


def same_faces(one: Data, other: Data) -> bool:
    """Whether two runs measured on the same people of one crop set."""
    return (one.sha256, set(one.test)) == (other.sha256, set(other.test))


def _lane(one: Record) -> tuple[str, str, str]:
    return one.artifact.name, one.asked.key, one.machine.cpu


def _place(one: Record) -> tuple[object, ...]:
    recipes = ("fp32", "fp16", "int8")
    recipe = recipes.index(one.artifact.recipe) if one.artifact.recipe in recipes else len(recipes)
    return (
        one.machine.cpu,
        one.artifact.network,
        one.artifact.format != "tflite",
        recipe,
        one.artifact.name,
        one.asked.delegate != "cpu",
        one.asked.threads,
    )
