"""What thresholds promise and what they keep on other photos: benchmarks/results/threshold-transfer.json.

    python benchmarks/threshold_transfer.py NETWORK.json [NETWORK.json ...] --from CROPS:SPLIT.json --to CROPS [--to CROPS]

A network with thresholds in its manifest is judged by those; one without gets them from the calibrate people of --from.
`verify --transfer` then counts on every --to who passes: false accepts and true accepts beside the nominal ones.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import typer
from hard_probes import RESULTS, record, verify

from edge_facenet import files

WHAT = (
    "Thresholds derived on one source, carried to another: shares 0..1, 95 % intervals over people. times: realised over "
    "nominal false accept rate"
)


def main() -> None:
    """Ask `verify` for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs="+")
    parser.add_argument("--from", dest="source", required=True, help="crop set:split.json")
    parser.add_argument("--to", type=Path, required=True, action="append", help="another crop set")
    parser.add_argument("--per-person", type=int, default=30)
    parser.add_argument("--out", type=Path, default=RESULTS / "threshold-transfer.json")
    options = parser.parse_args()
    crops, _, split = options.source.partition(":")
    found = []
    for network in options.networks:
        words = [str(network), crops, "--split", split, "--part", "calibrate", "--per-person", str(options.per_person)]
        report = verify(*words, *(word for to in options.to for word in ("--transfer", str(to))))
        found.append(_row(report, network, Path(crops).name))
        typer.echo(_table(found[-1]))
    files.write_json(options.out, record(WHAT, found, "threshold_transfer.py"))
    typer.echo(f"Written: {options.out}")


def _row(report: dict[str, Any], network: Path, crops: str) -> dict[str, Any]:
    own = report.get("thresholds_source")
    for source in report["elsewhere"]:
        for point in source["points"]:
            if "far" in point:
                point["times"] = round(point["far"] / point["nominal_far"], 2)
    return {
        "network": network.stem,
        "sha256": report.get("sha256"),
        "thresholds": "its manifest's" if own else f"derived here on the calibrate people of {crops}",
        "source": own or report["pairs"],
        "people": len(report["people"]),
        "elsewhere": report["elsewhere"],
    }


def _table(found: dict[str, Any]) -> str:
    lines = [f"{found['network']}: thresholds {found['thresholds']}"]
    for source in found["elsewhere"]:
        lines.append(f"  on {source['source']}, {source['people']} people: nominal FAR, FAR there, times, TAR %")
        for point in source["points"]:
            if "far" in point:
                lines.append(
                    f"    {point['nominal_far']:8g} {point['far']:9.2g} {point['times']:7.2f} {100 * point['tar']:7.2f}"
                )
            else:
                lines.append(f"    {json.dumps(point)}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
