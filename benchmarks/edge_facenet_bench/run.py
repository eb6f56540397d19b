"""What a whole run adds to its records: the data, baselines on the same pairs, differences between recipes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edge_facenet import files
from edge_facenet.errors import InputError
from edge_facenet.schema import doc, from_json, to_json

from .faces import Data
from .record import Accuracy

SCHEMA_VERSION = 1
NAME = "run.json"


@dataclass(frozen=True)
class Baseline:
    """Something simple on the same pairs: what an embedder must beat before it means anything."""

    name: str = doc("'raw pixels', 'untrained network', 'Fisherfaces'")
    what: str = doc("what it is, in one sentence")
    accuracy: Accuracy | None = doc("on the same pairs", None)
    note: str | None = doc("why it was not computed", None)


@dataclass(frozen=True)
class Gap:
    """Accuracy of one recipe minus that of another of the same network, on the same pairs and engine."""

    artifact: str = doc("name of the manifest")
    sha256: str = doc("of its model file")
    reference: str = doc("name of the other one")
    points: float = doc("balanced accuracy, percentage points")
    interval: tuple[float, float] | None = doc("95 % paired bootstrap interval over identities", None)


@dataclass(frozen=True)
class Run:
    """One call of the bench."""

    schema: int = doc("version of this schema")
    run: str = doc("identifies the run; its records carry it too")
    date: str = doc("start, ISO 8601, UTC")
    version: str = doc("of edge-facenet")
    data: Data | None = doc("the faces measured on", None)
    baselines: tuple[Baseline, ...] = doc("on the same pairs", ())
    gaps: tuple[Gap, ...] = doc("between recipes", ())
    notes: tuple[str, ...] = doc("what a reader should know", ())


def write(folder: Path, run: Run) -> Path:
    """Write `run` beside its records."""
    path = folder / NAME
    files.write_json(path, to_json(run))
    return path


def read(path: Path) -> Run:
    """Read a run.

    Raises:
        InputError: missing, damaged, or of a newer schema.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot read run {path}: {error}.") from error
    version = value.get("schema") if isinstance(value, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"Run {path} has schema {version}; this version reads up to {SCHEMA_VERSION}. Upgrade edge-facenet."
        )
    return from_json(Run, value, f"run {path.name}", InputError)
