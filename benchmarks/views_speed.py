"""What a training view costs: OpenCV in a thread of the host, or the same in keras.ops on the device.

    python benchmarks/views_speed.py OUT.json [--rounds 20]

The mild augmentation of the label losses (`edge_facenet.train.jitter`): warp, light, blur, hidden patch; 64 crops of 128 px
to 80 px. Each backend has a process of its own, in which both take turns, one thread each; CPU time of each turn is kept.
What the device draws is held against OpenCV's picture first: warped alike, or there is nothing to compare.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typer
from edge_facenet_bench import machine

from edge_facenet.train.jitter import JitterConfig, jitter, warp

FACES, SIDE, MARGIN, SIZE = 64, 128, 8, 80
BACKENDS = ("tensorflow", "jax")
ALIKE = 1.0
"""Grey levels by which the two warps may differ on average: interpolation in 1/32 px (OpenCV) against exact."""
WARP_ONLY = JitterConfig(
    contrast=0, brightness=0, side_light=0, blur=0, cutout=0, flip=0, rotation=8, zoom=0.1, shift=0.04
)


def main() -> None:
    """Measure both backends and write; with --child be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each way")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        sys.stdout.write(json.dumps(_turns(options.rounds)) + "\n")
        return
    rows = [_row(backend, options) for backend in BACKENDS]
    record = {
        "what": f"CPU time of {FACES} views of {SIZE} px, ms, one thread; median over the turns",
        "command": f"python benchmarks/views_speed.py OUT.json --rounds {options.rounds}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{machine.describe().cpu}, {os.cpu_count()} cores",
        "rows": rows,
    }
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        typer.echo(f"{row['backend']}: keras.ops {row['device_ms']} ms, OpenCV {row['opencv_ms']} ms: {row['ratio']} x")
    typer.echo(f"Written: {options.out}")


def _row(backend: str, options: argparse.Namespace) -> dict[str, Any]:
    threads = {f"{name}_THREADS": "1" for name in ("OMP_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")}
    flags = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "TF_CPP_MIN_LOG_LEVEL": "3"}
    words = [sys.executable, __file__, str(options.out), "--rounds", str(options.rounds), "--child"]
    environment = {**os.environ, **threads, **flags, "KERAS_BACKEND": backend}
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    turns: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    device, host = (statistics.median(turns[way]) for way in ("device", "opencv"))
    ratio = statistics.median(a / b for a, b in zip(turns["device"], turns["opencv"], strict=True))
    found = {"device_ms": round(device, 2), "opencv_ms": round(host, 2), "ratio": round(ratio, 2)}
    return {"backend": backend, **found, **turns}


def _turns(rounds: int) -> dict[str, Any]:
    cv2.setNumThreads(1)
    faces = _faces()
    device = _device()
    alike = _alike(faces, device)
    if alike > ALIKE:
        sys.exit(f"The two warps differ by {alike:.2f} grey levels on average: not the same work.")
    ways = {"device": lambda n: device(faces, _drawn(n, JitterConfig())), "opencv": lambda n: _opencv(faces, n)}
    for way in ways.values():
        way(0)
    turns: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            way(number)
            turns[name].append(round(1000 * (time.process_time() - began), 3))
    return {**turns, "warp_difference": round(alike, 3)}


def _faces() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (FACES, 9, 9, 3)).astype(np.uint8)
    return np.stack([cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for face in coarse])


def _opencv(faces: np.ndarray, seed: int, config: JitterConfig = JitterConfig()) -> np.ndarray:
    return np.stack([jitter(f, np.random.default_rng([seed, n]), config, SIZE, MARGIN) for n, f in enumerate(faces)])


def _drawn(seed: int, config: JitterConfig) -> dict[str, np.ndarray]:
    """A batch's random numbers: transforms from view to crop px, and what the light, the blur and the patch are."""
    rng = np.random.default_rng(seed)

    def spread(most: float) -> np.ndarray:
        return rng.uniform(-most, most, FACES)

    low, high = np.asarray(config.cutout_side) * SIZE
    sides, corners = rng.uniform(low, high, (FACES, 2)), rng.uniform(-0.1 * SIZE, SIZE, (FACES, 2))
    return {
        "transforms": np.stack([_transform(np.random.default_rng([seed, n]), config) for n in range(FACES)]),
        "factor": np.exp(spread(config.contrast)),
        "level": spread(config.brightness),
        "slope": spread(config.side_light_levels) * (rng.random(FACES) < config.side_light),
        "blurred": (rng.random(FACES) < config.blur).astype(float),
        "hidden": (rng.random(FACES) < config.cutout).astype(float),
        "patch": np.concatenate([corners, corners + sides], 1),
        "grey": 128 + spread(100),
    }


def _transform(rng: np.random.Generator, config: JitterConfig) -> np.ndarray:
    """The eight numbers of `keras.ops.image.affine_transform`, from the same draws as OpenCV's matrix."""
    forward = np.vstack([warp(rng, config, SIDE, SIZE, MARGIN), [0, 0, 1]])
    return np.append(np.linalg.inv(forward)[:2].ravel(), [0.0, 0.0])


def _device() -> Any:
    """A compiled function of (crops, random numbers): (n, SIZE, SIZE, 3) uint8."""
    import keras

    ops, image = keras.ops, keras.ops.image
    kernel = np.outer([1, 2, 1], [1, 2, 1])[:, :, None, None] / 16 * np.ones((1, 1, 3, 1))
    ramp, at = np.linspace(-1, 1, SIZE), np.arange(SIZE)

    def draw(crops: Any, given: dict[str, Any]) -> Any:
        def each(name: str) -> Any:
            return ops.reshape(given[name], (-1, 1, 1, 1))

        real = image.affine_transform(ops.cast(crops, "float32"), given["transforms"], "bilinear", "nearest")
        real = real[:, :SIZE, :SIZE]
        real = (real - 128) * each("factor") + 128 + each("level") - each("slope") * ops.cast(ramp[:, None], "float32")
        padded = ops.pad(real, [[0, 0], [1, 1], [1, 1], [0, 0]], "reflect")
        soft = ops.depthwise_conv(padded, ops.cast(kernel, "float32"), 1, "valid")
        real = real + each("blurred") * (soft - real)
        inside = [
            (at[None] >= given["patch"][:, n : n + 1]) & (at[None] < given["patch"][:, n + 2 : n + 3]) for n in (0, 1)
        ]
        covered = ops.cast(inside[0][:, :, None, None] & inside[1][:, None, :, None], "float32") * each("hidden")
        real = real + covered * (each("grey") - real)
        return ops.cast(ops.clip(ops.round(real), 0, 255), "uint8")

    compiled = _compiled(draw)

    def run(crops: np.ndarray, given: dict[str, np.ndarray]) -> np.ndarray:
        return np.asarray(compiled(crops, {name: value.astype(np.float32) for name, value in given.items()}))

    return run


def _compiled(draw: Any) -> Any:
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(draw)
    import tensorflow as tf

    return tf.function(draw, autograph=False)


def _alike(faces: np.ndarray, device: Any) -> float:
    """Mean difference of the two warps in grey levels, without light, blur and patch."""
    given = _drawn(5, WARP_ONLY)
    plain = device(faces, {**given, "hidden": np.zeros(FACES)})
    return float(np.abs(plain.astype(int) - _opencv(faces, 5, WARP_ONLY)).mean())


if __name__ == "__main__":
    main()
