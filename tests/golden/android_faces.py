"""Vectors of finding faces: the networks are played by stubs whose outputs both languages can make."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from android_pictures import noise, smooth

from edge_facenet.engines.base import TensorSpec
from edge_facenet.photos import align, models, pieces
from edge_facenet.photos.aligner import Aligner, aligner_fingerprint
from edge_facenet.photos.decode import Photo
from edge_facenet.photos.detect import BlazeFace, Detection
from edge_facenet.photos.face import Face
from edge_facenet.photos.faces import FaceFinder, detector_points, prominence
from edge_facenet.photos.mesh import FaceMesh

ANCHORS, POINTS = 896, 468
FLOAT = np.dtype(np.float32)
WIDTH, HEIGHT = 200, 150
"""Of the picture that the stubs are shown."""


class Detector:
    """Answers the k-th call with the k-th list of (anchor, logit, centre x and y, side), px of the network."""

    name, ran_on = "stub", "CPU"
    inputs = (TensorSpec("in", (1, 128, 128, 3), FLOAT),)
    outputs = (TensorSpec("regressors", (1, ANCHORS, 16), FLOAT), TensorSpec("classificators", (1, ANCHORS, 1), FLOAT))

    def __init__(self, calls: list[list[list[float]]]) -> None:
        self.calls = list(calls)
        self.asked = 0

    def run(self, inputs: Any) -> list[npt.NDArray[np.float32]]:
        boxes, logits = np.zeros((1, ANCHORS, 16), np.float32), np.full((1, ANCHORS, 1), -9, np.float32)
        faces = self.calls[self.asked] if self.asked < len(self.calls) else []
        self.asked += 1
        for anchor, logit, x, y, side in faces:
            k = int(anchor)
            centre = _centre(k) * 128
            offset = np.array([x, y]) - centre
            turn = [(-0.2, -0.15), (0.2, -0.13), (0.01, 0.05), (0.02, 0.3), (-0.4, 0.0), (0.4, 0.02)]
            logits[0, k, 0] = logit
            boxes[0, k, :2], boxes[0, k, 2:4] = offset, (side, side * 1.1)
            boxes[0, k, 4:] = np.concatenate([offset + np.array(t) * side for t in turn])
        return [boxes, logits]


def _centre(anchor: int) -> npt.NDArray[np.float64]:
    if anchor < 512:
        return np.array([anchor // 2 % 16 + 0.5, anchor // 2 // 16 + 0.5]) / 16
    return np.array([(anchor - 512) // 6 % 8 + 0.5, (anchor - 512) // 6 // 8 + 0.5]) / 8


class MeshNet:
    """Answers the k-th call with the k-th presence logit and eye line's angle; the points are noise about a grid."""

    name, ran_on = "stub", "CPU"
    inputs = (TensorSpec("in", (1, 192, 192, 3), FLOAT),)
    outputs = (TensorSpec("points", (1, 1, 1, 3 * POINTS), FLOAT), TensorSpec("presence", (1, 1, 1, 1), FLOAT))

    def __init__(self, calls: list[list[float]]) -> None:
        self.calls = list(calls)
        self.asked = 0

    def run(self, inputs: Any) -> list[npt.NDArray[np.float32]]:
        logit, turned = self.calls[min(self.asked, len(self.calls) - 1)]
        self.asked += 1
        return [mesh_points(turned).reshape(1, 1, 1, -1), np.full((1, 1, 1, 1), logit, np.float32)]


def mesh_points(quarters: float) -> npt.NDArray[np.float32]:
    """(468, 3): noise, with the eyes, nose and mouth near their places, turned by quarter turns clockwise."""
    points = noise(3 * POINTS, 77).astype(np.float64).reshape(-1, 3) / 2 + 32
    places = {33: (60, 80), 263: (130, 84), 4: (97, 110), 61: (75, 140), 291: (122, 141), 10: (96, 30), 152: (97, 175)}
    left = (7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
    right = (249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
    for k, (x, y) in places.items():
        points[k, :2] = x, y
    points[list(left), :2] = points[list(left), :2] / 16 + (70, 74)
    points[list(right), :2] = points[list(right), :2] / 16 + (115, 76)
    for _ in range(int(quarters)):
        points[:, :2] = np.column_stack([192 - points[:, 1], points[:, 0]])
    return points.astype(np.float32)


def _face_json(face: Face) -> dict[str, Any]:
    return {
        "score": face.score,
        "box": list(face.box),
        "points": face.points.tolist(),
        "presence": face.presence,
        "turns": face.turns,
        "tilt": face.tilt,
        "yaw": face.yaw,
        "pitch": face.pitch,
    }


ONE = [100, 3.0, 60.0, 62.0, 40.0]
DETECTIONS = {
    "one face of three candidates": [[ONE, [102, 2.0, 61.0, 63.0, 42.0], [600, 1.0, 58.5, 60.0, 39.0]]],
    "three faces": [[ONE, [300, 2.5, 20.0, 90.0, 20.0], [700, 0.4, 110.0, 30.0, 24.0]]],
    "padded": [[], [ONE]],
    "low score": [[[100, -0.5, 60.0, 62.0, 40.0], [301, -0.2, 25.0, 90.0, 22.0]], []],
    "none": [[], []],
    "a box without area": [[[100, 3.0, 60.0, 62.0, 0.0]]],
}


def detections() -> list[dict[str, Any]]:
    found = []
    for name, calls in DETECTIONS.items():
        for turns in (0, 1, 2, 3) if name == "three faces" else (0,):
            stub = Detector(calls)
            faces = BlazeFace(stub, models.DETECTOR.pixels).detect(smooth(WIDTH, HEIGHT, 1), turns)
            listed = [{"score": f.score, "box": f.box, "points": f.points.tolist(), "turns": f.turns} for f in faces]
            sizes = [prominence(f, (HEIGHT, WIDTH)) for f in faces]
            found.append(
                {
                    "name": name,
                    "calls": calls,
                    "turns": turns,
                    "asked": stub.asked,
                    "faces": listed,
                    "prominence": sizes,
                }
            )
    return found


SURE = [100, 1.9, 60.0, 62.0, 40.0]
"""A score of 0.87: upright if the second look, upside down, does not say better; ONE's 0.95 is beyond doubt."""
SEEN, UNSEEN = [6.0, 0], [-4.0, 0]
FINDS: dict[str, tuple[list[list[list[float]]], list[list[float]]]] = {
    "upright": ([[ONE]], [SEEN]),
    "upright, asked upside down as well": ([[SURE]], [SEEN]),
    "two, upright": ([[ONE, [300, 2.5, 20.0, 90.0, 20.0]]], [SEEN]),
    "second pass with less presence is dropped": ([[ONE]], [[6.0, 0], [3.0, 0]]),
    "wide retry": ([[ONE]], [UNSEEN, UNSEEN, [2.0, 0], SEEN]),
    "no mesh: the detector's points": ([[ONE]], [UNSEEN]),
    "on its side": (
        [[[100, 1.0, 60.0, 62.0, 40.0]], [ONE]],
        [[6.0, 3], [6.0, 3], [6.0, 3], [6.0, 3], [6.0, 3], [6.0, 3]],
    ),
    "better upside down": ([[SURE], [], [], [[100, 4.0, 60.0, 62.0, 40.0]]], [SEEN, SEEN, [6.0, 2]]),
    "nothing": ([], [UNSEEN]),
}


def finds() -> list[dict[str, Any]]:
    photo = smooth(WIDTH, HEIGHT, 1)
    found = []
    for name, (calls, looks) in FINDS.items():
        detector, mesh = Detector(calls), MeshNet(looks)
        finder = FaceFinder(BlazeFace(detector, models.DETECTOR.pixels), FaceMesh(mesh, models.MESH.pixels))
        faces = [_face_json(face) for face in finder.find(photo)[0]]
        asked = {"detector_asked": detector.asked, "mesh_asked": mesh.asked}
        found.append({"name": name, "calls": calls, "looks": looks, **asked, "faces": faces})
    return found


def fallback() -> dict[str, Any]:
    """Five points without a mesh, and the similarity on its own."""
    points = np.array([(40.0, 50.0), (80.0, 55.0), (62.0, 80.0), (58.0, 99.0), (30.0, 60.0), (90.0, 66.0)])
    five = detector_points(Detection(0.9, (20.0, 20.0, 100.0, 120.0), points))
    matrix = align.similarity(five, align.target(112))
    return {
        "six": points.tolist(),
        "five": five.tolist(),
        "matrix": matrix.reshape(-1).tolist(),
        "inverse": align.invert(matrix).reshape(-1).tolist(),
        "targets": {str(size): align.target(size).tolist() for size in (80, 112, 160)},
    }


def pinned() -> dict[str, Any]:
    """What the Kotlin code states and this package states too."""
    from edge_facenet.photos.models import GOLDEN
    from edge_facenet.schema import to_json
    from edge_facenet.selftest import faces_sha256

    return {
        "models": {m.name: {**to_json(m), "golden": GOLDEN[m.name].values} for m in models.CATALOGUE},
        "aligner": aligner_fingerprint(),
        "faces_sha256": faces_sha256(),
        "template": [align.TEMPLATE_NAME, align.TEMPLATE.tolist()],
    }


SMALL = [100, 3.0, 60.0, 62.0, 40.0]
FOUND: dict[str, tuple[int, list[list[list[float]]], list[list[float]]]] = {
    # side of the photo, what the detector answers call by call, what the mesh answers
    "a second look inside a better box is dropped": (200, [[ONE, [302, 1.0, 62.0, 60.0, 14.0]]], [SEEN]),
    "a phantom beside the subject is dropped": (200, [[ONE, [300, 0.5, 20.0, 90.0, 20.0]]], [SEEN, SEEN, UNSEEN]),
    "a sure face without a mesh is kept": (200, [[ONE, [300, 2.5, 20.0, 90.0, 20.0]]], [SEEN, SEEN, UNSEEN]),
    "small faces in parts, one of them cut by the part's edge": (
        500,
        [
            [ONE],
            [SMALL, [70, 1.0, 30.0, 24.0, 14.0]],
            [[301, 2.0, 10.0, 90.0, 30.0], [303, 0.8, 100.0, 25.0, 13.0]],
            [[302, 1.5, 30.0, 90.0, 12.0]],
        ],
        [SEEN],
    ),
    "nothing as a whole, one in a part": (500, [[]] * 8 + [[SMALL]], [SEEN]),
}


def found_faces() -> list[dict[str, Any]]:
    """What enrolment and identification get: without phantoms, with small faces."""
    found = []
    for name, (side, calls, looks) in FOUND.items():
        detector, mesh = Detector(calls), MeshNet(looks)
        finder = FaceFinder(BlazeFace(detector, models.DETECTOR.pixels), FaceMesh(mesh, models.MESH.pixels))
        faces = Aligner(finder, "").faces(Photo(smooth(side, side * 3 // 4, 1)))
        listed = [{"box": f.box, "points": f.points, "quality": vars(f.quality)} for f in faces]
        asked = {"detector_asked": detector.asked, "mesh_asked": mesh.asked}
        found.append({"name": name, "side": side, "calls": calls, "looks": looks, **asked, "faces": listed})
    return found


def parts() -> list[dict[str, Any]]:
    sizes = ((640, 480), (300, 200), (1201, 1999), (2048, 300), (426, 427))
    blank = {size: np.zeros((size[1], size[0], 3), np.uint8) for size in sizes}
    return [
        {"size": size, "parts": [[x, y, x + p.shape[1], y + p.shape[0]] for x, y, p in pieces.parts(blank[size])]}
        for size in sizes
    ]


VECTORS = {
    "found": found_faces,
    "parts": parts,
    "detect": detections,
    "find": finds,
    "fallback": fallback,
    "pinned": pinned,
}
