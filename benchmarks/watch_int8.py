"""What int8 would lose, at every new checkpoint of a training that runs: appended to RUN-int8.csv beside the run.

    nice python benchmarks/watch_int8.py RUN CROPS            # until the training's last step, looking every minute
    nice python benchmarks/watch_int8.py RUN CROPS --once     # the newest checkpoint alone

Quantizes as `export` without `--tune` does and compares the file, run by its interpreter, with the float network on faces of
people held out (the split's calibrate people). The run's folder is only read: a checkpoint is copied away first, because the
training may remove it meanwhile. Costs a minute of one core each; checkpoints that come faster are passed over.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import typer

from edge_facenet import files
from edge_facenet.errors import InputError

FACES = 400  # 79,800 pairs: TAR at 1e-3 within two points or so, a look in seconds
FARS = (1e-2, 1e-3)
COLUMNS = [
    "step",
    "faces",
    "cosine_mean",
    "cosine_min",
    *(f"{what}_{far:.0e}".replace("e-0", "e-") for far in FARS for what in ("tar_float", "tar_int8", "bound")),
]
Row = dict[str, Any]


def main() -> None:
    """Look, wait, look again; each look in a process of its own, so that nothing piles up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the training; never written to")
    parser.add_argument("crops", type=Path, help="crop set with the run's people")
    parser.add_argument("--once", action="store_true", help="the newest checkpoint, then leave")
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two looks")
    parser.add_argument("--faces", type=int, default=FACES)
    parser.add_argument("--out", type=Path, help="default: RUN-int8.csv beside the run")
    options = parser.parse_args()
    out = options.out or options.run.resolve().with_name(f"{options.run.resolve().name}-int8.csv")
    if options.once:
        once(options.run, options.crops, out, options.faces)
        return
    words = [str(options.run), str(options.crops), "--once", "--faces", str(options.faces), "--out", str(out)]
    while True:
        step = newest_step(options.run)
        if step is not None and step not in seen(out):
            subprocess.run([sys.executable, __file__, *words], check=False)
        if step is not None and step >= last_step(options.run):
            return
        time.sleep(options.every)


def once(run: Path, crops: Path, out: Path, faces: int) -> None:
    """Measure the newest checkpoint, unless it has been."""
    with tempfile.TemporaryDirectory(prefix="watch-int8-") as folder:
        copied = copy_newest(run, Path(folder))
        if copied is None:
            typer.echo(f"{run} has no complete checkpoint yet.")
        elif copied not in seen(out):
            row = measure(Path(folder), crops, faces)
            append(out, row)
            typer.echo("  ".join(f"{name} {row[name]}" for name in COLUMNS))


def measure(run: Path, crops: Path, faces: int) -> Row:
    """The int8 file of a run's newest checkpoint against its float network."""
    from edge_facenet_export.convert import convert
    from edge_facenet_export.recipes import RECIPES
    from edge_facenet_export.source import gather

    from edge_facenet.engines import open_engine
    from edge_facenet.photos.cropset import CropSet
    from edge_facenet.pixels import PixelSpec
    from edge_facenet.train.checkpoint import load_embedder
    from edge_facenet.verification import compare, cosines, operating_points, sweep

    restored = load_embedder(run)
    source = gather(restored, CropSet.open(crops), calibration_faces=100, proof_faces=faces)
    engine = open_engine(convert(RECIPES["int8"], source))
    tensor = PixelSpec(source.size, dtype="int8", quantization=(1 / 128, 0)).tensor(source.faces)
    found = np.concatenate([engine.run([tensor[k : k + 1]])[0] for k in range(len(tensor))]).astype(np.float64)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    each = (found * source.embeddings).sum(axis=1)
    both = [cosines(rows, source.pairs) for rows in (found, source.embeddings)]
    tar = [[p.val for p in operating_points(sweep(scores, source.pairs.same), FARS)] for scores in both]
    told = compare(both[0], both[1], source.pairs, fars=FARS).tar
    figures = [value for k, point in enumerate(told) for value in (tar[1][k], tar[0][k], point.bound)]
    return dict(zip(COLUMNS, [restored.step, len(found), each.mean(), each.min(), *figures], strict=True))


def copy_newest(run: Path, to: Path) -> int | None:
    """Copy what a checkpoint is read from; its step, or None when there is none, or it went while it was copied."""
    from edge_facenet.train import checkpoint

    saved = checkpoint.newest(run)
    if saved is None:
        return None
    try:
        for name in ("config.json", "split.json"):
            shutil.copy(run / name, to)
        shutil.copytree(saved.path, to / saved.path.name)
    except (OSError, shutil.Error):
        return None
    return int(saved.state.step)


def newest_step(run: Path) -> int | None:
    """By the folders' names alone."""
    steps = [int(path.name[5:]) for path in run.glob("step-*") if path.name[5:].isdigit()]
    return max(steps, default=None)


def last_step(run: Path) -> int:
    """The step the training ends with.

    Raises:
        InputError: not a run.
    """
    from edge_facenet.train import config

    if not (run / "config.json").is_file():
        raise InputError(f"{run} is not a training run: it has no config.json.")
    return int(config.read(run / "config.json").steps)


def seen(out: Path) -> set[int]:
    """Steps that stand in the file."""
    return {int(row["step"]) for row in _rows(out)}


def append(out: Path, row: Row) -> None:
    """One line more; the file is whole at any moment."""
    told = {name: value if value is None or isinstance(value, int) else f"{value:.5f}" for name, value in row.items()}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([*_rows(out), told])
    files.write_bytes(out, stream.getvalue().encode())


def _rows(out: Path) -> list[Row]:
    if not out.exists():
        return []
    with out.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    main()
