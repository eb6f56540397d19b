"""`train`: crops to a checkpoint. Sub-commands beside it find their place in the same group."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import ConfigError, EdgeFacenetError, InputError
from . import train_watch

if TYPE_CHECKING:
    from ..train.config import TrainConfig
    from ..train.monitor import Status
    from ..train.trainer import Listeners, Result

DEFAULT = "run"
STATUS_EVERY_S = 15.0


def _presets() -> str:
    """The presets' names, without importing the room that reads them."""
    return ", ".join(sorted(path.stem for path in (Path(__file__).parents[1] / "train" / "presets").glob("*.json")))


class DefaultGroup(TyperGroup):
    """`train CROPS RUN` is `train run CROPS RUN`: a first word that is no sub-command belongs to the default one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default's name in front where no sub-command is named; help is the whole group's."""
        if not args:
            args = ["--help"]
        if args[0] != "--help" and args[0] not in self.commands:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


HELP = f"""Train a network on a crop set.

Example: edge-facenet train crops/ runs/orl --preset orl-demo (all its options: edge-facenet train run --help)

Presets: {_presets()}.

Trainings of hours: the same with --detach, then edge-facenet train status, pause, resume.
"""
command = typer.Typer(cls=DefaultGroup, help=HELP, pretty_exceptions_enable=False)
for watching in (train_watch.status, train_watch.pause, train_watch.resume):
    command.command()(watching)


@command.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="Folder of the run.", metavar="RUN")],
    file: Annotated[Path, typer.Argument(help="File to write, NAME.npz.", metavar="FILE")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write the newest averaged weights of a training into one small file, in float16.

    Another training begins with them by --init-from FILE.

    Example: edge-facenet train pack runs/mobile mobile.npz
    """
    from ..schema import to_json
    from ..train.packed import SUFFIX
    from ..train.packed import pack as write

    if file.suffix != SUFFIX:
        raise ConfigError(f"Packed weights are called NAME{SUFFIX}, found {file.name}.")
    about = write(folder, file)
    typer.echo(
        json.dumps(to_json(about) | {"file": str(file)})
        if as_json
        else f"{about.backbone} at {about.size} px, step {about.step:,}: {file.stat().st_size / 1e6:.2f} MB in {file}"
    )


@command.command()
def soup(
    runs: Annotated[list[Path], typer.Argument(help="Folders of two runs or more.", metavar="RUN RUN [RUN …]")],
    out: Annotated[Path, typer.Option(help="Folder to make; export, pack and --init-from take it like a run.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Average the weights of trainings that began with the same ones: often better than the best of them.

    All must be of one network and hold out the same people. Keep it only if it is better on people held out.

    Example: edge-facenet train soup runs/seed1 runs/seed2 --out runs/soup
    """
    from ..schema import to_json
    from ..train.soup import mix

    made = mix(runs, out)
    parts = [f"{one.run}, step {one.step:,} (seed {one.seed}, cosine {one.cosine:.3f})" for one in made.ingredients]
    typer.echo(json.dumps(to_json(made) | {"run": str(out)}) if as_json else f"{out}: the mean of {'; '.join(parts)}")


@command.command(DEFAULT)
def run(
    crops: Annotated[Path, typer.Argument(help="Crop set, as `prepare` writes it.", metavar="CROPS")],
    folder: Annotated[Path, typer.Argument(help="Folder of the run: new, or one to go on with.", metavar="RUN")],
    *,
    preset: Annotated[str | None, typer.Option(help=f"{_presets()}; or a JSON file in their form.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, nested keys with dots; may be repeated.")
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            "--init-from",
            help="Begin with the weights of a run's folder, a packed .npz or a released network (mobile), as far as they fit.",
            metavar="SOURCE",
        ),
    ] = None,
    teachers: Annotated[
        list[Path] | None,
        typer.Option("--teacher", help="Manifest of a network to learn from; may be repeated.", metavar="JSON"),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Train in the background; survives the shell.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Train a network; the same command again goes on where it was, after Ctrl-C, kill -9 or a power cut.

    Example: edge-facenet train crops/ runs/orl --preset orl-demo --set seed=1

    Hours in the background: edge-facenet train crops/ runs/mobile --preset mobile-distil --teacher T.json --detach,
    then edge-facenet train status.
    """
    from ..photos.cropset import CropSet
    from ..train import runs
    from ..train.trainer import train
    from . import train_jobs
    from .progress import bar

    words = [*(assignments or []), *_begun_with(init_from), *_taught_by(teachers or [])]
    config = _config(folder, preset, words)
    if detach:
        typer.echo(_detached(crops, folder, preset, words, as_json=as_json))
        return
    former = None if runs.is_strange(folder) else train_jobs.remember(folder, crops)
    try:
        with bar("Training", unit="steps") as on_progress:
            cropset, listeners = CropSet.open(crops), _listeners(on_progress)
            if config.backbone.size > (inner := cropset.size - 2 * cropset.margin):
                listeners.on_message(_enlarged(config.backbone.size, cropset.size, inner))
            result = train(cropset, folder, config, listeners)
    except EdgeFacenetError:
        train_jobs.forget_refused(folder, former)
        raise
    typer.echo(json.dumps(_summary(result)) if as_json else _report(result, crops))


def _enlarged(wanted: int, side: int, inner: int) -> str:
    return (
        f"Crops of {inner} px are enlarged to the network's {wanted}: MUL-ADDs spent on nothing. For sharper ones prepare the "
        f"photos with --size {math.ceil(wanted * side / inner)}, or train at backbone.size={inner}."
    )


def _begun_with(source: str | None) -> list[str]:
    if source is None:
        return []
    from ..train import packed

    place = source if packed.is_released(source) else str(Path(source).resolve())  # the same when it is gone later
    return [f"backbone.start_from={place}", "backbone.start_partly=true"]


def _taught_by(teachers: list[Path]) -> list[str]:
    return [f"distil.teachers={json.dumps([str(path.resolve()) for path in teachers])}"] if teachers else []


def _detached(crops: Path, folder: Path, preset: str | None, assignments: list[str], *, as_json: bool) -> str:
    """Start the same command in the background and say how to look after it."""
    from ..photos.cropset import CropSet
    from ..train import runs
    from . import train_jobs

    CropSet.open(crops, verify=False)  # what is wrong with it is said here and now
    if process := runs.holder(folder):
        raise InputError(f"{folder} is running already (process {process}). See: edge-facenet train status {folder}")
    former = None if runs.is_strange(folder) else train_jobs.remember(folder, crops)
    words = [str(crops), str(folder), *(["--preset", preset] if preset else [])]
    words += [word for text in assignments for word in ("--set", text)]
    try:
        process = train_jobs.start(folder, words, Path.cwd())
    except EdgeFacenetError:
        train_jobs.forget_refused(folder, former)
        raise
    if as_json:
        return json.dumps({"run": str(folder), "process": process})
    return train_watch.started(folder, process)


def _config(folder: Path, preset: str | None, assignments: list[str]) -> TrainConfig:
    """The preset's, else the run's own, with `--set` applied.

    Raises:
        ConfigError: neither is there, or a value cannot be.
    """
    from ..train import config, presets

    own = folder / "config.json"
    if preset is not None:
        return config.override(presets.load(preset).config, assignments)
    if own.exists():
        return config.override(config.read(own), assignments)
    raise ConfigError(f"{folder} is a new run: say how to train with --preset (known: {', '.join(presets.names())}).")


def _listeners(on_progress: Callable[[int, int], None]) -> Listeners:
    from ..train.trainer import Listeners

    first: list[int] = []
    last_said = [time.monotonic()]

    def progress(done: int, total: int) -> None:
        if not first:  # a run that goes on: its speed is that of this process
            first.append(done - 1)
        on_progress(done - first[0], total - first[0])

    def status(now: Status) -> None:
        if time.monotonic() - last_said[0] >= STATUS_EVERY_S or now.step == now.steps:
            last_said[0] = time.monotonic()
            typer.echo(_status(now), err=True)

    return Listeners(progress, status, lambda sentence: typer.echo(sentence, err=True))


def _status(now: Status) -> str:
    """'step 120 of 900: loss 1.92, accuracy 43 %, active triplets 12 %; 310 images/s, 1:52 left'."""
    figures = now.figures
    parts = [f"loss {figures['loss']:.3f}"]
    shares = {"accuracy": "batch accuracy", "active_triplets": "active triplets"}
    parts += [f"{word} {100 * figures[name]:.0f} %" for name, word in shares.items() if name in figures]
    if "val_accuracy" in figures:
        parts.append(f"calibrate people {figures['val_accuracy']:.1f} %")
    minutes, seconds = divmod(round(now.seconds_left), 60)
    left = f"{minutes}:{seconds:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return f"step {now.step} of {now.steps}: {', '.join(parts)}; {now.images_per_second:.0f} images/s, {left} left"


def _summary(result: Result) -> dict[str, Any]:
    return {
        "run": str(result.run),
        "step": result.step,
        "started_at": result.started_at,
        "images_per_second": round(result.images_per_second, 1),
        "figures": result.figures,
        "people": {part: len(getattr(result.split, part)) for part in ("train", "calibrate", "test")},
    }


def _report(result: Result, crops: Path) -> str:
    split = result.split
    if result.started_at == result.step:
        return f"{result.run} was finished already, at step {result.step}. Next: edge-facenet export {result.run} {crops} OUT"
    return (
        f"Trained to step {result.step} on {len(split.train)} people ({len(split.calibrate)} kept for thresholds, "
        f"{len(split.test)} for tests) at {result.images_per_second:.0f} images/s.\n"
        f"Written: {result.run}/step-{result.step:07d}, {result.run}/log.csv. "
        f"Next: edge-facenet export {result.run} {crops} OUT"
    )
