"""Detector, mesh, alignment and the choice of a face."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from photos_world import grey, paste
from PIL import Image

from edge_facenet.engines import TensorSpec
from edge_facenet.errors import InputError, ManifestError
from edge_facenet.photos.align import TEMPLATE, align, apply, invert, outside, scale_of, similarity, target, warp
from edge_facenet.photos.decode import Photo
from edge_facenet.photos.detect import BlazeFace, Detection, letterbox
from edge_facenet.photos.examine import Rules, cut
from edge_facenet.photos.faces import FaceFinder, prominence
from edge_facenet.photos.mesh import FaceMesh, Mesh, Square, around
from edge_facenet.pixels import PixelSpec

FLOAT = np.dtype(np.float32)
DETECTOR_PIXELS = PixelSpec(size=128, mean=(127.5,) * 3, scale=(127.5,) * 3)
MESH_PIXELS = PixelSpec(size=192, mean=(0.0,) * 3, scale=(255.0,) * 3)


@dataclass
class Stub:
    """An engine that answers what it is told."""

    answers: list[npt.NDArray[np.float32]]
    name: str = "stub"
    ran_on: str = "nowhere"
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = tuple(TensorSpec(str(i), a.shape, FLOAT) for i, a in enumerate(self.answers))

    def run(self, inputs: Sequence[npt.NDArray[np.generic]]) -> list[npt.NDArray[np.float32]]:
        return [a.copy() for a in self.answers]


def detector_saying(points: npt.NDArray[np.float64], logit: float = 5.0) -> BlazeFace:
    """A detector whose first anchor, at (4, 4) of 128, says: box of 40 px at the first point, these six points."""
    boxes, scores = np.zeros((1, 896, 16), "f4"), np.full((1, 896, 1), -50, "f4")
    boxes[0, 0].reshape(8, 2)[:] = np.vstack([points[0] - 4, [40, 40], points - 4])
    scores[0, 0] = logit
    return BlazeFace(Stub([boxes, scores]), DETECTOR_PIXELS)


POINTS = np.array([(50.25, 60.5), (80.125, 61.0), (64, 75), (65.5, 90.75), (40, 70), (90, 70)])


@pytest.mark.parametrize(("height", "width"), [(427, 640), (581, 640), (640, 427), (641, 641), (1, 3), (3001, 4000)])
def test_c030_points_come_back_through_the_letterbox_exactly(height: int, width: int) -> None:
    (found,) = detector_saying(POINTS).detect(grey(width, height))
    side = max(height, width)
    expected = POINTS / 128 * side - [(side - width) / 2, (side - height) / 2]
    assert np.abs(found.points - expected).max() < 0.01
    assert np.abs(found.centre - expected[0]).max() < 0.01


@pytest.mark.parametrize(("height", "width"), [(427, 640), (581, 640), (640, 427), (641, 641), (801, 1200)])
@pytest.mark.parametrize("padding", [0.0, 1 / 3])
def test_c030_the_pixels_are_where_the_points_say(height: int, width: int, padding: float) -> None:
    """A blob's centre of mass in the network's picture, mapped back, is the blob's in the photo."""
    at = np.array([width * 0.37, height * 0.61])
    y, x = np.mgrid[0:height, 0:width]
    spread = max(height, width) / 30
    blob = np.exp(-((x + 0.5 - at[0]) ** 2 + (y + 0.5 - at[1]) ** 2) / spread**2) * 255
    boxed = letterbox(np.repeat(blob[..., None], 3, 2).astype(np.uint8), 128, padding)
    weights = boxed.pixels[..., 0].astype(float)
    rows, columns = np.mgrid[0:128, 0:128] + 0.5
    seen = np.array([[(weights * columns).sum(), (weights * rows).sum()]]) / weights.sum()
    # 8-bit rounding of the blob and warpAffine's 1/32 px steps leave 0.05 px of the network
    assert np.abs(boxed.back(seen)[0] - at).max() < 0.05 * boxed.scale


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_photo_looked_at_turned_gives_points_of_the_photo(turns: int) -> None:
    photo = grey(640, 427)
    (turned,) = detector_saying(POINTS).detect(np.ascontiguousarray(np.rot90(photo, turns)))
    (seen,) = detector_saying(POINTS).detect(photo, turns)
    x, y = turned.points.T
    back = {0: (x, y), 1: (640 - y, x), 2: (640 - x, 427 - y), 3: (y, 427 - x)}[turns]
    assert np.allclose(seen.points, np.stack(back, -1), atol=1e-6) and seen.turns == turns
    assert seen.box[0] < seen.box[2] and seen.box[1] < seen.box[3]


def test_overlapping_candidates_become_their_weighted_mean() -> None:
    boxes, scores = np.zeros((1, 896, 16), "f4"), np.full((1, 896, 1), -50, "f4")
    for anchor, (shift, logit) in enumerate([(0.0, 2.0), (2.0, 0.0 + 1e-3)]):  # both anchors sit at (4, 4)
        boxes[0, anchor].reshape(8, 2)[:] = [(60 + shift, 60), (40, 40), *[(60 + shift, 60)] * 6]
        scores[0, anchor] = logit
    (found,) = BlazeFace(Stub([boxes, scores]), DETECTOR_PIXELS).detect(grey(128, 128))
    a, b = 1 / (1 + np.exp(-2.0)), 0.5
    assert found.score == pytest.approx(a)
    assert found.centre[0] == pytest.approx(64 + 2 * b / (a + b), abs=1e-3)


def test_padding_then_a_lower_threshold_are_tried() -> None:
    tries = []

    class Watching(BlazeFace):
        def raw(self, square: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
            tries.append(bool((square[0] == 128).all()))  # the border repeated, not black
            return super().raw(square)

    stub = detector_saying(POINTS, logit=-0.5)  # score 0.38
    watching = Watching(stub._engine, DETECTOR_PIXELS)
    assert watching.detect(grey(200, 100))[0].score == pytest.approx(0.3775, abs=1e-3)
    assert tries == [False, True]
    assert detector_saying(POINTS, logit=-1.0).detect(grey(200, 100)) == []


def test_a_graph_that_is_no_detector_is_refused() -> None:
    with pytest.raises(ManifestError, match="16 and 1 values"):
        BlazeFace(Stub([np.zeros((1, 10, 4), "f4")]), DETECTOR_PIXELS)
    with pytest.raises(ManifestError, match="896 or 2,304 anchors, this one has 10"):
        BlazeFace(Stub([np.zeros((1, 10, 16), "f4"), np.zeros((1, 10, 1), "f4")]), DETECTOR_PIXELS)


def face_detection(box: tuple[float, float, float, float] = (40, 40, 140, 140), turns: int = 0) -> Detection:
    left, top, right, bottom = box
    w, h = right - left, bottom - top
    points = np.array([(0.3, 0.35), (0.7, 0.35), (0.5, 0.6), (0.5, 0.8), (0.0, 0.5), (1.0, 0.5)]) * (w, h) + (left, top)
    return Detection(0.9, box, points, turns)


def mesh_saying(count: int, photo_points: bool = True) -> FaceMesh:
    """A mesh of `count` points on the template's face in the middle of its square."""
    points = np.zeros((count, 3), "f4")
    points[:, :2] = 96
    five = (target(112) - 56) * 1.0 + 96
    from edge_facenet.photos import mesh

    for indices, place in zip((mesh.EYE_LEFT, mesh.EYE_RIGHT), five[:2], strict=True):
        points[list(indices), :2] = place
    for index, place in zip((mesh.NOSE, mesh.MOUTH_LEFT, mesh.MOUTH_RIGHT), five[2:], strict=True):
        points[index, :2] = place
    points[10, :2], points[152, :2] = (96, 40), (96, 152)  # forehead and chin give the box its size
    return FaceMesh(Stub([points.reshape(1, 1, 1, -1), np.full((1, 1), 9, "f4")]), MESH_PIXELS)


@pytest.mark.parametrize("count", [468, 478])
def test_c037_left_stays_left_with_468_and_478_points(count: int) -> None:
    photo = grey(200, 200)
    photo[95:105, 60:70] = (0, 255, 0)  # the subject's right cheek is at the picture's left
    mesh = mesh_saying(count).locate(photo, face_detection())
    assert mesh.points.shape == (468, 2)
    crop = align(photo, mesh.five(), 128, 8)
    green = np.argwhere((crop[..., 1].astype(int) - crop[..., 0]) > 60)
    assert len(green) and green[:, 1].max() < 64


@pytest.mark.parametrize("count", [1, 467, 469, 1000])
def test_c037_other_counts_are_refused_with_the_number(count: int) -> None:
    with pytest.raises(ManifestError, match=str(count * 3)):
        FaceMesh(Stub([np.zeros((1, count * 3), "f4"), np.zeros((1, 1), "f4")]), MESH_PIXELS)


def test_mesh_points_come_back_through_a_turned_square() -> None:
    points = np.zeros((468, 3), "f4")
    points[:, :2] = np.random.default_rng(0).uniform(0, 192, (468, 2))
    mesh = FaceMesh(Stub([points.reshape(1, -1), np.zeros((1, 1), "f4")]), MESH_PIXELS)
    square = Square(np.array([300.0, 200.0]), 384.0, np.pi / 2)
    found = mesh.look(grey(640, 480), square).points
    # a level eye line of the square points down the photo: x of the square is y of the photo
    expected = np.stack([300 - (points[:, 1] - 96) * 2, 200 + (points[:, 0] - 96) * 2], -1)
    assert np.allclose(found, expected, atol=1e-3)
    again = around(Mesh(found, 1.0))
    assert again.side > 0 and np.isfinite(again.centre).all()


def test_similarity_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        turn, scale, shift = rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 5), rng.uniform(-50, 50, 2)
        matrix = np.column_stack(
            [scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]), shift]
        )
        assert np.allclose(similarity(TEMPLATE, apply(matrix, TEMPLATE)), matrix)
        assert np.allclose(apply(invert(matrix), apply(matrix, TEMPLATE)), TEMPLATE)
        noisy = apply(matrix, TEMPLATE) + rng.normal(0, 2, TEMPLATE.shape)
        best = similarity(TEMPLATE, noisy)
        error = ((apply(best, TEMPLATE) - noisy) ** 2).sum()
        for step in rng.normal(0, 1e-3, (20, 4)):
            other = best + np.array([[step[0], -step[1], step[2]], [step[1], step[0], step[3]]])
            assert ((apply(other, TEMPLATE) - noisy) ** 2).sum() >= error
    with pytest.raises(InputError, match="coincide"):
        similarity(np.ones((5, 2)), TEMPLATE)
    with pytest.raises(InputError, match="coincide"):
        similarity(np.full((5, 2), np.nan), TEMPLATE)


@pytest.mark.parametrize("factor", [1, 2, 3, 7])
def test_shrinking_first_moves_nothing(factor: int) -> None:
    """The same blob, photographed larger, lands at the same place of the crop."""
    points = target(112) * 1.0
    y, x = np.mgrid[0 : 112 * factor, 0 : 112 * factor] / factor
    blob = np.exp(-(((x - 40.2) ** 2 + (y - 70.6) ** 2) / 30)) * 255
    photo = np.repeat(blob[..., None], 3, 2).astype(np.uint8)
    crop = align(photo, (points + 0.5) * factor - 0.5, 112)[..., 0].astype(float)
    rows, columns = np.mgrid[0:112, 0:112]
    seen = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    offset = 0.5 - 0.5 / factor  # pixel centres of the larger photo
    assert np.abs(seen - (40.2 - offset, 70.6 - offset)).max() < 0.1


def test_fine_stripes_do_not_alias() -> None:
    stripes = np.repeat((np.arange(1120) % 2 * 255).astype(np.uint8)[None], 1120, 0)
    crop = align(np.repeat(stripes[..., None], 3, 2), (target(112) + 0.5) * 10 - 0.5, 112)
    assert crop[10:-10, 10:-10].std() < 3  # their mean, not a pattern


def test_a_crop_with_margin_holds_the_crop_without() -> None:
    rng = np.random.default_rng(3)
    photo = cv2.resize(rng.integers(0, 256, (20, 20, 3), np.uint8), (300, 300), interpolation=cv2.INTER_CUBIC)
    points = apply(np.array([[1.3, -0.2, 90.0], [0.2, 1.3, 60.0]]), TEMPLATE)
    plain, wide = align(photo, points), align(photo, points, 128, 8)
    assert np.abs(plain.astype(int) - wide[8:120, 8:120]).max() <= 1
    twice = align(photo, points, 224)
    assert np.abs(cv2.resize(twice, (112, 112), interpolation=cv2.INTER_AREA).astype(int) - plain).mean() < 2


def test_outside_counts_pixels() -> None:
    identity = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    assert outside(identity, (112, 112, 3), 112, 0) == (0.0, 0.0)
    whole, inner = outside(identity, (112, 56, 3), 112, 0)
    assert whole == 0.5 and inner == 0.5
    assert outside(identity + np.array([[0, 0, 500], [0, 0, 0]]), (112, 112, 3), 112, 0) == (1.0, 1.0)


def test_prominence_prefers_large_and_central() -> None:
    shape = (480, 640, 3)
    middle, corner = face_detection((270, 190, 370, 290)), face_detection((0, 0, 110, 110))
    huge = face_detection((200, 100, 500, 400))
    assert prominence(huge, shape) > prominence(middle, shape) > prominence(corner, shape) > 0


@dataclass
class Says:
    """A detector and mesh in one that say the same of every photo."""

    box: tuple[float, float, float, float]
    presence: float = 1.0

    def detect(self, photo: npt.NDArray[np.uint8], turns: int = 0) -> list[Detection]:
        return [] if turns else [face_detection(self.box)]

    def locate(self, photo: npt.NDArray[np.uint8], face: Detection) -> Mesh:
        return Mesh(np.zeros((468, 2)), 0.0)


@pytest.mark.parametrize(
    ("box", "stored"), [((-20, 20, 140, 180), True), ((-60, -40, 140, 160), True), ((-300, -300, -100, -100), False)]
)
def test_c032_a_face_over_the_edge_is_recorded_or_rejected(
    box: tuple[float, float, float, float], stored: bool
) -> None:
    photo = Photo(np.random.default_rng(0).integers(1, 256, (480, 640, 3), np.uint8))
    says = Says(box)
    result = cut(photo, FaceFinder(says, says), Rules())
    if stored:
        assert not isinstance(result, str)
        assert 0 < result.row.outside < 1 and result.crop.shape == (128, 128, 3)
        assert result.crop.min() > 0  # the border is repeated, nothing is black
    else:
        assert result == "100% of the face lies outside the photo, the limit is 20%."


@pytest.mark.parametrize(("score", "looks"), [(0.95, [0]), (0.87, [0, 2]), (0.6, [0, 1, 2, 3])])
def test_a_photo_is_turned_as_often_as_doubt_asks(score: float, looks: list[int]) -> None:
    """Beyond doubt: one look. Sure: one more, upside down. Otherwise all four."""
    seen: list[int] = []

    class Scored:
        def detect(self, photo: npt.NDArray[np.uint8], turns: int = 0) -> list[Detection]:
            seen.append(turns)
            return [] if turns else [dataclasses.replace(face_detection((40, 40, 140, 140)), score=score)]

        def locate(self, photo: npt.NDArray[np.uint8], face: Detection) -> Mesh:
            return mesh_saying(468).locate(photo, face)

    says = Scored()
    (face,), _ = FaceFinder(says, says).find(grey(640, 480))
    assert seen == looks and face.score == score and not face.turns


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_points_that_are_no_numbers_are_rejected(bad: float) -> None:
    class Broken(Says):
        def detect(self, photo: npt.NDArray[np.uint8], turns: int = 0) -> list[Detection]:
            return [] if turns else [Detection(0.9, self.box, np.full((6, 2), bad))]

    says = Broken((10, 10, 50, 50))
    assert isinstance(cut(Photo(grey(100, 100)), FaceFinder(says, says), Rules()), str)


def test_without_a_mesh_the_detector_s_points_align_like_its_own_four() -> None:
    says = Says((40, 40, 140, 140))
    (face,), count = FaceFinder(says, says).find(grey(640, 480))
    assert count == 1 and face.presence == 0.0 and face.points.shape == (5, 2)
    four = np.vstack([TEMPLATE[:3], TEMPLATE[3:].mean(0)])
    expected = similarity(face_detection().points[:4], four)
    assert scale_of(similarity(face.points, TEMPLATE)) == pytest.approx(scale_of(expected), rel=0.03)


def test_orl_faces_are_found_upright_and_level(finder: FaceFinder, orl_folder) -> None:  # type: ignore[no-untyped-def]
    for path in [orl_folder / f"s{i}" / "1.pgm" for i in range(1, 41, 3)]:
        photo = np.asarray(Image.open(path).convert("RGB"))
        faces, count = finder.find(photo, most=1)
        assert count >= 1 and faces[0].turns == 0 and abs(faces[0].tilt) < 25
        eye, _, nose, mouth, _ = faces[0].points
        assert eye[1] < nose[1] < mouth[1] and faces[0].points[0, 0] < faces[0].points[1, 0]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_photos_give_the_same_crop(finder: FaceFinder, orl_folder, turns: int) -> None:  # type: ignore[no-untyped-def]
    for path in [orl_folder / f"s{i}" / "1.pgm" for i in range(1, 6)]:
        upright = Photo(np.asarray(Image.open(path).convert("RGB")))
        turned = Photo(np.ascontiguousarray(np.rot90(upright.pixels, turns)))
        plain, found = cut(upright, finder, Rules()), cut(turned, finder, Rules())
        assert not isinstance(plain, str) and not isinstance(found, str)
        assert found.row.turned == (-90 * turns) % 360
        # the mesh sees other roundings of the same pixels: a few per mille of the eye distance
        assert np.abs(plain.crop.astype(int) - found.crop).mean() < 6


def test_small_pictures_of_nothing_have_no_face(finder: FaceFinder) -> None:
    rng = np.random.default_rng(5)
    for picture in (grey(1, 1), grey(640, 480), rng.integers(0, 256, (240, 320, 3), np.uint8), grey(1, 500)):
        assert finder.find(picture) == ([], 0)


def test_the_subject_is_the_large_central_face(finder: FaceFinder, orl_folder) -> None:  # type: ignore[no-untyped-def]
    photo = grey(640, 480)
    for name, at in (("s1", (250, 150)), ("s2", (10, 10))):
        face = np.asarray(Image.open(orl_folder / name / "1.pgm").convert("RGB"))
        paste(photo, np.repeat(np.repeat(face, 2, 0), 2, 1), at)
    faces, count = finder.find(photo)
    assert count == 2 and len(faces) == 2
    assert 250 < faces[0].points[2, 0] < 434


def test_warp_keeps_a_photo_that_is_not_shrunk() -> None:
    photo = np.random.default_rng(6).integers(0, 256, (50, 50, 3), np.uint8)
    assert np.array_equal(warp(photo, np.array([[1.0, 0, 0], [0, 1.0, 0]]), 50), photo)
