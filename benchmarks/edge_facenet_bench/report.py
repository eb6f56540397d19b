"""Records and runs become one table of figures: the report, of which the pages are renderings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_facenet import files
from edge_facenet.errors import InputError
from edge_facenet.schema import doc, json_schema, to_json

from . import record as records_module
from . import run as runs_module
from .faces import Data
from .machine import Machine
from .record import Record
from .run import Baseline, Gap, Run
from .shown import newest, on_these_faces, same_faces, without_nobodys_time
from .timing import Plan, Summary, ratio, summarise

SCHEMA_VERSION = 1
RECORDS = "records"
STARTED = "· weights of "
"""In an artifact's provenance: the training began with weights that had learned before."""
FEW_PEOPLE = 1000
"""Below this many people a network trained from a random start is a demonstration: the smallest public training set that
gave a usable face embedder, CASIA-WebFace, has 10,575 (Yi et al., "Learning Face Representation from Scratch", 2014)."""


@dataclass(frozen=True)
class Row:
    """One lane."""

    artifact: str = doc("name of the manifest")
    network: str = doc("name that the recipes of one network share")
    format: str = doc("tflite or onnx")
    recipe: str = doc("fp32 fp16 int8 …")
    lane: str = doc("the lane that ran, for people")
    key: str = doc("the lane asked for, short")
    threads: int = doc("threads of the engine")
    status: str = doc("timed, parity, or not run")
    valid: bool = doc("whether the figures can be trusted")
    machine: str = doc("processor it ran on")
    date: str = doc("start of its run")
    run: str = doc("identifies the run")
    bytes: int = doc("size of the model file")
    size: int = doc("height and width of the input, px")
    muladds: int | None = doc("multiply-adds per face", None)
    import_ms: float | None = doc("importing the runtime, ms", None)
    load_ms: float | None = doc("opening the artifact in a fresh process, ms", None)
    first_ms: float | None = doc("its first face, ms", None)
    burst: Summary | None = doc("back-to-back calls", None)
    paced: Summary | None = doc("one call per camera frame", None)
    memory_bytes: int | None = doc("peak resident memory of the lane's process", None)
    accuracy: records_module.Accuracy | None = doc("on people never trained on, by this engine", None)
    agreement: records_module.Agreement | None = doc("against the reference lane of the same artifact", None)
    adapter: str | None = doc("the engine's own words for what did the work", None)
    reasons: tuple[str, ...] = doc("why the figures are not valid", ())
    notes: tuple[str, ...] = doc("what a reader should know", ())


@dataclass(frozen=True)
class Ratio:
    """Time of a recipe over that of fp32, same network, engine and threads, from interleaved rounds."""

    artifact: str = doc("name of the manifest")
    reference: str = doc("name of the fp32 manifest")
    lane: str = doc("the lane of both")
    machine: str = doc("processor both ran on")
    median: float = doc("median of the rounds' ratios of medians; below 1 is faster")
    low: float = doc("lowest round")
    high: float = doc("highest round")
    rounds: int = doc("rounds compared")
    valid: bool = doc("whether both lanes are valid")


@dataclass(frozen=True)
class Planned:
    """One way of measuring, and what was measured so."""

    plan: Plan = doc("how it was measured")
    places: tuple[str, ...] = doc("machines and runs of the lanes shown")


@dataclass(frozen=True)
class Report:
    """Everything the pages show."""

    schema: int = doc("version of this schema")
    title: str = doc("headline")
    date: str = doc("start of the newest run, ISO 8601, UTC")
    rows: tuple[Row, ...] = doc("one per lane, newest run of each")
    ratios: tuple[Ratio, ...] = doc("recipes against fp32")
    gaps: tuple[Gap, ...] = doc("accuracy differences between recipes")
    baselines: tuple[Baseline, ...] = doc("on the same pairs")
    machines: tuple[Machine, ...] = doc("where it was measured")
    plan: Plan = doc("how the newest lane was measured")
    plans: tuple[Planned, ...] = doc("how every lane shown was measured, newest first")
    data: Data | None = doc("the faces measured on", None)
    provenance: tuple[str, ...] = doc("data, start and terms of the weights", ())
    warning: str | None = doc("what must be known before any figure is believed", None)
    sentences: tuple[str, ...] = doc("how to read the figures", ())


def load(folder: Path) -> tuple[list[Record], list[Run]]:
    """Records and runs below a report's folder: records/RUN/*.json.

    Raises:
        InputError: none there, or a damaged one.
    """
    paths = sorted((folder / RECORDS).glob("*/*.json"))
    found = [records_module.read(path) for path in paths if path.name != runs_module.NAME]
    if not found:
        raise InputError(
            f"{folder} holds no records ({RECORDS}/*/*.json). Make some: edge-facenet bench ARTIFACT --out {folder}"
        )
    return found, [runs_module.read(path) for path in paths if path.name == runs_module.NAME]


def build(records: Sequence[Record], runs: Sequence[Run]) -> Report:
    """The report of all records: of each artifact, lane and machine the newest one, of each name the newest file."""
    records = [without_nobodys_time(one) for one in records]
    latest, left = newest(records)
    order = sorted(latest, key=lambda one: (one.date, one.run))
    facts, by_name = _newest_with_data(runs), {run.run: run for run in runs}
    return Report(
        schema=SCHEMA_VERSION,
        title="Face embedders, measured",
        date=order[-1].date,
        rows=tuple(_row(on_these_faces(one, facts, by_name.get(one.run))) for one in latest),
        ratios=_ratios(latest, records),
        gaps=_gaps(runs, facts, latest),
        baselines=facts.baselines if facts else (),
        machines=_machines(order),
        plan=order[-1].plan,
        plans=_plans(order),
        data=facts.data if facts else None,
        provenance=tuple(dict.fromkeys(one.artifact.provenance for one in latest if one.artifact.provenance)),
        warning=_warning(facts, latest),
        sentences=(*_sentences(latest, facts), *_left_out(left)),
    )


def schema_documents() -> dict[str, Any]:
    """JSON Schemas of the report and of a run, by file name (docs/schemas)."""
    return {"report.json": json_schema(Report), "run.json": json_schema(Run)}


def write_json(path: Path, report: Report) -> None:
    """`report` as JSON."""
    files.write_json(path, to_json(report))


def read_json(path: Path) -> dict[str, object]:
    """The JSON of a report, for tests and tools."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _row(one: Record) -> Row:
    cold = one.cold
    return Row(
        artifact=one.artifact.name,
        network=one.artifact.network,
        format=one.artifact.format,
        recipe=one.artifact.recipe,
        lane=one.label,
        key=one.asked.key,
        threads=one.asked.threads,
        status=one.status,
        valid=one.valid,
        machine=one.machine.cpu,
        date=one.date,
        run=one.run,
        bytes=one.artifact.bytes,
        size=one.artifact.size,
        muladds=one.artifact.muladds,
        import_ms=_ms(cold.import_ns) if cold else None,
        load_ms=_ms(cold.load_ns) if cold else None,
        first_ms=_ms(cold.first_ns) if cold else None,
        burst=_rounded(summarise(one.burst)),
        paced=_rounded(summarise(one.paced)),
        memory_bytes=one.memory.peak_bytes if one.memory and one.memory.peak_bytes else None,
        accuracy=one.accuracy,
        agreement=one.agreement,
        adapter=one.ran.adapter if one.ran else None,
        reasons=one.reasons,
        notes=one.notes,
    )


def _ms(ns: int) -> float:
    return round(ns / 1e6, 3)


def _rounded(summary: Summary | None) -> Summary | None:
    """Microseconds suffice for people and keep the JSON short."""
    if summary is None:
        return None
    values: dict[str, Any] = {k: round(v, 4) for k, v in dataclasses.asdict(summary).items() if isinstance(v, float)}
    return dataclasses.replace(summary, quarters_ms=tuple(round(v, 4) for v in summary.quarters_ms), **values)


def _ratios(latest: Sequence[Record], records: Sequence[Record]) -> tuple[Ratio, ...]:
    """For each file and lane shown, the newest run in which it was measured beside its fp32."""
    newest_first = sorted(records, key=lambda one: (one.date, one.run), reverse=True)
    found = []
    for shown in latest:
        pairs = (
            (one, base)
            for one in newest_first
            if (one.artifact, one.asked, one.machine.cpu) == (shown.artifact, shown.asked, shown.machine.cpu)
            for base in records
            if _comparable(one, base)
        )
        if ratios := next((made for one, base in pairs if (made := _ratio(one, base))), None):
            found.append(ratios)
    return tuple(found)


def _ratio(one: Record, base: Record) -> Ratio | None:
    values = ratio(one.burst, base.burst)
    if values is None:
        return None
    median, low, high = (round(value, 3) for value in values)
    return Ratio(
        artifact=one.artifact.name,
        reference=base.artifact.name,
        lane=one.label,
        machine=one.machine.cpu,
        median=median,
        low=low,
        high=high,
        rounds=min(len(one.burst), len(base.burst)),
        valid=one.valid and base.valid,
    )


def _comparable(one: Record, base: Record) -> bool:
    """Same run, so same machine and interleaved; same network, format and lane; against fp32."""
    a, b = one.artifact, base.artifact
    same = (a.network, a.format, one.asked, one.run) == (b.network, b.format, base.asked, base.run)
    return same and b.recipe == "fp32" and a.recipe != "fp32"


def _machines(records: Sequence[Record]) -> tuple[Machine, ...]:
    """The newest description of each processor."""
    return tuple({one.machine.cpu: one.machine for one in records}.values())


def _plans(records: Sequence[Record]) -> tuple[Planned, ...]:
    """Each distinct plan, that of the last record first."""
    found: dict[Plan, dict[str, None]] = {}
    for one in reversed(records):
        found.setdefault(one.plan, {})[f"{one.machine.cpu}, run {one.run}"] = None
    return tuple(Planned(plan, tuple(places)) for plan, places in found.items())


def _newest_with_data(runs: Sequence[Run]) -> Run | None:
    known = [run for run in runs if run.data is not None]
    return max(known, key=lambda run: run.date) if known else None


def _warning(run: Run | None, latest: Sequence[Record]) -> str | None:
    people = len(run.data.train) if run and run.data else 0
    if not 0 < people < FEW_PEOPLE:
        return None
    starts = [one.artifact.provenance or "" for one in latest]
    if starts and all(STARTED in start for start in starts):
        return (
            f"This network was fine-tuned on {people} people; nearly all that it knows of faces it brought along from the "
            f"weights it started from. Few people are measured here: the ranges in brackets say how much that proves."
        )
    return (
        f"{people} people teach the pipeline, not accuracy: a network that has seen {people} people cannot know what tells "
        f"strangers apart, and the classical Fisherfaces may well beat it here. These figures show that every step works, "
        f"and how well; they do not recommend this network for use."
    )


def _gaps(runs: Sequence[Run], facts: Run | None, latest: Sequence[Record]) -> tuple[Gap, ...]:
    """The newest accuracy difference of each file shown, on the report's faces."""
    if facts is None or facts.data is None:
        return ()
    shown = {(one.artifact.name, one.artifact.sha256) for one in latest}
    found: dict[str, Gap] = {}
    for run in sorted(runs, key=lambda one: (one.date, one.run)):
        if run.data is not None and same_faces(run.data, facts.data):
            found |= {gap.artifact: gap for gap in run.gaps if (gap.artifact, gap.sha256) in shown}
    return tuple(found.values())


def _sentences(records: Sequence[Record], run: Run | None) -> tuple[str, ...]:
    said = list(run.notes) if run else []
    data = run.data if run else None
    if data is not None and data.test:
        said.append(
            f"Accuracy is measured on {data.people} people whom no step before has seen: {data.genuine:,} pairs of one person "
            f"and {data.impostor:,} pairs of two, balanced, so that 50 % is guessing. The range in brackets is "
            f"where the figure would lie with other people of this kind (95 %); a difference well inside it means nothing."
        )
    if any(one.status == "timed" for one in records):
        said.append(
            "Latency is the time for one face, from its pixels to its embedding. In a burst the calls follow at once; paced, "
            "each waits for the next camera frame, as in an app, and that is the figure to expect in one. Grey rows are not to be trusted, "
            "and say why."
        )
    return tuple(said)


def _left_out(older: Sequence[Record]) -> tuple[str, ...]:
    names = "; ".join(f"{one.artifact.name} on {one.label}, {one.machine.cpu}" for one in older)
    return (f"Not shown, because the newest record of this name is of another file: {names}.",) if names else ()
