"""Which rows of a report may stand in one picture, one table, one sentence: valid lanes of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .report import Report, Row


@dataclass(frozen=True)
class Comparable:
    """What one picture may compare: valid lanes of one kind, on one machine."""

    kind: str  # "one thread", "2 threads", "GPU"
    rows: tuple[Row, ...]  # one per artifact
    missing: tuple[str, ...]  # artifacts that were timed, without a valid lane of this kind on this machine
    machine: str


def comparable(report: Report) -> Comparable:
    """One valid lane per artifact, all on one machine and with one thread; where none is valid, the next larger number, then GPU."""
    timed = [row for row in report.rows if row.status == "timed" and row.burst is not None and row.accuracy is not None]
    valid = sorted(one_machine([row for row in timed if row.valid]), key=_kind)
    rows: dict[str, Row] = {}
    for row in valid:
        if _kind(row) == _kind(valid[0]):
            rows.setdefault(row.artifact, row)
    missing = tuple(dict.fromkeys(row.artifact for row in timed if row.artifact not in rows))
    kind, machine = (_kind_name(valid[0]), valid[0].machine) if valid else ("", "")
    return Comparable(kind, tuple(rows.values()), missing, machine)


def one_machine(rows: Sequence[Row]) -> list[Row]:
    """Those of the machine measured last: milliseconds of two machines are never held against each other."""
    if not rows:
        return []
    newest = max(rows, key=lambda row: (row.date, row.run)).machine
    return [row for row in rows if row.machine == newest]


def _kind(row: Row) -> tuple[bool, int]:
    return row.key.endswith("-gpu"), row.threads


def _kind_name(row: Row) -> str:
    return "GPU" if row.key.endswith("-gpu") else "one thread" if row.threads == 1 else f"{row.threads} threads"
