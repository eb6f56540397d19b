"""The learning curve of a distillation: what each look saw, after how many steps and core-hours, and how far int8 is from float.

    python benchmarks/learning_curve.py CROPS OUT.json RUN [RUN …] [--seeds]

Accuracy, TAR and the cosine to the teacher come from each run's log.csv. int8 is exported from the newest checkpoint of each
run; give snapshots of one training as several runs to see it change. Runs that OUT.json already holds stay in it, so that
other seeds can join a curve: with --seeds, where three have looked at one step, their spread is stated. Plots OUT.svg beside it.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import itertools
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer
from edge_facenet_export.calibrate import DEFAULT_FACES
from edge_facenet_export.convert import convert
from edge_facenet_export.describe import pixels
from edge_facenet_export.recipes import RECIPES
from edge_facenet_export.source import gather

from edge_facenet import files
from edge_facenet.engines import open_engine
from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import checkpoint

FACES = 300
LOOKED = {
    "val_accuracy": "accuracy",
    "val_tar_at_1e-2": "tar_at_1e-2",
    "val_tar_at_1e-3": "tar_at_1e-3",
    "val_teacher_cosine": "cosine_to_teacher",
    "train_teacher_cosine": "cosine_to_teacher_on_training_faces",
}
STYLES, COLOURS = ("-", "--", ":", "-."), ("#1f77b4", "#ff7f0e", "#2ca02c")
"""Of runs, and of figures."""
SEEDS = 3
"""Runs that a spread is stated of."""


def main() -> None:
    """Read the logs, measure int8, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path, help="crop set the runs were trained on")
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs")
    parser.add_argument(
        "--seeds", action="store_true", help="the runs are one training with several seeds: state their spread"
    )
    options = parser.parse_args()
    crops = CropSet.open(options.crops)
    names = {run.name for run in options.runs}
    looks = [*_kept(options.out, "looks", names), *(look for run in options.runs for look in _looks(run))]
    record = {
        "what": "looks at people held out of training after so many steps and core-hours, and int8 against float there",
        "command": "python benchmarks/learning_curve.py CROPS OUT.json RUN [RUN …]",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "crops_sha256": crops.sha256,
        "looks": looks,
        "spread": spread(looks) if options.seeds else [],
        "int8": [*_kept(options.out, "int8", names), *(_int8(run, crops) for run in options.runs)],
    }
    files.write_json(options.out, record)
    plot(record, options.out.with_suffix(".svg"))
    typer.echo(f"Written: {options.out}, {options.out.with_suffix('.svg')}")


def spread(looks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over runs of every step that at least three have looked at."""
    found = []
    for step in sorted({look["step"] for look in looks}):
        there = [look for look in looks if look["step"] == step]
        if len({look["run"] for look in there}) >= SEEDS:
            figures = {
                name: [look[name] for look in there] for name in LOOKED.values() if all(name in look for look in there)
            }
            each = {
                name: {"mean": round(statistics.fmean(values), 4), "spread": round(statistics.stdev(values), 4)}
                for name, values in figures.items()
            }
            found.append({"step": step, "runs": len(there), **each})
    return found


def _kept(path: Path, part: str, again: set[str]) -> list[dict[str, Any]]:
    """What the file holds of runs that are not measured again."""
    if not path.exists():
        return []
    return [one for one in json.loads(path.read_text(encoding="utf-8"))[part] if one["run"] not in again]


def _looks(run: Path) -> list[dict[str, Any]]:
    log = run / "log.csv"
    if not log.exists():
        return []
    with log.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("val_accuracy")]
    return [
        {
            "run": run.name,
            "step": int(row["step"]),
            "core_hours": round(float(row["cpu_seconds"]) / 3600, 4),
            **{name: float(row[key]) for key, name in LOOKED.items() if row.get(key)},
        }
        for row in rows
    ]


def _int8(run: Path, crops: CropSet) -> dict[str, Any]:
    """Cosine of the int8 file, as `export` makes it without `--tune`, to the float network on held-out faces."""
    restored = checkpoint.load_embedder(run)
    source = gather(restored, crops, DEFAULT_FACES, FACES)
    engine = open_engine(convert(RECIPES["int8"], source))
    faces = pixels(RECIPES["int8"], source.size).tensor(source.faces)
    embedded = np.concatenate([engine.run([face[None]])[0] for face in faces])
    cosines = np.sum(embedded * source.embeddings, axis=1)
    return {
        "run": run.name,
        "step": restored.step,
        "faces": len(faces),
        "cosine_mean": round(float(cosines.mean()), 5),
        "cosine_min": round(float(cosines.min()), 5),
    }


def plot(record: dict[str, Any], path: Path) -> None:
    """Accuracy and TAR on a logarithmic axis of steps: runs may come from machines of different speed."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4.6), layout="constrained")
    figures = (
        ("accuracy", "accuracy", 1),
        ("tar_at_1e-2", "TAR at FAR 1e-2", 100),
        ("tar_at_1e-3", "TAR at FAR 1e-3", 100),
    )
    runs = list(dict.fromkeys(look["run"] for look in record["looks"]))
    for run, style in zip(runs, itertools.cycle(STYLES)):
        looks = [look for look in record["looks"] if look["run"] == run]
        axis.plot([], [], style, color="grey", label=run)
        for (key, _, factor), colour in zip(figures, COLOURS, strict=True):
            points = [(look["step"], factor * look[key]) for look in looks if key in look]
            steps, values = zip(*points, strict=True) if points else ((), ())
            axis.plot(steps, values, style, color=colour, marker="o", ms=2.5, lw=1.2)
    for (_, label, _), colour in zip(figures, COLOURS, strict=True):
        axis.plot([], [], color=colour, label=label)
    axis.set(xscale="log", xlabel="steps of 64 views", ylabel="%")
    axis.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside lower center", ncols=4)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
