"""Where networks break: `verify --probes` on people held out of training and on a second source, as one record.

    python benchmarks/hard_probes.py NETWORK.json [NETWORK.json ...] --on CROPS[:SPLIT.json] [--on CROPS ...]

Each crop set with a run's split.json gives its calibrate people, each without gives everybody; at most --per-person photos
of each, drawn by the seed. The same pairs for every network and every probe. Writes benchmarks/results/hard-probes.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer
from edge_facenet_bench import machine

from edge_facenet import files, schema

RESULTS = Path(__file__).parent / "results"
WHAT = (
    "The second face of each pair made hard, shares 0..1 (accuracy in per cent). val: genuine pairs accepted with a threshold "
    "set on these very pairs; tar and realised: genuine and impostor pairs accepted with the threshold of the clean pairs"
)


def main() -> None:
    """Ask `verify` for each network and crop set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs="+")
    parser.add_argument("--on", required=True, action="append", help="crop set, or crop set:split.json")
    parser.add_argument("--per-person", type=int, default=12)
    parser.add_argument("--out", type=Path, default=RESULTS / "hard-probes.json")
    options = parser.parse_args()
    found = []
    for where in options.on:
        crops, _, split = where.partition(":")
        for network in options.networks:
            words = [str(network), crops, "--probes", "--per-person", str(options.per_person)]
            report = verify(*words, *(["--split", split, "--part", "calibrate"] if split else []))
            found.append(row(report, network.stem, Path(crops).name, bool(split)))
            typer.echo(table(found[-1]))
    files.write_json(options.out, record(WHAT, found, "hard_probes.py"))
    typer.echo(f"Written: {options.out}")


def verify(*words: str) -> dict[str, Any]:
    """One public command; its failure ends this script with its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "edge_facenet.cli", "verify", *words, "--json"], stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    return dict(json.loads(done.stdout))


def row(report: dict[str, Any], network: str, crops: str, held_out: bool) -> dict[str, Any]:
    """What of a report is kept."""
    return {
        "network": network,
        "sha256": report.get("sha256"),
        "crops": crops,
        "crops_sha256": report["crops_sha256"],
        "people": "calibrate, never trained on" if held_out else "everybody",
        "probes": report["probes"],
        "notes": [note for note in report["notes"] if "duplicates" not in note],  # those name pictures
    }


def table(found: dict[str, Any]) -> str:
    """For the terminal."""
    lines = [f"{found['network']} on {found['crops']}: accuracy %, EER %, TAR % and FAR at the clean pairs' FAR 0.01"]
    for probe in found["probes"]["rows"]:
        at = next(p for p in probe["at"] if p["far"] == 0.01)
        lines.append(
            f"  {probe['kind']:10} {probe['accuracy']:6.2f} {100 * probe['eer']:6.2f} {100 * at['tar']:6.2f} {at['realised']:.2g}"
        )
    return "\n".join(lines)


def record(what: str, found: list[dict[str, Any]], script: str) -> dict[str, Any]:
    """The file: what, how, where, and the figures."""
    return {
        "what": what,
        "command": f"python benchmarks/{script} NETWORKS --on CROPS",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": schema.to_json(machine.describe()),
        "results": found,
    }


if __name__ == "__main__":
    main()
