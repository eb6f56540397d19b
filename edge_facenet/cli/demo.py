"""`demo`: the public commands one after another, each printed before it runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def steps(out: Path) -> list[list[str]]:
    """The demo's commands, as a user would type them behind `edge-facenet`."""
    crops, run, models = out / "crops", out / "run", out / "models"
    return [
        ["setup"],
        ["prepare", "orl", str(crops)],
        ["train", str(crops), str(run), "--preset", "orl-finetune"],
        ["export", str(run), str(crops), str(models), "--name", "orl"],
        [
            "bench",
            str(models),
            "--crops",
            str(crops),
            "--split",
            str(run / "split.json"),
            "--out",
            str(out),
            "--baselines",
        ],
    ]


def command(
    out: Annotated[Path, typer.Argument(help="Folder for everything the demo makes; run again, it goes on.")] = Path(
        "demo-out"
    ),
) -> None:
    """From photos to a measured file: the whole road on the ORL faces, in two to five minutes.

    Prepares 400 photos of 40 people, fine-tunes the released network `mobile` on 26 of them, exports five artifacts,
    benchmarks them on 10 people never trained on, and writes report.html. Needs the extra:
    pip install 'edge-facenet\\[demo]'
    """
    started = time.monotonic()
    for number, arguments in enumerate(steps(out), 1):
        typer.secho(f"\n[{number}/{len(steps(out))}] edge-facenet {shlex.join(arguments)}", bold=True)
        code = subprocess.run([sys.executable, "-m", "edge_facenet.cli", *arguments], check=False).returncode
        if code:
            typer.secho(f"The demo stopped at step {number}; run it again to go on from there.", err=True)
            raise typer.Exit(code)
    typer.secho(f"\nDone in {time.monotonic() - started:.0f} s. Open {out / 'report.html'}", bold=True)
