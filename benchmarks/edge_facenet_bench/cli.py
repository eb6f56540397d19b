"""`edge-facenet bench`: measure artifacts, write records and the report, or write the report again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from .report import Report
    from .taking import Taken
    from .timing import Plan


def command(
    artifacts: Annotated[
        list[str],
        typer.Argument(
            metavar="ARTIFACT",
            help="Manifests, lone model files, or folders of them. The word `report` and a folder: write its pages again. "
            "The word `import` and files: take in records from elsewhere.",
        ),
    ],
    *,
    crops: Annotated[Path | None, typer.Option(help="Crop set; without it, time alone is measured, on noise.")] = None,
    split: Annotated[
        Path | None, typer.Option(help="split.json of the run: accuracy is measured on its test identities.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for report.html, .md, .json and records.")] = Path("bench-out"),
    seconds: Annotated[float, typer.Option(help="Time of bursts per lane, s.", min=0.01)] = 3.0,
    lanes: Annotated[
        str, typer.Option(help="Only these, by commas: litert-cpu, litert-gpu, onnxruntime-cpu, tflite-runtime-cpu.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A fifth of the time; enough to see that it works.")] = False,
    baselines: Annotated[
        bool, typer.Option(help="Raw pixels, untrained network and Fisherfaces on the same pairs.")
    ] = True,
    readme: Annotated[Path | None, typer.Option(help="Markdown file whose results table to renew.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Measure artifacts on every processor of this machine, each lane in a process of its own, all taking turns.

    Gives load, first face, latency (in bursts, and paced like a camera), memory, size, MUL-ADDs, and accuracy by that
    very engine on people never trained on. A figure that cannot be trusted is marked and says why.

    Example: edge-facenet bench models --crops crops --split run/split.json --out measured

    Again from its records: edge-facenet bench report measured

    Records that the Android app shared: edge-facenet bench import edge-facenet-bench-*.json --out measured
    """
    from .publish import publish, rebuild

    taken: Taken | None = None
    if artifacts[0] == "import":
        if len(artifacts) < 2:
            raise typer.BadParameter("`import` takes files: edge-facenet bench import FILE ... --out DIR")
        taken = _import([Path(name) for name in artifacts[1:]], out, readme)
        report = publish(out, readme)
    elif artifacts[0] == "report":
        if len(artifacts) != 2:
            raise typer.BadParameter("`report` takes one folder: edge-facenet bench report DIR")
        report = rebuild(Path(artifacts[1]), readme)
        out = Path(artifacts[1])
    else:
        if readme is not None:  # before the time is spent
            from .markdown import around

            around(readme)
        _run([Path(name) for name in artifacts], (crops, split), out, _plan(seconds, quick), lanes, baselines)
        report = publish(out, readme)
    _print(report, out, as_json, taken)


def _import(paths: list[Path], out: Path, readme: Path | None) -> Taken:
    from .taking import take

    if readme is not None:  # before anything is written
        from .markdown import around

        around(readme)
    return take(paths, out)


def _plan(seconds: float, quick: bool) -> Plan:
    from .timing import Plan

    if quick:
        return Plan(seconds=seconds / 5, paced_seconds=0.8, patience=max(60.0, 0.4 * seconds))
    return Plan(seconds=seconds, paced_seconds=2 / 3 * seconds, patience=max(60.0, 2 * seconds))


def _run(
    artifacts: list[Path], people: tuple[Path | None, Path | None], out: Path, plan: Plan, lanes: str, baselines: bool
) -> None:
    from edge_facenet.cli.progress import bar
    from edge_facenet.errors import ConfigError

    from .artifacts import entries
    from .campaign import Campaign

    chosen = tuple(name.strip() for name in lanes.split(",") if name.strip())
    if lanes and not chosen:
        raise ConfigError(f"--lanes {lanes!r} names no lane. Leave it out to measure all of them.")
    found = entries(artifacts, chosen)
    crops, split = people
    with bar("Measuring", unit="blocks") as on_progress:
        Campaign(out, crops, split, baselines).run(found, plan, on_progress)


def _print(report: Report, out: Path, as_json: bool, taken: Taken | None = None) -> None:
    from edge_facenet.schema import to_json

    from . import words

    if as_json:
        more = {} if taken is None else {"imported": to_json(taken)}
        typer.echo(json.dumps({"out": str(out), **more, **to_json(report)}))  # ASCII: stdout may not be UTF-8
        return
    if taken is not None:
        typer.echo(f"{taken}\n")
    for line in words.plain(report):
        typer.echo(line)
    typer.echo(f"\nWrote {out / 'report.html'}, report.md, report.json; raw samples in {out / 'records'}.")
