"""The conductor: opens every lane in its own process, runs them in turn, asks for embeddings, writes down what happened.

    open A, open B, …   | round 1: A B C … | round 2: A B C … | … | self-test and embeddings of A, B, … | records

All lanes stay open while they take turns, so that whatever the machine does meanwhile (heat, neighbours) hits all alike;
only one of them works at a time. Each block starts with a few calls that are not recorded.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edge_facenet.schema import from_json

from . import judge, machine
from .child import Child, LaneFailed, LaneSilent, Process
from .faces import TIMED, Faces, Rows
from .lanes import Lane, Ran
from .record import SCHEMA_VERSION, Accuracy, Agreement, Artifact, Cold, Memory, Record, Status
from .run import Gap
from .timing import Block, Plan, summarise

Progress = Callable[[int, int], None]
OPEN_TIMEOUT = 300.0
"""Seconds; a GPU driver that compiles shaders on the CPU was seen to need 97."""
EMBED_TIMEOUT = 900.0
"""Seconds, and twice what all faces take at the lane's own pace: a board that throttles may lose half its speed."""


@dataclass(frozen=True)
class Entry:
    """A lane to measure: an artifact, by its manifest's path, on an engine."""

    path: Path
    artifact: Artifact
    lane: Lane


@dataclass(frozen=True)
class Result:
    """Records in the order of the entries, and the accuracy differences between recipes."""

    records: tuple[Record, ...]
    gaps: tuple[Gap, ...]


@dataclass
class _Track:
    """What is known of a lane so far."""

    entry: Entry
    child: Child | None = None
    status: Status = "not run"
    ran: Ran | None = None
    cold: Cold | None = None
    memory: Memory | None = None
    burst: list[Block] = field(default_factory=list)
    paced: list[Block] = field(default_factory=list)
    embeddings: Rows | None = None
    accuracy: Accuracy | None = None
    agreement: Agreement | None = None
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any] | None:
        """The child's answer; None when the lane is over, whose reason is then on record."""
        if self.child is None:
            return None
        try:
            return self.child.ask(command, timeout)
        except LaneFailed as failure:
            self.fail(str(failure))
            return None

    def embed(self, crops: Path, out: Path) -> None:
        """Embeddings of all crops. Silence costs them and the accuracy alone: what was timed stands, with a note."""
        if self.child is None:
            return
        pace = summarise(self.burst)
        needed = 2 * len(np.load(crops, mmap_mode="r")) * pace.p50_ms / 1000 if pace else 0.0
        try:
            self.child.ask({"do": "embed", "faces": str(crops), "out": str(out)}, EMBED_TIMEOUT + needed)
            self.embeddings = np.load(out)
        except LaneSilent as silence:
            self.notes.append(f"{silence}: its accuracy and its self-test are not known")
            self.close()
        except LaneFailed as failure:
            self.fail(str(failure))

    def fail(self, reason: str) -> None:
        """End the lane; what it measured before is not printed."""
        self.reasons.append(reason)
        self.status = "not run"
        self.close()

    def close(self) -> None:
        if self.child is not None:
            self.child.close()
            self.child = None


class Bench:
    """One run over some lanes."""

    def __init__(
        self,
        entries: Sequence[Entry],
        faces: Faces,
        plan: Plan,
        spawn: Callable[[], Child] = Process,
        on_progress: Progress | None = None,
    ) -> None:
        self._tracks = [_Track(entry) for entry in entries]
        self._faces, self._plan, self._spawn = faces, plan, spawn
        self._machine = machine.describe()
        self._states = [self._machine.before]
        self._begun = datetime.now(UTC)
        self._done, self._total = 0, (plan.rounds + 2) * len(self._tracks)
        self._on_progress = on_progress

    @property
    def run_name(self) -> str:
        """Identifies this run: its start in UTC."""
        return self._begun.strftime("%Y%m%dT%H%M%S%fZ")

    @property
    def date(self) -> str:
        """Start of the run, ISO 8601."""
        return self._begun.isoformat(timespec="seconds")

    def measure(self) -> Result:
        """Run everything. A lane that fails becomes a record with its reason; the others go on."""
        try:
            with tempfile.TemporaryDirectory(prefix="edge-facenet-bench-") as folder:
                self._open(Path(folder))
                self._rounds()
                self._states.append(machine.observe())
                self._embed(Path(folder))
        finally:
            for track in self._tracks:
                track.close()
        self._judge()
        return Result(tuple(self._record(track) for track in self._tracks), self._gaps())

    def _open(self, folder: Path) -> None:
        for track in self._tracks:
            crops = _crops_file(folder, self._faces, track.entry.artifact.size, TIMED)
            track.child = self._spawn()
            lane = track.entry.lane
            command = {"do": "open", "artifact": str(track.entry.path), "engine": lane.engine, "threads": lane.threads}
            if answer := track.ask({**command, "faces": str(crops)}, OPEN_TIMEOUT):
                self._opened(track, answer)
            self._step()

    def _opened(self, track: _Track, answer: dict[str, Any]) -> None:
        track.ran = from_json(Ran, answer["ran"], "answer of a lane's process")
        track.status, reasons = judge.status_of(track.entry.lane, track.ran)
        track.notes.extend(judge.notes_of(track.ran, track.status))
        if self._machine.emulated and track.status == "timed":
            track.status = "parity"  # nobody's time: none is taken, so none can be mistaken for a device's
        if track.status == "timed":
            track.cold = from_json(Cold, answer["cold"], "answer of a lane's process")
            track.memory = from_json(Memory, answer["memory"], "answer of a lane's process")
        if track.status == "not run":
            track.fail("; ".join(reasons))

    def _rounds(self) -> None:
        number = 0
        while number < self._plan.rounds or not all(judge.done(t.burst, self._plan) for t in self._timed()):
            for track in self._timed():
                if not judge.done(track.burst, self._plan):
                    self._block(track)
                self._step(number < self._plan.rounds)
            self._states.append(machine.observe())
            number += 1

    def _timed(self) -> list[_Track]:
        return [track for track in self._tracks if track.status == "timed"]

    def _block(self, track: _Track) -> None:
        plan = self._plan
        timeout = 120 + 2 * plan.patience
        per_round = {"warmup": plan.warmup, "max_calls": -(-plan.max_calls // plan.rounds)}
        duration = int(plan.seconds * 1e9 / plan.rounds)
        if answer := track.ask({"do": "burst", "duration_ns": duration, **per_round}, timeout):
            track.burst.append(from_json(Block, answer, "answer of a lane's process"))
        calls = round(plan.paced_seconds * 1000 / plan.period_ms / plan.rounds)
        if len(track.paced) >= plan.rounds or calls < 1:
            return
        command = {"do": "paced", "calls": calls, "period_ns": int(plan.period_ms * 1e6), "warmup": plan.warmup}
        if answer := track.ask(command, timeout):
            track.paced.append(from_json(Block, answer, "answer of a lane's process"))

    def _embed(self, folder: Path) -> None:
        """Self-test and embeddings; a software adapter embeds a few faces alone, because each takes it a second."""
        for number, track in enumerate(self._tracks):
            if track.child is None:
                self._step()
                continue
            limit = TIMED if track.status == "parity" else None
            crops = _crops_file(folder, self._faces, track.entry.artifact.size, limit)
            track.embed(crops, folder / f"embeddings-{number}.npy")
            status = track.status
            if track.ask({"do": "check"}, OPEN_TIMEOUT) is None and track.embeddings is not None:
                track.status = status  # what was measured stands, marked as not to be trusted
            track.close()
            self._step()

    def _judge(self) -> None:
        for track in self._tracks:
            if track.status == "timed":
                track.reasons.extend(judge.timing_faults(summarise(track.burst), self._plan))
                track.reasons.extend(judge.paced_faults(summarise(track.paced)))
            if track.embeddings is None:
                continue
            found, faults = self._faces.accuracy(track.embeddings)
            track.accuracy = None if faults else found
            track.reasons.extend(faults)
            reference = self._reference(track)
            if reference is not None and reference.embeddings is not None:
                name = f"{reference.entry.artifact.name}, {reference.entry.lane.title}"
                track.agreement = judge.agreement(track.embeddings, reference.embeddings, name)
                track.reasons.extend(judge.agreement_faults(track.agreement))

    def _reference(self, track: _Track) -> _Track | None:
        """The first CPU lane of the same artifact."""
        for other in self._tracks:
            same = other.entry.path == track.entry.path and other.entry.lane.delegate == "cpu"
            if same and other.embeddings is not None and other.status != "not run":
                return None if other is track else other
        return None

    def _record(self, track: _Track) -> Record:
        reasons, notes = machine.judge(self._states, self._machine.cores)
        here = dataclasses.replace(self._machine, after=self._states[-1], reasons=reasons, notes=notes)
        against = (*machine.emulation(here), *track.reasons, *(reasons if track.status == "timed" else ()))
        return Record(
            schema=SCHEMA_VERSION,
            run=self.run_name,
            date=self.date,
            artifact=track.entry.artifact,
            asked=track.entry.lane,
            status=track.status,
            valid=track.status != "not run" and not against,
            machine=here,
            plan=self._plan,
            ran=track.ran,
            cold=track.cold,
            burst=tuple(track.burst) if track.status == "timed" else (),
            paced=tuple(track.paced) if track.status == "timed" else (),
            memory=track.memory,
            accuracy=track.accuracy,
            agreement=track.agreement,
            reasons=against,
            notes=tuple(track.notes),
        )

    def _gaps(self) -> tuple[Gap, ...]:
        """Accuracy of each recipe minus fp32's, through the first lane of each."""
        first: dict[str, _Track] = {}
        for track in self._tracks:
            if track.accuracy is not None:
                first.setdefault(track.entry.artifact.name, track)
        gaps = []
        for track in first.values():
            this = track.entry.artifact
            for other in first.values():
                that = other.entry.artifact
                if (that.network, that.format, that.recipe) == (this.network, this.format, "fp32") and this != that:
                    gaps.append(self._gap(track, other))
        return tuple(gaps)

    def _gap(self, track: _Track, other: _Track) -> Gap:
        assert track.embeddings is not None and other.embeddings is not None
        found = self._faces.difference(track.embeddings, other.embeddings)
        this, that = track.entry.artifact, other.entry.artifact
        return Gap(this.name, this.sha256, that.name, round(found.points, 3), found.interval)

    def _step(self, counts: bool = True) -> None:
        self._done += counts
        if self._on_progress is not None:
            self._on_progress(min(self._done, self._total), self._total)


def _crops_file(folder: Path, faces: Faces, size: int, limit: int | None) -> Path:
    path = folder / f"faces-{size}-{limit or 'all'}.npy"
    if not path.exists():
        np.save(path, faces.cut(size)[:limit])
    return path
