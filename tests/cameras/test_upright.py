"""Frames of a camera stand upright: no other orientation is tried, which costs time and can mislead."""

from __future__ import annotations

import numpy as np
from camera_world import Pixels, plain

from edge_facenet.photos.detect import Detection
from edge_facenet.photos.faces import FaceFinder
from edge_facenet.photos.mesh import Mesh


class Detector:
    """Upright: two faces, the nearer one weaker. Upside down: one that is surer than the nearer one."""

    def __init__(self, *, empty: bool = False) -> None:
        self.empty, self.looks = empty, list[int]()

    def detect(self, photo: Pixels, turns: int = 0) -> list[Detection]:
        self.looks.append(turns)
        if self.empty or turns not in (0, 2):
            return []
        points = np.array([[40, 40], [60, 40], [50, 50], [50, 60], [30, 45], [70, 45]], np.float64)
        near = Detection(0.80 if not turns else 0.84, (20.0, 20.0, 80.0, 80.0), points, turns)
        far = Detection(0.95, (90.0, 20.0, 120.0, 50.0), points + np.array([55, -10]), 0)
        return [near] if turns else [near, far]


class Nobody:
    def locate(self, photo: Pixels, face: Detection) -> Mesh:
        raise AssertionError("there was no face to locate points of")


def test_an_empty_frame_is_looked_at_once() -> None:
    frame = plain((9, 9, 9), 128, 96)
    detector = Detector(empty=True)
    assert FaceFinder(detector, Nobody()).find(frame, turned=False) == ([], 0)
    assert detector.looks == [0]
    assert FaceFinder(detector, Nobody()).find(frame) == ([], 0)
    assert detector.looks == [0, 0, 1, 2, 3]


def test_two_faces_of_which_the_nearer_is_weak_stay_upright() -> None:
    """Seen in a video: for some frames both faces were taken from the picture upside down."""

    class Unsure:
        def locate(self, photo: Pixels, face: Detection) -> Mesh:
            return Mesh(np.zeros((468, 2)), 0.0)

    faces, count = FaceFinder(Detector(), Unsure()).find(plain((9, 9, 9), 128, 96), turned=False)
    assert [face.turns for face in faces] == [0, 0]
    assert count == 2
