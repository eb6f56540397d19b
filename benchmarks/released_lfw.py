"""LFW for a release: a test set, so every run of a file is counted, in benchmarks/results/lfw-runs.json, before it begins.

A file that has a result on these crops is not run again; a released file that has one on other crops is refused.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hard_probes import verify
from released_steps import Network

from edge_facenet import files
from edge_facenet.errors import InputError
from edge_facenet.photos.cropset import CropSet

FARS = ("0.01", "0.001")
Run = dict[str, Any]


def measure(networks: Sequence[Network], lfw: Path, work: Path, ledger: Path) -> None:
    """Run every network that has no result yet on all 6,000 pairs; results stand in the ledger.

    Args:
        lfw: folder with pairs.txt, and lfw.zip or the pictures in NAME/NAME_0001.jpg.
    Raises:
        InputError: a released file was run before, on other crops.
    """
    crops = _crops(lfw, work)
    sha = CropSet.open(crops, verify=False).sha256
    todo = [network for network in networks if _wanted(runs(ledger), network, sha)]
    for network in todo:
        begun = _begin(ledger, network, sha)
        words = [word for far in FARS for word in ("--far", far)]
        report = verify(str(network.path), str(crops), "--pairs", str(lfw / "pairs.txt"), *words)
        _end(ledger, begun, told(report))


def runs(ledger: Path) -> list[Run]:
    """All runs ever, oldest first."""
    return list(json.loads(ledger.read_text(encoding="utf-8"))["runs"]) if ledger.exists() else []


def result_of(ledger: Path, sha256: str) -> dict[str, Any] | None:
    """The newest result of a model file, and how often it was run; None when it never was."""
    mine = [run for run in runs(ledger) if run["sha256"] == sha256]
    done = [run for run in mine if run["result"]]
    return {**done[-1]["result"], "runs": len(mine), "date": done[-1]["date"]} if done else None


def told(report: dict[str, Any]) -> dict[str, Any]:
    """What of `verify`'s report is kept."""
    found = report["verification"]
    return {
        "pairs": found["genuine"] + found["impostor"],
        "accuracy": round(found["accuracy"], 3),
        "standard_error": round(found["accuracy_se"], 3),
        "val": {str(point["far"]): point.get("val") and round(100 * point["val"], 2) for point in found["val"]},
        "valid": found["valid"],
    }


def _wanted(before: Sequence[Run], network: Network, crops: str) -> bool:
    done = [run for run in before if run["sha256"] == network.artifact.sha256 and run["result"]]
    if any(run["crops_sha256"] == crops for run in done):
        return False
    if done and not network.peer:
        raise InputError(
            f"{network.path.stem} was run on LFW on {done[-1]['date']}, on other crops. A released file is run once; to look "
            "again is to choose by a test set."
        )
    return True


def _begin(ledger: Path, network: Network, crops: str) -> int:
    """A run that dies is a run all the same."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    one = {"date": today, "file": network.artifact.name, "sha256": network.artifact.sha256, "peer": network.peer}
    return _write(ledger, [*runs(ledger), {**one, "crops_sha256": crops, "result": None}])


def _end(ledger: Path, place: int, result: dict[str, Any]) -> None:
    every = runs(ledger)
    every[place]["result"] = result
    _write(ledger, every)


def _write(ledger: Path, every: list[Run]) -> int:
    what = "every run of a file on LFW's 6,000 pairs: raw photos, our detection and alignment, no flip; per cent"
    files.write_json(ledger, {"what": what, "runs": every})
    return len(every) - 1


def _crops(lfw: Path, work: Path) -> Path:
    """LFW as `prepare` cuts it; prepared once."""
    crops, photos = work / "lfw-crops", lfw
    if (crops / "prepare.json").exists():
        return crops
    if (lfw / "lfw.zip").exists():
        photos = work / "lfw"
        if not photos.exists():
            with zipfile.ZipFile(lfw / "lfw.zip") as archive:
                archive.extractall(work / "lfw-unpacking")
            (work / "lfw-unpacking").rename(photos)
    command = [sys.executable, "-m", "edge_facenet.cli", "prepare", str(photos), str(crops)]
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)
    return crops
