"""`train status`, `train pause`, `train resume`: looking after trainings that take hours."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError

if TYPE_CHECKING:
    from ..train.report import Look, RunReport

Run = Annotated[
    Path | None,
    typer.Argument(help="Folder of the run; may be left out where only one comes into question.", metavar="RUN"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
COLUMNS = (
    ("val_accuracy", "accuracy %", 1.0, "{:.1f}"),
    ("val_tar_at_1e-2", "TAR@1e-2 %", 100.0, "{:.1f}"),
    ("val_tar_at_1e-3", "TAR@1e-3 %", 100.0, "{:.1f}"),
    ("val_teacher_cosine", "cos teacher", 1.0, "{:.3f}"),
    ("train_teacher_cosine", "(trained on)", 1.0, "{:.3f}"),
)
"""Of a look: key, heading, factor, format."""
MOST_LOOKS = 12
BARS = "▁▂▃▄▅▆▇█"


def status(run: Run = None, as_json: Json = False) -> None:
    """Say what is running, how good it is so far, when it ends and how to pause it.

    Without RUN: every training that is running on this machine, or else the newest one.

    Example: edge-facenet train status runs/mobile
    """
    from ..train import report

    folders = [run] if run is not None else _running_or_newest()
    reports = [report.read(folder) for folder in folders]
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in reports] if run is None else _plain(reports[0])))
    else:
        typer.echo("\n\n".join(_text(one) for one in reports))


def pause(run: Run = None, as_json: Json = False) -> None:
    """Let a training finish its step, save and leave. Nothing is lost.

    Example: edge-facenet train pause runs/mobile
    """
    from . import train_jobs

    folder = run if run is not None else _only("running", "pause")
    step = train_jobs.pause(folder)
    if as_json:
        typer.echo(json.dumps({"run": str(folder), "step": step}))
    else:
        typer.echo(f"Paused: {folder} is saved at step {step}. Go on: edge-facenet train resume {folder}")


def resume(
    run: Run = None,
    steps: Annotated[
        int | None, typer.Option(help="End earlier or later; possible until the learning rate begins to fall.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Go on with a paused, killed or rebooted training, detached from this shell.

    To go on by itself after every reboot, put this line into your crontab (crontab -e), with full paths:
    @reboot edge-facenet train resume RUN

    Example: edge-facenet train resume runs/mobile
    """
    from ..train import report
    from . import train_jobs

    folder = run if run is not None else _only("paused", "resume")
    found = report.read(folder)
    if found.state == "finished" and steps is None:
        raise InputError(f"{folder} is finished, at step {found.step}. There is nothing to resume.")
    if found.process is not None:
        raise InputError(
            f"{folder} is running already (process {found.process}). See: edge-facenet train status {folder}"
        )
    job = train_jobs.job_of(folder)
    change = ["--set", f"steps={steps}"] if steps is not None else []
    process = train_jobs.start(folder, [job.crops, str(folder.resolve()), *change], Path(job.folder))
    if as_json:
        typer.echo(json.dumps({"run": str(folder), "process": process, "step": found.saved}))
    else:
        typer.echo(started(folder, process, found.saved))


def started(run: Path, process: int, step: int = 0) -> str:
    """What to know of a training that has just been detached."""
    return (
        f"Training in {run} from step {step} on, as process {process}; this shell may be closed.\n"
        f"See: edge-facenet train status {run}. Pause: edge-facenet train pause {run}."
    )


def _running_or_newest() -> list[Path]:
    from ..train import runs
    from . import train_jobs

    there = train_jobs.known()
    if not there:
        raise InputError(
            "No training has been started on this machine yet. Type: edge-facenet train CROPS RUN --preset orl-demo"
        )
    return [run for run in there if runs.holder(run)] or there[:1]


def _only(state: str, word: str) -> Path:
    """The one known run in this state.

    Raises:
        InputError: none, or several.
    """
    from ..train import report
    from . import train_jobs

    found = [run for run in train_jobs.known() if report.read(run).state == state]
    if len(found) == 1:
        return found[0]
    names = ", ".join(str(run) for run in found[:5])
    raise InputError(
        f"{len(found)} trainings are {state}: {names}. Say which: edge-facenet train {word} RUN"
        if found
        else f"No known training is {state}. Say which: edge-facenet train {word} RUN"
    )


def _plain(found: RunReport) -> dict[str, Any]:
    return {**dataclasses.asdict(found), "run": str(found.run), "share": found.share}


def _text(found: RunReport) -> str:
    from . import train_jobs

    lines = [
        f"{found.run}: {_state(found)}",
        f"Step {found.step:,} of {found.steps:,} ({100 * found.share:.1f} %){_speed(found)}",
    ]
    lines.append(f"Learning rate {found.learning_rate:.3g}{_phase(found)}")
    if found.figures:
        lines.append("Batches: " + ", ".join(f"{name} {value:.4g}" for name, value in found.figures.items()))
    lines += _curve(found.looks)
    if found.saved:
        lines.append(f"Newest checkpoint: {found.run}/step-{found.saved:07d}")
    if found.state == "paused" and (said := train_jobs.last_sentence(found.run)):
        lines.append(f"Its last words: {said}")
    return "\n".join([*lines, _next(found)])


def _state(found: RunReport) -> str:
    from ..train.report import SILENT_S

    if found.state != "running":
        return {"paused": "not running", "finished": "finished", "new": "not begun"}[found.state]
    quiet = f", silent for {_span(found.silent_s)}" if found.silent_s > SILENT_S else ""
    return f"running (process {found.process}{quiet})"


def _speed(found: RunReport) -> str:
    speed = f", {found.images_per_second:.0f} images/s" if found.images_per_second else ""
    if found.state == "finished" or found.seconds_left is None:
        return speed
    left = _span(found.seconds_left)
    if found.state != "running":
        return f"{speed} when it ran, {left} of work left"
    end = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=found.seconds_left)
    return f"{speed}, {left} left: ends about {end:%a %d %b %H:%M}"


def _phase(found: RunReport) -> str:
    if found.falls_from is None or found.state == "finished":
        return ""
    if found.step < found.falls_from:
        return f", constant until step {found.falls_from:,}, then falling to the end (accuracy rises most there)"
    return ", falling to the end"


def _curve(looks: tuple[Look, ...]) -> list[str]:
    """A table of the looks, thinned out evenly, the newest always there."""
    if not looks:
        return ["No verification yet (look_every)."]
    there = [c for c in COLUMNS if any(c[0] in look.figures for look in looks)]
    stride = -(-len(looks) // MOST_LOOKS)
    shown = looks[::-1][::stride][::-1]
    heads = ["step", "hours", "core-h", *(c[1] for c in there)]
    rows = [
        [f"{look.step:,}", f"{look.hours:.2f}", _or_blank(look.core_hours), *(_cell(look, c) for c in there)]
        for look in shown
    ]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    table = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in [heads, *rows]]
    values = [look.figures["val_accuracy"] for look in looks]
    return [f"Verification on people held out, with averaged weights where there are some: {_bars(values)}", *table]


def _or_blank(hours: float | None) -> str:
    return "" if hours is None else f"{hours:.2f}"


def _cell(look: Look, column: tuple[str, str, float, str]) -> str:
    key, _, factor, form = column
    return form.format(look.figures[key] * factor) if key in look.figures else ""


def _bars(values: list[float], most: int = 40) -> str:
    values = values[:: -(-len(values) // most)]
    low, high = min(values), max(values)
    return "".join(BARS[int((v - low) / ((high - low) or 1.0) * (len(BARS) - 1))] for v in values)


def _next(found: RunReport) -> str:
    if found.state == "running":
        return f"Pause: edge-facenet train pause {found.run} (nothing is lost)"
    if found.state == "finished":
        return f"Next: edge-facenet export {found.run} CROPS OUT"
    return f"Go on: edge-facenet train resume {found.run}"


def _span(seconds: float) -> str:
    """'3 h 20 min', '14 min', '40 s'."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
