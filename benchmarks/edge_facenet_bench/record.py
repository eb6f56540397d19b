"""The record: one lane, one run. Raw samples, what was asked, what ran, the machine, and whether to believe it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge_facenet import files
from edge_facenet.errors import InputError
from edge_facenet.schema import doc, from_json, json_schema, to_json

from .lanes import Lane, Ran
from .machine import Machine
from .timing import Block, Plan

SCHEMA_VERSION = 1
Status = Literal["timed", "parity", "not run"]


@dataclass(frozen=True)
class Artifact:
    """The model file under test, as its manifest describes it."""

    name: str = doc("name of the manifest, without .json")
    network: str = doc("name that the recipes of one network share")
    format: str = doc("tflite or onnx")
    recipe: str = doc("fp32 fp16 int8 …, or 'foreign'")
    sha256: str = doc("of the model file")
    bytes: int = doc("size of the model file")
    size: int = doc("height and width of the input, px")
    dimension: int = doc("length of an embedding")
    family: str | None = doc("backbone", None)
    muladds: int | None = doc("multiply-adds per face, from the manifest", None)
    parameters: int | None = doc("of the float network, from the manifest", None)
    provenance: str | None = doc("data, start and terms, in one line", None)


@dataclass(frozen=True)
class Cold:
    """What the first face costs, in a fresh process."""

    import_ns: int = doc("importing the runtime, ns")
    load_ns: int = doc("opening the artifact: reading, checking, preparing the graph, ns")
    first_ns: int = doc("first call, ns")


@dataclass(frozen=True)
class Memory:
    """Resident memory of the lane's process."""

    before_bytes: int = doc("before the runtime was imported")
    peak_bytes: int = doc("highest until the first face was embedded (VmHWM)")


@dataclass(frozen=True)
class Accuracy:
    """Telling people apart, by the very engine of this lane, on people that were never trained on."""

    source: str = doc("crop set and the part of the split")
    sha256: str = doc("of the crop set")
    people: int = doc("identities")
    photos: int = doc("crops")
    genuine: int = doc("pairs of one person")
    impostor: int = doc("pairs of two people")
    folds: int = doc("threshold from the other folds")
    balanced: bool = doc("mean of the two rates instead of the share of all pairs")
    accuracy: float = doc("percent; 50 is chance when balanced")
    accuracy_se: float = doc("standard error over the folds, percentage points")
    auc: float = doc("area under the ROC, percent")
    eer: float = doc("equal error rate, percent")
    tar: dict[str, float] = doc("share of genuine pairs accepted, percent, by false accept rate; measurable ones alone")
    smallest_far: float = doc("smallest false accept rate that these impostor pairs support")
    interval: tuple[float, float] | None = doc("95 % bootstrap interval of the accuracy over identities, percent", None)


@dataclass(frozen=True)
class Agreement:
    """Embeddings of this lane against those of another lane on the same faces."""

    reference: str = doc("the lane compared with")
    faces: int = doc("crops embedded by both")
    cosine_min: float = doc("lowest cosine")
    cosine_mean: float = doc("mean cosine")


@dataclass(frozen=True)
class Record:
    """One lane of one run."""

    schema: int = doc("version of this schema")
    run: str = doc("identifies the run; lanes are compared within one run alone")
    date: str = doc("start of the run, ISO 8601, UTC")
    artifact: Artifact = doc("the model file")
    asked: Lane = doc("the lane asked for")
    status: Status = doc("'timed'; 'parity' on a software adapter, which is never timed; 'not run'")
    valid: bool = doc("whether the figures can be trusted")
    machine: Machine = doc("where, and in which state")
    plan: Plan = doc("how it was measured")
    ran: Ran | None = doc("the lane that ran", None)
    cold: Cold | None = doc("load and first run", None)
    burst: tuple[Block, ...] = doc("back-to-back calls, one block per round", ())
    paced: tuple[Block, ...] = doc("one call per camera frame, one block per round", ())
    memory: Memory | None = doc("resident memory", None)
    accuracy: Accuracy | None = doc("on the test identities", None)
    agreement: Agreement | None = doc("against the reference lane of the same artifact", None)
    reasons: tuple[str, ...] = doc("why the figures are not valid, or why nothing ran", ())
    notes: tuple[str, ...] = doc("what a reader should know although the figures are valid", ())

    @property
    def label(self) -> str:
        """The lane that ran, for people; a software adapter is never called a GPU."""
        if self.ran is None or self.asked.delegate == "cpu":
            return self.asked.title
        if self.ran.processor == "software":
            return f"LiteRT on a software adapter: {self.ran.adapter.removesuffix(', software')}"
        if self.ran.processor == "CPU":
            return f"LiteRT CPU ({self.ran.adapter}), asked for the GPU"
        return f"LiteRT WebGPU accelerator ({self.ran.adapter})"


def write(folder: Path, record: Record) -> Path:
    """Write `record` into `folder`, that of its run.

    Raises:
        OutputError: the folder is not writable, or the disk is full.
    """
    path = folder / f"{record.artifact.name}.{record.asked.key}.json"
    files.write_bytes(path, encoded(_compact(files.canonical_json(to_json(record)))))
    return path


def encoded(text: str) -> bytes:
    """UTF-8. What is no text in a file's or folder's name is escaped (`\\udce9`), which JSON reads back as it was."""
    return text.encode("utf-8", "backslashreplace")


def read(path: Path) -> Record:
    """Read a record of this or an older schema.

    Raises:
        InputError: missing, damaged, or of a newer schema.
    """
    return parse(read_json(path), f"record {path.name}", path)


def read_json(path: Path) -> Any:
    """What a record's file holds.

    Raises:
        InputError: missing, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read record {path}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"Record {path} is not JSON: {error}.") from error


def parse(value: Any, what: str, path: Path) -> Record:
    """A record out of its JSON; `what` and `path` name it in messages.

    Raises:
        InputError: not a record, or of a newer schema.
    """
    version = value.get("schema") if isinstance(value, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"Record {path} has schema {version}; this version reads up to {SCHEMA_VERSION}. Upgrade edge-facenet."
        )
    return from_json(Record, value, what, InputError)


def _compact(text: str) -> str:
    """Ten thousand samples on a few lines instead of ten thousand."""
    return re.sub(r"\[\s+(-?\d+(?:,\s+-?\d+)*)\s+\]", lambda found: "[" + re.sub(r"\s+", "", found[1]) + "]", text)


def schema_documents() -> dict[str, Any]:
    """JSON Schema of the record, by file name (docs/schemas)."""
    return {"record.json": json_schema(Record)}
