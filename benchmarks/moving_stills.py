"""Ten-second videos made of ORL stills: people come in, move, come nearer, go away and leave. Used by recognise_video.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge_facenet.photos import models, orl

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

WIDTH, HEIGHT, RATE, SECONDS = 640, 480, 25, 10
CODEC = "mp4v"
ENROLLED, PHOTOS = 10, 3
CHANGE_S = 1.0
"""Each appearance shows another still of the same person every so many seconds."""
FEATHER = 3.0  # px of the still over which its edge fades into the background
FAINT, LANES = 24.0, (0.27, 0.73)  # spread of the background's clouds; where people stand, as shares of the width
SCHEDULE = ((0, 0.0, 3.6), (1, 1.2, 4.6), (0, 3.8, 6.9), (1, 4.8, 7.4), (0, 7.0, 10.0), (1, 7.5, 10.0))
"""Lane, first and last second of each appearance; the stranger has the fourth."""
STRANGER = 3


@dataclass(frozen=True)
class Actor:
    """One appearance."""

    name: str
    """"" = a stranger."""
    person: str
    stills: tuple[Pixels, ...]
    boxes: tuple[Floats, ...]
    """Left, top, right, bottom of the face in each still, px."""
    lane: int
    start: float
    end: float
    path: Floats
    """Six random numbers 0..1 that shape size, sway and tilt."""
    size: float
    """1 = near; less = farther away, all through the appearance."""


@dataclass(frozen=True)
class Scene:
    """One video's cast."""

    seed: int
    enrolled: dict[str, list[Path]]
    actors: tuple[Actor, ...]
    background: Pixels


def scene(seed: int, size: float = 1.0) -> Scene:
    """Who is enrolled, who appears, and how: a function of the seed and of how far everybody is away."""
    rng = np.random.default_rng(seed)
    folder = orl.folder()
    people = [f"s{k}" for k in rng.permutation(np.arange(1, 41))]
    shuffled = {p: [folder / p / f"{k}.pgm" for k in rng.permutation(np.arange(1, 11))] for p in people}
    cast = [*people[:STRANGER], people[ENROLLED], *people[STRANGER : len(SCHEDULE) - 1]]
    finder = models.open_finder()
    actors = []
    for person, (lane, start, end) in zip(cast, SCHEDULE, strict=True):
        shown = shuffled[person][PHOTOS : PHOTOS + math.ceil((end - start) / CHANGE_S)]
        stills = tuple(np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8) for path in shown)
        boxes = tuple(_face_box(finder, still) for still in stills)
        name = "" if person == people[ENROLLED] else person
        actors.append(Actor(name, person, stills, boxes, lane, start, end, rng.random(6), size))
    clouds = cv2.resize(
        rng.normal(110, FAINT, (6, 8, 3)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    background = np.clip(clouds + rng.normal(0, 3, clouds.shape), 0, 255).astype(np.uint8)
    return Scene(seed, {p: shuffled[p][:PHOTOS] for p in people[:ENROLLED]}, tuple(actors), background)


def _face_box(finder: Any, still: Pixels) -> Floats:
    faces, _ = finder.find(np.ascontiguousarray(cv2.resize(still, None, fx=3, fy=3)[..., ::-1]), most=1)
    if not faces:
        raise SystemExit("The detector finds no face in an enlarged ORL still: its face models are not the right ones.")
    return np.array(faces[0].box) / 3


def place(actor: Actor, t: float) -> Floats:
    """(2, 3): from px of the still to px of the frame, at second `t`. Smooth in t."""
    stay = actor.end - actor.start
    done = (t - actor.start) / stay
    a, b, c, d, e, f = actor.path
    inside = min(1.0, 5 * done, 5 * (1 - done))  # comes in and goes out in a fifth of the time each
    ease = inside * inside * (3 - 2 * inside)
    side = 1 if actor.lane else -1
    scale = actor.size * (1.6 + 0.5 * a) * (1 + 0.22 * math.sin(2 * math.pi * (done + b)))
    angle = math.radians(8 * math.sin(2 * math.pi * (1.5 * done + c)))
    away = (1 - ease) * (0.27 * WIDTH + 56 * scale + 20)
    x = LANES[actor.lane] * WIDTH + side * away + 30 * math.sin(2 * math.pi * (done + d))
    y = (0.5 + 0.08 * math.sin(2 * math.pi * (done + e)) + 0.06 * (f - 0.5)) * HEIGHT
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    height, width = actor.stills[0].shape[:2]
    return np.column_stack([turn, np.array([x, y]) - turn @ (width / 2, height / 2)])


def shown(actor: Actor, t: float) -> int | None:
    """Which still is seen at second `t`; None when the person is away."""
    if not actor.start <= t < actor.end:
        return None
    return min(int((t - actor.start) / CHANGE_S), len(actor.stills) - 1)


def draw(cast: Scene, t: float) -> Pixels:
    """(480, 640, 3) uint8 BGR at second `t`."""
    picture = cast.background.astype(np.float32)
    for actor in cast.actors:
        if (number := shown(actor, t)) is None:
            continue
        still, matrix = actor.stills[number], place(actor, t)
        size = (WIDTH, HEIGHT)
        soft = cv2.warpAffine(_fading(still.shape), matrix, size, flags=cv2.INTER_LINEAR)[..., None]
        warped = cv2.warpAffine(still, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        picture = picture * (1 - soft) + warped * soft
    drawn: Pixels = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    return drawn


def _fading(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    ramps = [np.minimum(1, np.minimum(np.arange(n) + 1, n - np.arange(n)) / FEATHER) for n in shape[:2]]
    return np.outer(*ramps).astype(np.float32)


def box_in_frame(actor: Actor, t: float, number: int) -> Floats:
    """The face's box at second `t`: left, top, right, bottom, px of the frame."""
    left, top, right, bottom = actor.boxes[number]
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    matrix = place(actor, t)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([moved.min(0), moved.max(0)])


def whole(box: Floats) -> bool:
    """Nothing of the box lies outside the frame."""
    return bool(box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT)


def write(cast: Scene, path: Path) -> None:
    """The video."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODEC), RATE, (WIDTH, HEIGHT))
    if not writer.isOpened():
        raise SystemExit(f"This OpenCV cannot write {CODEC}.")
    for number in range(SECONDS * RATE):
        writer.write(draw(cast, number / RATE))
    writer.release()
