"""Quality of faces: what is measured, what is refused, and that sound photos pass."""

from __future__ import annotations

import doctest
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from photos_world import encoded, grey, paste
from PIL import Image

from edge_facenet.errors import ConfigError
from edge_facenet.photos import pieces, quality, rows
from edge_facenet.photos.aligner import LIMITS, Aligner, FoundFace, aligner_fingerprint, open_aligner
from edge_facenet.photos.decode import Photo, decode
from edge_facenet.photos.face import Face
from edge_facenet.photos.faces import FaceFinder
from edge_facenet.photos.mesh import Mesh
from edge_facenet.photos.quality import Quality, QualityRules, judge

GOOD = Quality(face_px=60, blur=200, luminance=120, yaw=3, pitch=-2, roll=0, score=0.9, presence=1.0, cut_off=0.0)
FIVE = np.array([(40.0, 50), (70, 50), (55, 70), (42, 90), (68, 90)])


@pytest.fixture(scope="module")
def aligner(finder: FaceFinder) -> Aligner:
    return Aligner(finder, aligner_fingerprint())


def one(aligner: Aligner, pixels: npt.NDArray[np.uint8]) -> FoundFace:
    (face,) = aligner.faces(Photo(np.ascontiguousarray(pixels)))
    return face


def picture(orl_folder: Path, person: int, number: int) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(orl_folder / f"s{person}" / f"{number}.pgm").convert("RGB"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"face_px": 15.9}, "too small: 15.9 px between the eyes, at least 16 needed"),
        ({"blur": 14.9}, "blurred: sharpness 14.9, at least 15 needed"),
        ({"luminance": 34.0}, "too dark: luminance 34 of 255, at least 35 needed"),
        ({"luminance": 211.0}, "too bright: luminance 211 of 255, at most 210"),
        ({"yaw": -36.0}, "turned away: 36 degrees to a side, at most 35"),
        ({"pitch": 36.0}, "looks up: 36 degrees, at most 35"),
        ({"pitch": -36.0}, "looks down: 36 degrees, at most 35"),
        ({"roll": -46.0}, "tilted: 46 degrees, at most 45"),
        ({"score": 0.4}, "hardly a face: detector's score 0.40, at least 0.5 needed"),
        ({"presence": 0.2, "yaw": None, "pitch": None}, "in profile or covered: face mesh 0.20, at least 0.5 needed"),
        ({"cut_off": 0.25}, "cut off: 25% of the face lies outside the photo, at most 20%"),
    ],
)
def test_each_limit_refuses_with_limit_against_found(change: dict[str, float], reason: str) -> None:
    assert judge(GOOD) == ()
    assert judge(replace(GOOD, **change)) == (reason,)


def test_other_rules_and_rules_that_are_none() -> None:
    assert judge(replace(GOOD, yaw=90.0), QualityRules(yaw=180)) == ()
    assert judge(GOOD, QualityRules(face_px=61)) == ("too small: 60 px between the eyes, at least 61 needed",)
    for value in (float("nan"), -1.0, float("inf")):
        with pytest.raises(ConfigError, match="face_px"):
            QualityRules(face_px=value)


def test_orl_photos_pass(aligner: Aligner, orl_folder: Path) -> None:
    """Every fifth of the 400; all 400 pass, and show one face each, when they are all looked at."""
    for person in range(1, 41):
        for number in (1 + person % 5, 6 + person % 5):
            assert judge(one(aligner, picture(orl_folder, person, number)).quality) == (), (person, number)


def test_what_spoils_a_photo_is_measured(aligner: Aligner, orl_folder: Path) -> None:
    photo = np.repeat(np.repeat(picture(orl_folder, 1, 1), 2, 0), 2, 1)
    plain = one(aligner, photo).quality
    assert plain.cut_off == 0 and plain.presence > 0.9
    small = one(aligner, cv2.resize(photo, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)).quality
    assert small.face_px == pytest.approx(plain.face_px / 5, rel=0.15) and judge(small)[0].startswith("too small")
    blurred = one(aligner, cv2.GaussianBlur(photo, (0, 0), 6)).quality
    assert blurred.blur < plain.blur / 10 and any(r.startswith("blurred") for r in judge(blurred))
    dark = one(aligner, (photo * 0.2).astype(np.uint8)).quality
    assert dark.luminance == pytest.approx(plain.luminance / 5, abs=2) and judge(dark)[0].startswith("too dark")
    tilted = cv2.warpAffine(
        photo, cv2.getRotationMatrix2D((92, 112), -20, 1.0), (184, 224), borderMode=cv2.BORDER_REPLICATE
    )
    assert one(aligner, tilted).quality.roll == pytest.approx(plain.roll + 20, abs=5)


def test_yaw_has_the_sign_of_the_side_looked_to(aligner: Aligner, orl_folder: Path) -> None:
    """A mirrored photo looks to the other side, by the same angle but for what the mesh itself is off (some degrees)."""
    for person, number in ((1, 5), (2, 6), (10, 3)):
        photo = picture(orl_folder, person, number)
        face, mirrored = one(aligner, photo), one(aligner, photo[:, ::-1])
        assert face.quality.yaw is not None and mirrored.quality.yaw is not None
        assert mirrored.quality.yaw == pytest.approx(-face.quality.yaw, abs=6)
        eyes = np.array(face.points)[:2].mean(0)
        if abs(face.quality.yaw) > 12:  # the nose tip stands out to the side looked to
            assert np.sign(face.points[2][0] - eyes[0]) == np.sign(face.quality.yaw)


def test_pose_of_a_mesh_in_closed_form() -> None:
    points, depth = np.zeros((468, 2)), np.zeros(468)
    points[33], points[263] = (-50, 0), (50, 0)
    points[10], points[152] = (0, -100), (0, 100)
    depth[263] = 100.0  # the picture's right side is farther away: the face looks to the right
    level = Mesh(points, 1.0, depth).turned()
    assert level is not None and level[0] == pytest.approx(45.0)
    assert level[1] == pytest.approx(11.0)  # no slope: 11 degrees above what a face looking into the camera has
    depth[152] = -200.0  # the chin is nearer: it looks up
    up = Mesh(points, 1.0, depth).turned()
    assert up is not None and up[1] == pytest.approx(45.0 + 11.0)
    assert Mesh(points, 1.0).turned() is None


@dataclass
class Finds:
    """A finder that finds what it is told."""

    faces: list[Face]

    def find(
        self, photo: npt.NDArray[np.uint8], most: int | None = None, *, turned: bool = True
    ) -> tuple[list[Face], int]:
        return self.faces, len(self.faces)


def found(*faces: Face) -> list[tuple[float, ...]]:
    photo = Photo(np.full((200, 300, 3), 128, np.uint8))
    return [face.box for face in Aligner(Finds(list(faces)), "x").faces(photo)]


def test_phantoms_and_second_looks_are_no_faces() -> None:
    subject = Face(0.9, (10, 20, 110, 120), FIVE, 1.0)
    beside = Face(0.6, (150, 20, 250, 120), FIVE + 140, 0.9)
    profile = Face(0.8, (150, 20, 250, 120), FIVE + 140, 0.1)
    phantom = Face(0.6, (150, 20, 250, 120), FIVE + 140, 0.1)
    eye = Face(0.6, (30, 40, 60, 70), FIVE, 1.0)
    lap = Face(0.7, (60, 90, 120, 150), FIVE, 1.0)  # overlaps by a fifth of its area: somebody else
    assert found(subject, beside) == [subject.box, beside.box]
    assert found(subject, profile) == [subject.box, profile.box]
    assert found(subject, phantom) == [subject.box]
    assert found(subject, eye) == [subject.box]
    assert found(eye, subject) == [subject.box]  # whichever comes first
    assert found(subject, lap) == [subject.box, lap.box]
    assert found(phantom) == []
    assert found(Face(0.9, (0, 0, 9, 9), np.zeros((5, 2)), 1.0)) == []  # five points in one place


def test_boxes_and_points_are_those_of_the_photo_as_taken(aligner: Aligner, orl_folder: Path) -> None:
    pixels = picture(orl_folder, 1, 1)
    plain = aligner.faces(Photo(pixels))[0]
    shrunk = aligner.faces(Photo(pixels, shrunk=4))[0]
    assert np.allclose(shrunk.box, 4 * np.array(plain.box), atol=0.3)  # one decimal is kept
    assert np.allclose(shrunk.points, 4 * np.array(plain.points), atol=0.3)
    assert shrunk.quality == plain.quality  # the pixels in hand are judged


def test_a_large_photo_is_judged_by_the_pixels_that_were_read(aligner: Aligner, orl_folder: Path) -> None:
    """45 px between the eyes of the file, 11 of what was read: refused like the same picture saved at that size."""
    small = cv2.resize(picture(orl_folder, 1, 1), None, fx=1.3, fy=1.3, interpolation=cv2.INTER_CUBIC)
    taken = encoded(paste(grey(4104, 3078), small, (1800, 1400)), "PNG", compress_level=1)
    large = decode(taken, LIMITS)
    saved = decode(encoded(large.pixels, "PNG"), LIMITS)
    assert (large.shrunk, saved.shrunk, large.pixels.shape[1]) == (4, 1, 1026)
    (of_large,), (of_saved,) = aligner.faces(large), aligner.faces(saved)
    assert np.array_equal(of_large.crop, of_saved.crop)
    assert of_large.quality == of_saved.quality
    assert judge(of_large.quality) == judge(of_saved.quality)
    assert (
        judge(of_large.quality)[0] == f"too small: {of_saved.quality.face_px:g} px between the eyes, at least 16 needed"
    )
    assert np.allclose(of_large.box, 4 * np.array(of_saved.box), atol=0.3)  # of the photo as taken; one decimal is kept


def test_a_margin_is_kept_around_the_template(aligner: Aligner, orl_folder: Path) -> None:
    photo = Photo(picture(orl_folder, 3, 1))
    plain, wide = aligner.faces(photo)[0], aligner.faces(photo, margin=8)[0]
    assert wide.crop.shape == (128, 128, 3) and plain.crop.shape == (112, 112, 3)
    assert np.abs(wide.crop[8:120, 8:120].astype(int) - plain.crop).max() <= 1  # one warp each: rounding alone
    assert wide.quality.blur == pytest.approx(plain.quality.blur, rel=0.01)


def test_the_fingerprint_knows_models_template_and_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_facenet.photos import aligner, examine, models

    before = aligner_fingerprint()
    assert len(before) == 64 and before == aligner_fingerprint()
    monkeypatch.setattr(examine, "REVISION", examine.REVISION + 1)
    revised = aligner_fingerprint()
    monkeypatch.setattr(models, "CATALOGUE", (replace(models.DETECTOR, sha256="0" * 64), models.MESH))
    other = aligner_fingerprint()
    monkeypatch.setattr(aligner, "TEMPLATE", aligner.TEMPLATE + 1)
    assert len({before, revised, other, aligner_fingerprint()}) == 4


def test_the_project_s_own_aligner(finder: FaceFinder) -> None:
    """`finder` skips where the face models are not set up."""
    assert open_aligner("onnxruntime").fingerprint == aligner_fingerprint()


def test_small_faces_of_a_large_photo(aligner: Aligner, orl_folder: Path) -> None:
    """A face of a twelfth of the photo's side beside a large one: the whole photo at 128 px does not show it."""
    rng = np.random.default_rng(1)
    canvas = cv2.resize(rng.integers(100, 150, (12, 16, 3), np.uint8), (1600, 1200))
    large = cv2.resize(picture(orl_folder, 1, 1), (552, 672), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(picture(orl_folder, 2, 1), (150, 183), interpolation=cv2.INTER_AREA)
    canvas[200:872, 100:652], canvas[500:683, 1200:1350] = large, small
    assert len(aligner.finder.find(canvas)[0]) == 1
    first, second = aligner.faces(Photo(canvas))
    assert first.box[2] < 652 and 1200 < second.box[0] < second.box[2] < 1350 and judge(second.quality) == ()
    assert len(aligner.faces(Photo(canvas), turned=False)) == 1  # frames are not looked at in parts


def test_parts_of_one_face_are_no_faces(aligner: Aligner, orl_folder: Path) -> None:
    for person in (1, 14, 34):
        one(aligner, cv2.resize(picture(orl_folder, person, 3), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC))


@pytest.mark.parametrize(("width", "height"), [(640, 480), (2000, 500), (500, 2000), (1024, 1024)])
def test_parts_cover_the_photo_and_overlap(width: int, height: int) -> None:
    seen = np.zeros((height, width), int)
    sides = set()
    for left, top, part in pieces.parts(np.empty((height, width, 3), np.uint8)):
        seen[top : top + part.shape[0], left : left + part.shape[1]] += 1
        sides.add(max(part.shape))
    assert seen.min() >= len(sides) >= 1 and min(sides) >= pieces.LEAST_SIDE
    assert list(pieces.parts(np.empty((200, 300, 3), np.uint8))) == []


@pytest.mark.parametrize("module", [quality, pieces, rows])
def test_examples(module: ModuleType) -> None:
    assert doctest.testmod(module).attempted and not doctest.testmod(module).failed
