"""What of all that was measured stands in benchmarks/results/released.json, one row per file."""

from __future__ import annotations

import datetime
import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_facenet_bench import machine
from edge_facenet_bench.record import Record
from edge_facenet_bench.record import write as write_record
from edge_facenet_bench.timing import ratio, summarise
from edge_facenet_export.tables import count_table
from released_steps import Network, Work

from edge_facenet import files, manifest, schema

PROBE_FAR = 0.01
WHAT = (
    "All released files and their peers in one run. Shares 0..1 where not said; accuracy, points and bounds in per cent; "
    "latency in ms per face, one thread. held_out: people of the training's source whom nobody trained on. second: photos of "
    "another source. Intervals 95 % over people; bound: one-sided 95 %"
)


def row(network: Network, work: Work, reference: Network | None) -> dict[str, Any]:
    """Everything but time and LFW of one file."""
    equipped = work.equipped(network)
    here, second = work.judged_held_out(equipped), work.judged_second(equipped)
    return {
        **described(network),
        "held_out": judged(here),
        "second": judged(second),
        "transfer": transferred(second),
        "against_float": work.against(network, reference) if reference else None,
    }


def described(network: Network) -> dict[str, Any]:
    """The file and what it costs."""
    artifact, held = network.artifact, manifest.read(network.path)
    return {
        "name": artifact.name,
        "network": artifact.network,
        "peer": network.peer,
        "file": held.file,
        "sha256": artifact.sha256,
        "format": artifact.format,
        "recipe": artifact.recipe,
        "bytes": artifact.bytes,
        "muladds": artifact.muladds or _counted(network.path.parent / held.file),
        "size": artifact.size,
        "dimension": artifact.dimension,
        "faces_per_call": held.pixels.batch,
    }


def judged(report: dict[str, Any]) -> dict[str, Any]:
    """Of `verify`'s report: rates, open set, hard probes."""
    found = report["verification"]
    return {
        "people": found["identities"],
        "genuine": found["genuine"],
        "impostor": found["impostor"],
        "accuracy": _rounded(found["accuracy"], 3),
        "accuracy_interval": _rounded(found.get("accuracy_interval"), 3),
        "auc": _rounded(found["auc"]),
        "eer": _rounded(found["eer"]),
        "tar": [
            {k: _rounded(p[k]) for k in ("far", "val", "interval", "note") if p.get(k) is not None}
            for p in found["val"]
        ],
        "valid": found["valid"],
        "reasons": found.get("reasons", []),
        "open_set": _rounded(report["open_set"]),
        "probes": [_probe(one) for one in report["probes"]["rows"]],
        "notes": [note for note in report["notes"] if "duplicates" not in note],  # those name pictures
    }


def transferred(report: dict[str, Any]) -> dict[str, Any]:
    """What a network's thresholds, from the held-out people, do on the second source."""
    points = [dict(_rounded(point)) for point in report["transfer"]]
    for point in points:
        if point.get("far") is not None:
            point["times"] = round(point["far"] / point["nominal_far"], 2)
    return {"thresholds": report["thresholds_source"], "points": points}


def latency(networks: Sequence[Network], records: Sequence[Record]) -> list[dict[str, Any]]:
    """Per face: a call of a network that takes two faces at once is halved. Ratios are formed round by round."""
    faces = [manifest.read(network.path).pixels.batch for network in networks]
    rows = []
    for record, batch in zip(records, faces, strict=True):
        burst, paced = summarise(record.burst), summarise(record.paced)
        against = {}
        for other, peer, its in zip(records, networks, faces, strict=True):
            if peer.peer and other is not record and (found := ratio(record.burst, other.burst)):
                against[peer.path.stem] = [round(value * its / batch, 4) for value in found]
        rows.append(
            {
                "lane": record.asked.title,
                "run": record.run,
                "calls": burst.calls if burst else 0,
                "call_ms": round(burst.p50_ms, 4) if burst else None,
                "ms": round(burst.p50_ms / batch, 4) if burst else None,
                "p90_ms": round(burst.p90_ms / batch, 4) if burst else None,
                "paced_ms": round(paced.p50_ms / batch, 4) if paced else None,
                "memory_bytes": record.memory.peak_bytes if record.memory else None,
                "over_peer": against,
                "valid": record.valid,
                "reasons": list(record.reasons),
            }
        )
    return rows


def keep_samples(records: Sequence[Record], folder: Path) -> None:
    """The raw samples of this release's run; those of the one before stand in the history."""
    shutil.rmtree(folder, ignore_errors=True)
    for record in records:
        write_record(folder, record)


def complete(work: Work, rows: Sequence[dict[str, Any]], command: str) -> dict[str, Any]:
    """The file."""
    return {
        "what": WHAT,
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": schema.to_json(machine.describe()),
        "load_average": statistics.fmean([machine.observe().load_average or 0.0]),
        "held_out": {
            "crops": work.crops.path.name,
            "crops_sha256": work.crops.sha256,
            "split_sha256": files.sha256(work.sources.split),
            "split_seed": work.split.seed,
            "people": len(work.split.calibrate),
            "per_person": work.sources.per_person,
        },
        "second": {
            "crops": work.second.path.name,
            "crops_sha256": work.second.sha256,
            "per_person": work.sources.per_person_second,
        },
        "networks": list(rows),
    }


def _probe(found: dict[str, Any]) -> dict[str, Any]:
    at = next((point for point in found["at"] if point["far"] == PROBE_FAR), {})
    kept = {key: _rounded(at.get(key)) for key in ("tar", "tar_interval", "realised", "val")}
    return {"kind": found["kind"], "accuracy": _rounded(found["accuracy"], 3), "far": PROBE_FAR, **kept}


def _counted(model: Path) -> int:
    return sum(layer.muladds for layer in count_table(str(model), width=1.0, dimension=128).layers)


def _rounded(value: Any, digits: int = 6) -> Any:
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, dict):
        return {key: _rounded(one, digits) for key, one in value.items()}
    return [_rounded(one, digits) for one in value] if isinstance(value, (list, tuple)) else value
