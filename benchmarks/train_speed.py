"""How fast a training step is, against plain Keras `fit`, one measure added at a time.

    python benchmarks/train_speed.py CROPS OUT.json [--rounds 8] [--steps 4]

Every variant is a process of its own. All are opened first, then they take turns, one at a time, A B C A B C, so that
neighbours hit all alike; wall time and the process's CPU time of each turn are kept. Same crops, size, batch and optimiser.
`fit` gets its crops from memory, ready made as float32; ours cuts and augments them anew for every step, in the background.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import typer
from edge_facenet_bench import machine

_OPEN = contextlib.ExitStack()
"""What a child keeps open until it is killed."""
PEOPLE = 500
PLACES, IMAGES = 16, 4  # P x K = 64 a step


@dataclass(frozen=True)
class Variant:
    """What a process does."""

    name: str
    what: str
    fit: bool = False
    xla: bool = False
    onednn: bool | None = True  # None = as TensorFlow decides
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "float32"
    fused: bool = False
    threads: int = 0
    input: bool = True


LADDER = (
    Variant("fit-xla", "Keras fit as it comes (compiled by XLA)", fit=True, xla=True, onednn=None),
    Variant("fit-plain-kernels", "Keras fit without XLA, oneDNN off", fit=True, onednn=False),
    Variant("fit", "Keras fit without XLA, oneDNN (the baseline)", fit=True),
    Variant("step", "our step: sampling, views, head, averaged weights"),
    Variant("fused", "+ fused batch normalisation", fused=True),
    Variant("bfloat16", "+ bfloat16", fused=True, precision="mixed_bfloat16"),
    Variant("threads", "+ threads said (as many as cores)", fused=True, precision="auto", threads=os.cpu_count() or 1),
    Variant("no-input", "the same, one batch again and again: what making views costs", fused=True, precision="auto",
            threads=os.cpu_count() or 1, input=False),
)  # fmt: skip
NETS = {"mobile": 80, "mobilenetv2": 112}


def main() -> None:
    """Measure and write; with --child be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path, help="crop set with at least 500 named people (or all it has)")
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=8, help="turns of each variant")
    parser.add_argument("--steps", type=int, default=4, help="steps a turn")
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=NETS)
    names = [variant.name for variant in LADDER]
    parser.add_argument("--variants", nargs="+", default=names, choices=names, help="fit must be among them")
    parser.add_argument("--child", nargs=2, metavar=("NET", "VARIANT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _serve(options.crops, *options.child)
        return
    began = os.getloadavg()[0]
    rows = [row for net in options.nets for row in _measured(options, net)]
    record = {
        "what": f"images a second in training, batch {PLACES * IMAGES}, AdamW; median over the turns",
        "command": f"python benchmarks/train_speed.py CROPS OUT.json --rounds {options.rounds} --steps {options.steps} "
        f"--nets {' '.join(options.nets)} --variants {' '.join(options.variants)}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{machine.describe().cpu}, {os.cpu_count()} cores; load {began:.1f} at the start, {os.getloadavg()[0]:.1f} at the end",
        "rows": rows,
    }
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{table(rows)}\nWritten: {options.out}")


def _measured(options: argparse.Namespace, net: str) -> list[dict[str, Any]]:
    ladder = [variant for variant in LADDER if variant.name in options.variants]
    opened = [(variant, _open(options.crops, options.out, net, variant)) for variant in ladder]
    turns: dict[str, list[dict[str, float]]] = {variant.name: [] for variant in ladder}
    try:
        ready = {variant.name: json.loads(process.stdout.readline() or "{}") for variant, process in opened}
        for _ in range(options.rounds):
            for variant, process in opened:
                turns[variant.name].append(_ask(process, options.steps))
        profiles = {variant.name: _ask(process, 0) for variant, process in opened if variant.name == ladder[-1].name}
    finally:
        for _, process in opened:
            process.kill()
            process.wait()
    rows = [{"net": net, "size": NETS[net], "variant": v.name, "what": v.what, "first_s": ready[v.name]["first_s"],
             **_medians(turns[v.name]), "turns": turns[v.name]} for v in ladder]  # fmt: skip
    for row in rows:
        base = next(other for other in rows if other["variant"] == "fit")
        row["ratios_to_fit"] = _ratios(row["turns"], base["turns"])
        if row["variant"] in profiles:
            row["profile"] = profiles[row["variant"]]
    return rows


def _open(crops: Path, out: Path, net: str, variant: Variant) -> Any:
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
    }
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TF_ENABLE_ONEDNN_OPTS"):
        environment.pop(name, None)
    if variant.onednn is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = str(int(variant.onednn))
    words = [sys.executable, __file__, str(crops), str(out), "--child", net, variant.name]
    return subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(process: Any, steps: int) -> dict[str, float]:
    print(steps, file=process.stdin, flush=True)
    answer: dict[str, float] = json.loads(process.stdout.readline())
    return answer


def _medians(turns: list[dict[str, float]]) -> dict[str, float]:
    wall = [turn["images"] / turn["wall_s"] for turn in turns]
    return {
        "images_per_second": round(statistics.median(wall), 1),
        "best": round(max(wall), 1),
        "images_per_cpu_second": round(statistics.median(turn["images"] / turn["cpu_s"] for turn in turns), 1),
    }


def _ratios(turns: list[dict[str, float]], base: list[dict[str, float]]) -> dict[str, float]:
    """Medians of ratios formed turn by turn."""
    pairs = list(zip(turns, base, strict=True))
    return {
        key: round(statistics.median((b[key] / b["images"]) / (a[key] / a["images"]) for a, b in pairs), 2)
        for key in ("wall_s", "cpu_s")
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| network | | images/s | images/CPU-s | × fit, wall | × fit, CPU |", "|---|---|---:|---:|---:|---:|"]
    for row in rows:
        ratio = row["ratios_to_fit"]
        cells = (f"{row['net']} {row['size']} px", row["what"], row["images_per_second"], row["images_per_cpu_second"])
        lines.append("| " + " | ".join(map(str, (*cells, ratio["wall_s"], ratio["cpu_s"]))) + " |")
    return "\n".join(lines)


def _serve(crops_at: Path, net: str, name: str) -> None:
    """Make ready, say so, then answer each number of steps with what they took; 0 = a profile."""
    from edge_facenet.photos.cropset import CropSet

    variant = next(one for one in LADDER if one.name == name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        go, profile = (_fit if variant.fit else _ours)(CropSet.open(crops_at, verify=False), Path(folder), net, variant)
        go(1)
        _say({"first_s": round(time.monotonic() - began, 1)})
        go(2)
        for line in sys.stdin:
            if not int(line):
                _say(profile())
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            go(int(line))
            took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
            _say({"images": int(line) * PLACES * IMAGES, **{k: round(v, 4) for k, v in took.items()}})


def _say(answer: dict[str, float]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


Parts = tuple[Callable[[int], None], Callable[[], dict[str, float]]]


def _settings(net: str, variant: Variant) -> Any:
    from edge_facenet.train import precision
    from edge_facenet.train.config import TrainConfig
    from edge_facenet.train.sections import BackboneConfig, BatchConfig

    config = TrainConfig(
        1_000_000, BackboneConfig(net, NETS[net]), batch=BatchConfig(PLACES, IMAGES, 1), average=0.99, threads=variant.threads,
        precision=variant.precision, fused_norm=variant.fused,
    )  # fmt: skip
    return precision.settled(config, Path(), "tensorflow")


def _people(crops: Any) -> tuple[str, ...]:
    return tuple(name for name in crops.identities if name)[:PEOPLE]


def _fit(crops: Any, folder: Path, net: str, variant: Variant) -> Parts:
    import keras

    from edge_facenet.pixels import PixelSpec
    from edge_facenet.train import backbones

    rows = crops.rows_of(list(_people(crops)))[: 16 * PLACES * IMAGES]
    images = PixelSpec(NETS[net]).tensor(crops.cut(rows, NETS[net])).astype(np.float32)
    labels = np.unique(crops.labels[rows], return_inverse=True)[1]
    body = backbones.build(net, size=NETS[net])
    model = keras.Model(body.input, keras.layers.Dense(PEOPLE)(body.output))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3), loss, jit_compile="auto" if variant.xla else False)

    def go(steps: int) -> None:
        count = steps * PLACES * IMAGES
        model.fit(images[:count], labels[:count], batch_size=PLACES * IMAGES, epochs=1, verbose=0)

    return go, dict


def _ours(crops: Any, folder: Path, net: str, variant: Variant) -> Parts:
    from edge_facenet.train import backend, checkpoint, feed, objectives
    from edge_facenet.train.course import Course
    from edge_facenet.train.fused_norm import training_twin
    from edge_facenet.train.learner import Learner
    from edge_facenet.verification import Split

    config = _settings(net, variant)
    backend.prepare(config)
    network = checkpoint.plain_network(config)
    objective = objectives.build(Course(config, crops, Split(0, _people(crops), (), ()), folder))
    twin = training_twin(network, config.precision, fused=config.fused_norm)
    learner = Learner(twin, training_twin(network, fused=False), objective, config)
    batches = _OPEN.enter_context(feed.ahead(objective.batch, 0, config.steps))
    kept = next(batches)[1]

    def go(steps: int) -> None:
        for _ in range(steps):
            learner.train_on_batch(next(batches)[1] if variant.input else kept, return_dict=True)

    return go, lambda: _profile(learner, objective, kept)


def _profile(learner: Any, objective: Any, batch: Any) -> dict[str, float]:
    """CPU-seconds of a step's parts: views; forward; forward with backward; the whole step."""
    import tensorflow as tf

    pixels = tf.constant((batch["image"].astype(np.float32) - 128) / 128)
    network = learner.network

    @tf.function(jit_compile=False)  # type: ignore[untyped-decorator]
    def forward() -> Any:
        return tf.reduce_sum(tf.cast(network(pixels, training=True), tf.float32))

    @tf.function(jit_compile=False)  # type: ignore[untyped-decorator]
    def backward() -> Any:
        variables = [v.value for v in network.trainable_variables]
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.cast(network(pixels, training=True), tf.float32)))
        return [tf.reduce_sum(tf.cast(g, tf.float32)) for g in tape.gradient(loss, variables)]

    parts: dict[str, Callable[[], Any]] = {
        "views": lambda: objective.batch(7),
        "forward": forward,
        "forward_and_backward": backward,
        "step": lambda: learner.train_on_batch(batch, return_dict=True),
    }
    return {name: round(_cpu(work), 4) for name, work in parts.items()}


def _cpu(work: Callable[[], Any], times: int = 3) -> float:
    work()
    found = []
    for _ in range(times):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return statistics.median(found)


if __name__ == "__main__":
    main()
