"""What `prepare` costs: milliseconds of each stage and photos per second, next to OpenCV's YuNet + alignCrop.

    python benchmarks/prepare_speed.py PHOTOS --yunet yunet_n_dynamic.onnx

Every photo goes through all of it in turn before the next one does, so that what else the machine does falls on all alike:
compare numbers of one run with each other, and not with another run's. Times of stages are processor time of one thread;
photos per second are wall-clock time of the whole command's work, one and two processes in turn. The accuracy of the same
three alignments is in results/lfw-peers.json. Raw samples are kept.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import cv2
import numpy as np
import typer

from edge_facenet import files
from edge_facenet.photos import faces, models
from edge_facenet.photos.align import TEMPLATE, outside, similarity, target, warp
from edge_facenet.photos.crew import Crew
from edge_facenet.photos.cropset import CropRow, CropSetWriter, Recipe
from edge_facenet.photos.decode import decode
from edge_facenet.photos.examine import Rules, examine
from edge_facenet.photos.faces import detector_points
from edge_facenet.photos.prepare import prepare
from edge_facenet.photos.rows import Rejection
from edge_facenet.photos.walk import Entry, Listing, walk

T = TypeVar("T")
STAGES = {
    "decode": "JPEG to upright RGB",
    "detect": "BlazeFace on the photo as it is, with letter box and merging",
    "upside down": "the same on the photo turned by 180 degrees: asked only where the first look leaves a doubt",
    "mesh": "face mesh, two passes",
    "warp": "similarity, warp to 128 px, blur and luminance",
    "write": "crop and journal line to the disk",
    "whole": "examine and write, as prepare does it",
    "whole, always asked": "the same with the look upside down at every photo, as it was before it was spared",
    "box only": "decode, detect, the detector's own points, warp: no mesh",
    "yunet": "the same decode, YuNet at the photo's size, the warp of FaceRecognizerSF.alignCrop (its five points, 112 px)",
}


class Clock:
    """Processor time of named stages."""

    def __init__(self) -> None:
        self.samples: dict[str, list[float]] = {name: [] for name in STAGES}

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        started = time.thread_time_ns()
        done = work()
        self.samples[name].append((time.thread_time_ns() - started) / 1e6)
        return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--yunet", type=Path, required=True, help="YuNet's ONNX file")
    parser.add_argument("--count", type=int, default=200, help="photos whose stages are timed")
    parser.add_argument("--rounds", type=int, default=3, help="of one and two processes in turn")
    parser.add_argument("--batch", type=int, default=600, help="photos of such a round")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "prepare-speed.json")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    entries = walk([options.photos]).entries
    spread = entries[:: max(len(entries) // options.count, 1)][: options.count]
    samples = _stages(spread, options.yunet)
    speeds = _speeds(entries[: options.batch], options.rounds)
    files.write_json(options.out, _result(samples, speeds, options))
    for name, values in samples.items():
        typer.echo(f"{name:19} {statistics.median(values):7.2f} ms  {STAGES[name]}")
    for jobs, found in speeds.items():
        typer.echo(f"{', '.join(f'{v:.0f}' for v in found)} photos/s with {jobs} processes")


def _stages(entries: list[Entry] | tuple[Entry, ...], yunet: Path) -> dict[str, list[float]]:
    finder, rules, clock = models.open_finder(), Rules(), Clock()
    peer = cv2.FaceDetectorYN.create(os.fspath(yunet), "", (320, 320), 0.6)
    folder = Path(tempfile.mkdtemp(prefix="prepare-speed-"))
    row = CropRow(0, "", "x", 1.0, ((0.0, 0.0),) * 5)  # type: ignore[arg-type]
    try:
        with CropSetWriter(folder / "crops", Recipe()) as writer:
            for number, entry in enumerate(entries):
                _one(entry, (finder, rules, peer), clock, lambda crop: writer.accept(row, crop))
                if number == 4:  # the first ones warm caches and allocators up
                    clock.samples = {name: [] for name in STAGES}
    finally:
        shutil.rmtree(folder)
    return clock.samples


def _one(entry: Entry, tools: tuple[Any, Rules, Any], clock: Clock, write: Callable[[Any], Any]) -> None:
    finder, rules, peer = tools
    size, margin = rules.layout.size, rules.layout.margin
    photo = clock("decode", lambda: decode(Path(os.fsdecode(entry.path)).read_bytes())).pixels

    found = clock("detect", lambda: finder._detections(photo, 0))
    clock("upside down", lambda: finder._detector.detect(photo, 2))
    if not found:
        return
    mesh = clock("mesh", lambda: finder._mesh.locate(photo, found[0]))

    def cut(points: Any) -> Any:
        matrix = similarity(points, target(size, margin))
        outside(matrix, photo.shape, size, margin)
        crop = warp(photo, matrix, size)
        cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
        return crop

    crop = clock("warp", lambda: cut(mesh.five()))
    clock("write", lambda: write(crop))

    def whole() -> Any:
        result = examine(entry, finder, rules)
        return None if isinstance(result, Rejection) else write(result.crop)

    clock("whole", whole)
    with mock.patch.object(faces, "_BEYOND_DOUBT", 2.0):
        clock("whole, always asked", whole)

    def box_only() -> Any:
        again = decode(Path(os.fsdecode(entry.path)).read_bytes()).pixels
        return cut(detector_points(finder._detections(again, 0)[0]))

    clock("box only", box_only)

    def by_yunet() -> Any:
        again = decode(Path(os.fsdecode(entry.path)).read_bytes()).pixels[..., ::-1]
        peer.setInputSize((again.shape[1], again.shape[0]))
        seen = peer.detect(np.ascontiguousarray(again))[1]
        if seen is None:
            return None
        return cv2.warpAffine(again, similarity(seen[0, 4:14].reshape(5, 2), TEMPLATE), (112, 112))

    clock("yunet", by_yunet)


def _speeds(entries: tuple[Entry, ...], rounds: int) -> dict[str, list[float]]:
    """Photos per second of the whole of prepare, by the number of processes."""
    found: dict[str, list[float]] = {"1": [], "2": []}
    for _ in range(rounds):
        for jobs in (1, 2):
            folder = Path(tempfile.mkdtemp(prefix="prepare-speed-"))
            started = time.perf_counter()
            prepare(Listing(entries, (), ()), folder / "crops", crew=Crew(jobs))
            found[str(jobs)].append(len(entries) / (time.perf_counter() - started))
            shutil.rmtree(folder)
    return found


def _result(samples: dict[str, list[float]], speeds: dict[str, list[float]], options: Any) -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    median = {name: round(statistics.median(values), 3) for name, values in samples.items()}
    return {
        "what": "milliseconds of processor time per photo, and photos per second of wall-clock time; one interleaved run",
        "stages": STAGES,
        "median_ms": median,
        "best_tenth_ms": {name: round(float(np.percentile(values, 10)), 3) for name, values in samples.items()},
        "whole_to_yunet": round(median["whole"] / median["yunet"], 2),
        "photos_per_second": {jobs: [round(v, 2) for v in found] for jobs, found in speeds.items()},
        "photos": {"stages": len(samples["whole"]), "speeds": options.batch, "kind": options.photos.name},
        "context": {
            "date": time.strftime("%Y-%m-%d"),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "load": load,
            "python": platform.python_version(),
            "opencv": cv2.__version__,
            "numpy": np.__version__,
            "shared_machine": "other work ran beside: compare numbers of this run with each other only",
        },
        "samples_ms": {name: [round(v, 3) for v in values] for name, values in samples.items()},
    }


if __name__ == "__main__":
    main()
