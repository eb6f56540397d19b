"""People named in videos made of stills: who is named right, wrong or not at all, frame by frame.

    python benchmarks/recognise_video.py benchmarks/results/recognise-video.json [--seeds 0 1 2] [--model mobile]

For each seed ten ORL people are drawn and enrolled with three stills each. Then a video of ten seconds is made out of
*other* stills (and deleted again): five of them come in, move, turn their heads a little as the stills change, come
nearer, go away and leave, most of the time two at once; a stranger comes and goes too. `open_source` reads it and
`FaceRecognizer.identify` looks at every frame: nothing is known from the frame before. Frames stand upright, so it is told
not to try other orientations; once more, it tries them ("also_looked_at_turned").

A face counts as visible when its whole box, as the detector draws it on the still, lies inside the frame. All figures
are of all frames in which it does; what is named at the edges is counted apart.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import moving_stills as film
import numpy as np
import typer
from edge_facenet_bench import machine

from edge_facenet import files
from edge_facenet.cameras import open_source
from edge_facenet.recognise import FaceRecognizer

SUFFIX, TARGET = ".mp4", 0.95
FARTHER = (0.6, 0.45, 0.3)
"""The first seed once more, with everybody so much smaller: how small may a face be? These do not count for the target."""


def main() -> None:
    """Make the videos, look, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--model", default="mobile", help="name or manifest of the network")
    parser.add_argument("--keep", type=Path, help="folder to keep the videos in, to look at them")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    runs = [_run(film.scene(seed), options) for seed in options.seeds]
    small = [_run(film.scene(options.seeds[0], size), options) for size in FARTHER]
    others = {
        "farther_away": [_summary([run]) | {"size": size} for run, size in zip(small, FARTHER, strict=True)],
        "found_by_face_size": _by_size([*runs, *small]),
        "also_looked_at_turned": _summary([_run(film.scene(seed), options, turned=True) for seed in options.seeds]),
    }
    files.write_json(options.out, _record(runs, others, options))
    typer.echo(f"Written: {options.out}")


class Counts:
    """What became of one person's frames."""

    def __init__(self, actor: film.Actor) -> None:
        self.actor = actor
        self.visible, self.at_the_edge = collections.Counter[str](), collections.Counter[str]()
        self.similarity: list[float] = []
        self.sizes: list[float] = []
        self.by_size = collections.Counter[tuple[int, bool]]()
        """Frames by the box's side in % of the frame's width, steps of 2, and whether a face was found there."""

    def add(self, box: film.Floats, seen: Any) -> None:
        """One frame: `seen` is the face found there, or None."""
        outcome = self._outcome(seen)
        if not film.whole(box):
            self.at_the_edge[outcome] += 1
            return
        self.visible[outcome] += 1
        self.sizes.append(float(box[2] - box[0]))
        self.by_size[int(50 * (box[2] - box[0]) / film.WIDTH) * 2, seen is not None] += 1
        if seen is not None and seen.similarity is not None:
            self.similarity.append(float(seen.similarity))

    def _outcome(self, seen: Any) -> str:
        if seen is None:
            return "not found"
        if seen.name is not None:
            return "right" if seen.name == self.actor.name else "wrong"
        if seen.ambiguous:
            return "ambiguous"
        return "unknown" if self.actor.name else "stranger unknown"

    def result(self) -> dict[str, Any]:
        """For the record."""
        frames, wrong, right = sum(self.visible.values()), self.visible["wrong"], self.visible["right"]
        about: dict[str, Any] = {
            "person": self.actor.person,
            "stranger": not self.actor.name,
            "frames_visible": frames,
            "named_right": right,
            "named_wrong": wrong,
            "unknown": frames - right - wrong,
            "outcomes": dict(sorted(self.visible.items())),
            "at_the_edge": dict(sorted(self.at_the_edge.items())),
            "face_box_px": [round(min(self.sizes)), round(max(self.sizes))] if self.sizes else None,
            "similarity": _spread(self.similarity) if self.similarity else None,
        }
        return about | ({"share_right": round(right / frames, 4)} if self.actor.name and frames else {})


def _spread(values: list[float]) -> dict[str, float]:
    return {name: round(float(np.quantile(values, q)), 4) for name, q in (("min", 0), ("median", 0.5), ("max", 1))}


def _run(cast: film.Scene, options: argparse.Namespace, *, turned: bool = False) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as work:
        folder = options.keep or Path(work)
        folder.mkdir(parents=True, exist_ok=True)
        video = folder / f"seed-{cast.seed}{SUFFIX}"
        film.write(cast, video)
        recognizer = FaceRecognizer(options.model, gallery=Path(work) / "gallery.db")
        for name, photos in cast.enrolled.items():
            recognizer.enroll(name, photos)
        return {"seed": cast.seed, "enrolled": list(cast.enrolled), **look(cast, video, recognizer, turned)}


def look(cast: film.Scene, video: Path, recognizer: FaceRecognizer, turned: bool) -> dict[str, Any]:
    """Identify in every frame."""
    counts = [Counts(actor) for actor in cast.actors]
    took, strays, frames, two = [], collections.Counter[str](), 0, 0
    begun, busy = time.perf_counter(), time.process_time()
    threshold: float | None = None
    with open_source(str(video)) as source:
        for frame in source:
            t = frame.number / film.RATE
            start = time.perf_counter()
            seen = list(recognizer.identify(frame.pixels, turned=turned))
            took.append(time.perf_counter() - start)
            threshold = next((s.threshold for s in seen if s.threshold is not None), threshold)
            frames, inside = frames + 1, 0
            for count in counts:
                if (number := film.shown(count.actor, t)) is not None:
                    box = film.box_in_frame(count.actor, t, number)
                    inside += film.whole(box)
                    count.add(box, _claimed(seen, box))
            two += inside > 1
            strays.update("named" if s.name is not None else "unnamed" for s in seen)  # what nobody has claimed
    return {
        "frames": frames,
        "frames_with_two_whole_faces": two,
        "threshold": threshold,
        "people": [count.result() for count in counts],
        "faces_where_nobody_is": dict(strays),
        "seconds": round(time.perf_counter() - begun, 2),
        "frames_per_second": round(frames / (time.perf_counter() - begun), 2),
        "frames_per_cpu_second": round(frames / (time.process_time() - busy), 2),
        "identify_ms": {
            name: round(1000 * float(np.quantile(took, q)), 1) for name, q in (("median", 0.5), ("p90", 0.9))
        },
        "found_by_size": sum((count.by_size for count in counts), collections.Counter[tuple[int, bool]]()),
    }


def _claimed(seen: list[Any], box: film.Floats) -> Any:
    """Take out of `seen` the face that lies on `box`: the largest overlap above 0.3 of their union."""
    best, at = 0.3, None
    for k, face in enumerate(seen):
        left, top, right, bottom = face.box
        wide = max(0.0, min(right, box[2]) - max(left, box[0]))
        both = wide * max(0.0, min(bottom, box[3]) - max(top, box[1]))
        union = (right - left) * (bottom - top) + (box[2] - box[0]) * (box[3] - box[1]) - both
        if both / union > best:
            best, at = both / union, k
    return None if at is None else seen.pop(at)


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    people = [p for run in runs for p in run["people"]]
    known, strangers = [p for p in people if not p["stranger"]], [p for p in people if p["stranger"]]
    shares = [p["share_right"] for p in known if p["frames_visible"]]
    return {
        "people": len(known),
        "people_at_target": sum(share >= TARGET for share in shares),
        "lowest_share_right": min(shares),
        "frames_visible": sum(p["frames_visible"] for p in known),
        "named_right": sum(p["named_right"] for p in known),
        "named_wrong": sum(p["named_wrong"] for p in known),
        "not_found": sum(p["outcomes"].get("not found", 0) for p in known),
        "stranger_frames": sum(p["frames_visible"] for p in strangers),
        "strangers_named": sum(p["named_wrong"] for p in strangers),
        "face_box_px": [min(p["face_box_px"][0] for p in people), max(p["face_box_px"][1] for p in people)],
        "frames_per_second": [run["frames_per_second"] for run in runs],
        "frames_per_cpu_second": [run["frames_per_cpu_second"] for run in runs],
    }


def _by_size(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Frames, and frames in which the face was found, by the width of its (tilted) box in % of the frame's width."""
    total = sum((run.pop("found_by_size") for run in runs), collections.Counter[tuple[int, bool]]())
    steps = sorted({step for step, _ in total})
    return [
        {"percent": [step, step + 2], "frames": total[step, True] + total[step, False], "found": total[step, True]}
        for step in steps
    ]


def _record(runs: list[dict[str, Any]], others: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    here = dataclasses.asdict(machine.describe())
    return {
        "what": "identify on every frame of ten-second videos made of ORL stills that were not enrolled",
        "command": f"python benchmarks/recognise_video.py OUT.json --seeds {' '.join(map(str, options.seeds))}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "model": options.model,
        "settings": {
            "video": f"{film.WIDTH}x{film.HEIGHT}, {film.RATE} frames per second, {film.SECONDS} s, {film.CODEC}",
            "enrolled": f"{film.ENROLLED} people with {film.PHOTOS} photos each",
            "another_still_every_s": film.CHANGE_S,
            "appearances": [list(part) for part in film.SCHEDULE],
        },
        "target_share_right": TARGET,
        "summary": _summary(runs),
        **others,
        "runs": runs,
        "load_average": here["before"]["load_average"],
        "machine": {
            key: here[key] for key in ("cpu", "architecture", "cores", "system", "python", "packages", "commit")
        },
    }


if __name__ == "__main__":
    main()
