"""Records that were made elsewhere, by the Android app or on another machine, put beside those of a report.

A file holds one record, or a list of them as the app shares it. What their samples say is judged here once more: a record
that calls itself valid and is not becomes invalid, with the reason.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_facenet.errors import InputError, OutputError
from edge_facenet.schema import doc

from . import record as records
from . import run as runs_module
from .judge import paced_faults, status_of, timing_faults
from .machine import emulation
from .record import Record
from .report import RECORDS
from .timing import summarise

LARGEST = 64_000_000
"""Bytes of one file; a long run of the app's four lanes has 1 MB."""
_NAME = re.compile(r'(?!\.)[^/\\<>:"|?*\x00-\x1f\x7f-\x9f\ud800-\udc7f\udd00-\udfff]+')
"""What can be part of a file's name wherever records are read: bytes that are no UTF-8 (`\\udc80` to `\\udcff`) can."""


@dataclass(frozen=True)
class Taken:
    """What one import did."""

    records: int = doc("records that were put in")
    known: int = doc("records that were there already")
    doubted: int = doc("records that called themselves valid, and are not by their own samples")
    runs: tuple[str, ...] = doc("their runs")
    machines: tuple[str, ...] = doc("where they were measured")

    def __str__(self) -> str:
        """'4 records of 1 run imported (Google Pixel 8), 0 known already.'"""
        doubt = f" {self.doubted} called themselves valid and are not; their rows say why." if self.doubted else ""
        plural = "" if self.records == 1 else "s"
        runs = f"{len(self.runs)} run{'' if len(self.runs) == 1 else 's'}"
        return f"{self.records} record{plural} of {runs} imported ({', '.join(self.machines)}), {self.known} known already.{doubt}"


def take(paths: Sequence[Path], out: Path) -> Taken:
    """Put the records in `paths`, files or folders of them, below `out`; all of them, or none when one is refused.

    Raises:
        InputError: not a record, damaged, of a newer schema, or with a name that fits no file.
        OutputError: another record of the same run and lane is there already, or the place cannot be written.
    """
    places = _files(paths)
    about = [runs_module.read(path) for path in places if path.name == runs_module.NAME]
    found = [one for path in places if path.name != runs_module.NAME for one in _read(path)]
    if not found:
        raise InputError(
            f"There is no record in {', '.join(map(str, paths))}. Give the files beside {runs_module.NAME}, too."
        )
    judged = [_judged(one) for one in found]
    missing: dict[Path, Record] = {}
    for one in judged:
        place = _place(out, one)
        there = missing.get(place) or (records.read(place) if place.exists() else None)
        if there is None:
            missing[place] = one
        elif there != one:
            raise OutputError(
                f"{place} holds another record of this run and lane. Import into another folder, or remove it first."
            )
    for place, one in missing.items():
        records.write(place.parent, one)
    for run in about:  # faces, baselines and gaps of records from another machine
        folder = out / RECORDS / run.run
        if _NAME.fullmatch(run.run) and folder.is_dir() and not (folder / runs_module.NAME).exists():
            runs_module.write(folder, run)
    doubted = sum(before.valid and not after.valid for before, after in zip(found, judged, strict=True))
    runs, machines = (dict.fromkeys(name) for name in zip(*((one.run, one.machine.cpu) for one in judged), strict=True))
    return Taken(len(missing), len(judged) - len(missing), doubted, tuple(runs), tuple(machines))


def _files(paths: Sequence[Path]) -> list[Path]:
    found = []
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path} holds no .json file. Give the file that the app shared.")
        found += inside
    return found


def _read(path: Path) -> list[Record]:
    if path.is_file() and path.stat().st_size > LARGEST:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes, the limit is {LARGEST:,}. It is no record.")
    value = records.read_json(path)
    several = value if isinstance(value, list) else [value]
    if not several:
        raise InputError(f"{path} holds no record. Measure on the phone again and share the new file.")
    return [
        _sound(records.parse(one, f"record {number} of {path.name}", path)) for number, one in enumerate(several, 1)
    ]


def _sound(one: Record) -> Record:
    """The record, when its samples can be times at all."""
    least = min((sample for block in (*one.burst, *one.paced) for sample in block.samples_ns), default=1)
    if least < 1:
        raise InputError(
            f"A record of {one.artifact.name} has a call of {least} ns. No call takes that; measure again."
        )
    return one


def _place(out: Path, one: Record) -> Path:
    for what, name in (("run", one.run), ("artifact.name", one.artifact.name), ("asked.engine", one.asked.engine)):
        if not _NAME.fullmatch(name):
            raise InputError(
                f"A record's {what} is {name[:60]!r}, which cannot be part of a file's name: it is empty, begins with a dot, "
                'or holds a control character or one of / \\ < > : " | ? *.'
            )
    return out / RECORDS / one.run / f"{one.artifact.name}.{one.asked.key}.json"


def _judged(one: Record) -> Record:
    """The record, believed no more than its own samples allow."""
    reasons = emulation(one.machine)
    if one.status == "timed":
        reasons += timing_faults(summarise(one.burst), one.plan) + paced_faults(summarise(one.paced))
        if one.ran is not None:
            status, against = status_of(one.asked, one.ran)
            reasons += against or (
                (f"ran on {one.ran.adapter}, whose time is never given",) if status == "parity" else ()
            )
    if not one.valid or not (reasons or one.reasons):
        return one
    return dataclasses.replace(one, valid=False, reasons=tuple(dict.fromkeys((*one.reasons, *reasons))))
