"""A release, measured: every released file and both peers in one run, and the card and README written from it.

    python benchmarks/released.py run WORK --crops CELEBA --split RUN/split.json --second OTHERS --peers PEER.json PEER.json
    python benchmarks/released.py run … --lfw LFW      # counted: each file once, for a release alone
    python benchmarks/released.py report

`run` takes every manifest of the released networks (or --networks), judges them on the people held out of their training and
on a second source, times them in turn, and writes results/released.json; raw samples go to results/released-latency/. Started
again, it goes on where it was; remove WORK/bench-* to time anew on a quieter machine. Peers are hand-written manifests
(docs/foreign.md). `report` writes the blocks of the card and the README, and the plot. See released_export.py for the files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import edge_facenet_models
import released_lfw as lfw
import released_record as record
import typer
from released_steps import Network, Sources, Work

from edge_facenet import files

RESULTS = Path(__file__).parent / "results"
LEDGER = RESULTS / "lfw-runs.json"
RELEASED = Path(edge_facenet_models.__file__).parent
ORDER = {"int8": 0, "fp16": 1, "fp32": 2}


def main() -> None:
    """Measure, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="measure and write results/released.json")
    run.add_argument("work", type=Path, help="folder for what was measured so far")
    run.add_argument("--crops", type=Path, required=True, help="crop set with the people held out of training")
    run.add_argument("--split", type=Path, required=True, help="split.json of the training")
    run.add_argument("--second", type=Path, required=True, help="crop set of another source")
    run.add_argument("--peers", type=Path, nargs="*", default=[], help="hand-written manifests of others' networks")
    run.add_argument("--networks", type=Path, nargs="*", help="manifests; default: everything released")
    run.add_argument("--lfw", type=Path, help="folder with pairs.txt and the photos: every run is counted")
    run.add_argument("--per-person", type=int, help="photos of each held-out person; default: all")
    run.add_argument("--per-person-second", type=int, default=15)
    run.add_argument("--seconds", type=float, default=3.0, help="time of bursts per file")
    run.add_argument("--out", type=Path, default=RESULTS / "released.json")
    run.set_defaults(act=measure)
    commands.add_parser("report", help="write card, README and plot").set_defaults(act=report)
    options = parser.parse_args()
    options.act(options)


def measure(options: argparse.Namespace) -> None:
    """Everything that is not measured yet, then the record."""
    networks = chosen(options.networks, options.peers)
    sources = Sources(options.crops, options.split, options.second, options.per_person, options.per_person_second)
    work = Work(options.work, sources)
    rows = []
    for network in networks:
        typer.echo(network.path.stem)
        rows.append(record.row(network, work, float_of(network, networks)))
    times = work.latency(networks, options.seconds)
    if options.lfw:
        lfw.measure(networks, options.lfw, options.work, LEDGER)
    for one, took in zip(rows, record.latency(networks, times), strict=True):
        one |= {"latency": took, "lfw": lfw.result_of(LEDGER, one["sha256"])}
    record.keep_samples(times, options.out.with_name(f"{options.out.stem}-latency"))
    files.write_json(options.out, record.complete(work, rows, "python benchmarks/released.py run WORK …"))
    typer.echo(f"Written: {options.out}")


def report(_: argparse.Namespace) -> None:
    """Card, README, plot."""
    import released_report

    released_report.write(RESULTS, RELEASED, Path(__file__).parent.parent / "README.md")


def chosen(networks: list[Path] | None, peers: list[Path]) -> list[Network]:
    """Ours by network, int8 TFLite first, then the peers."""
    ours = networks or sorted(RELEASED.glob("*/*.json"), key=_place)
    return [*(Network(path, False) for path in ours), *(Network(path, True) for path in peers)]


def float_of(network: Network, networks: list[Network]) -> Network | None:
    """The float file of the same network that its smaller recipes are held against; None for itself and for peers."""
    mine = network.artifact
    fits = [n for n in networks if not n.peer and n.artifact.network == mine.network and n.artifact.recipe == "fp32"]
    return None if network.peer or mine.recipe == "fp32" or not fits else fits[0]


def _place(path: Path) -> tuple[str, int, int]:
    recipe = next((rank for name, rank in ORDER.items() if f"-{name}" in path.stem), len(ORDER))
    return path.parent.name, int(path.stem.endswith("-onnx")), recipe


if __name__ == "__main__":
    main()
