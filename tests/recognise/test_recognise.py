"""FaceRecognizer: enroll, identify, compare, and what they refuse."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from faces_world import face, photo, save, scene, with_gallery

import edge_facenet
from edge_facenet import FaceRecognizer
from edge_facenet.embedder import Embedder
from edge_facenet.errors import (
    ConfigError,
    GalleryMismatch,
    InputError,
    ManifestError,
    NoFaceFound,
    PhotoError,
    ThresholdError,
    WrongKey,
)
from edge_facenet.gallery import Sample
from edge_facenet.photos.aligner import Aligner
from edge_facenet.photos.quality import QualityRules
from edge_facenet.recognise import EMPTY, OUTDATED, RecognizerOptions

PEOPLE = (1, 2, 5, 8)


def enroll_orl(recognizer: FaceRecognizer, people: tuple[int, ...] = PEOPLE) -> None:
    for person in people:
        recognizer.enroll(f"s{person}", [photo(person, number) for number in (1, 2, 3)])


def test_known_people_are_named_and_strangers_are_not(recognizer: FaceRecognizer) -> None:
    enroll_orl(recognizer)
    for person in PEOPLE:
        (seen,) = recognizer.identify(photo(person, 7))
        assert seen.name == f"s{person}" and seen.person is not None
        assert seen.threshold is not None and seen.similarity is not None and seen.similarity > seen.threshold
        assert len(seen.points) == 5 and seen.reasons == () and "is above the threshold" in seen.why
    for person in (20, 30, 40):
        (seen,) = recognizer.identify(photo(person, 7))
        assert seen.name is None and seen.person is None and seen.ambiguous == ()
        assert seen.why.startswith("unknown: the nearest, s")


def test_a_path_bytes_and_pixels_are_one_photo(recognizer: FaceRecognizer) -> None:
    enroll_orl(recognizer)
    path = photo(1, 9)
    answers = [recognizer.identify(image) for image in (path, str(path), path.read_bytes(), face(1, 9))]
    assert answers.count(answers[0]) == 4
    comparison = recognizer.compare(path, path.read_bytes())
    assert comparison.similarity == pytest.approx(1.0, abs=1e-6) and comparison.same


@pytest.mark.parametrize(
    "wrong", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), "u1")]
)
def test_pixels_of_another_kind_are_refused(recognizer: FaceRecognizer, wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="pixels must be"):
        recognizer.identify(wrong)


@pytest.mark.parametrize("wrong", [None, 5, bytearray(b"x"), [1]])
def test_what_is_no_photo_at_all_is_refused_in_words(recognizer: FaceRecognizer, wrong: Any) -> None:
    for act in (recognizer.identify, recognizer.faces, lambda x: recognizer.compare(x, photo(1, 1))):
        with pytest.raises(InputError, match="photo: give a path, the bytes of a picture, or pixels"):
            act(wrong)
    with pytest.raises(InputError, match="photo 1: give a path"):
        recognizer.enroll("Anna", [wrong])
    if not isinstance(wrong, list):
        with pytest.raises(InputError, match="photo 1: give a path"):
            recognizer.enroll("Anna", wrong)
    with pytest.raises(InputError, match=r"photo 1: pixels must be .* found \(9, 9\)"):
        recognizer.enroll("Anna", np.zeros((9, 9), np.uint8))


def test_words_that_choose_nobody(recognizer: FaceRecognizer) -> None:
    with pytest.raises(ConfigError, match="an id or \"new\", found 'old'"):
        recognizer.enroll("Anna", photo(1, 1), person="old")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="or \"largest\", found 'smallest'"):
        recognizer.enroll("Anna", photo(1, 1), face="smallest")  # type: ignore[arg-type]
    assert not len(recognizer.gallery)


def test_c026_two_faces_are_refused_with_their_boxes(recognizer: FaceRecognizer, synthetic) -> None:  # type: ignore[no-untyped-def]
    picture = scene((synthetic.face(1, 200), 60, 140), (synthetic.face(2, 120), 420, 180))
    with pytest.raises(InputError) as caught:
        recognizer.enroll("Anna", picture)
    text = str(caught.value)
    assert "2 faces: 1 at " in text and "; 2 at " in text and "--face N" in text and "--largest" in text
    assert "Nothing was enrolled for Anna" in text and len(recognizer.gallery) == 0
    large, small = recognizer.identify(picture)
    assert 60 < large.box[0] < large.box[2] < 260 and 420 < small.box[0] < small.box[2] < 540
    with pytest.raises(InputError, match="there is no face 3, it shows 2: 1 at"):
        recognizer.enroll("Anna", picture, face=3)
    with pytest.raises(InputError, match="there is no face 0"):
        recognizer.enroll("Anna", picture, face=0)
    second = recognizer.enroll("Second", picture, face=2)
    largest = recognizer.enroll("Largest", picture, face="largest")
    large, small = recognizer.identify(picture)
    assert (large.person, small.person) == (largest.person, second.person)


def test_three_faces_in_any_order_and_size(recognizer: FaceRecognizer) -> None:
    """The same kind as C026: more faces, the largest not the most central one, one far smaller."""
    picture = scene((face(1, 1, 2), 20, 20), (face(2, 1, 3), 330, 30), (face(5, 1), 240, 330), width=660)
    enroll_orl(recognizer)
    with pytest.raises(InputError, match="3 faces"):
        recognizer.enroll("Anna", picture)
    assert {seen.name for seen in recognizer.identify(picture)} == {"s1", "s2", "s5"}
    added = recognizer.enroll("s2", picture, face="largest")
    assert added.added == 1 and not added.created


def test_nobody_is_enrolled_by_a_bad_photo(recognizer: FaceRecognizer, tmp_path: Path) -> None:
    grey = save(scene(), tmp_path / "grey.png")
    text = tmp_path / "letter.jpg"
    text.write_text("Dear Bob")
    small = save(scene((face(1, 4)[::4, ::4], 20, 20), width=100, height=80), tmp_path / "small.png")
    cases: list[tuple[Path, type[Exception], str]] = [
        (grey, NoFaceFound, f"{grey}: no face found (mean luminance 128 of 255)"),
        (text, PhotoError, f"{text}: This is text, not a picture"),
        (tmp_path / "gone.jpg", PhotoError, "gone.jpg: cannot be read: No such file or directory"),
        (tmp_path, PhotoError, "cannot be read"),
        (small, InputError, "too small"),
    ]
    for path, kind, reason in cases:
        with pytest.raises(kind) as caught:
            recognizer.enroll("Anna", [photo(1, 1), path])
        assert reason in str(caught.value) and str(caught.value).startswith("Nothing was enrolled for Anna: ")
        assert len(recognizer.gallery) == 0
    done = recognizer.enroll("Anna", [photo(1, 1), grey, text], skip_bad=True)
    assert done.added == 1 and [refusal.source for refusal in done.refused] == [str(grey), str(text)]
    with pytest.raises(NoFaceFound, match="None of the photos will do"):
        recognizer.enroll("Bob", [grey], skip_bad=True)
    with pytest.raises(InputError, match="no photo to enroll"):
        recognizer.enroll("Bob", [])
    assert [person.name for person in recognizer.gallery.people()] == ["Anna"]


def test_the_rules_decide_what_is_enrolled_not_what_is_identified(recognizer: FaceRecognizer) -> None:
    strict = with_gallery(recognizer, recognizer.gallery.path, rules=QualityRules(face_px=1000))
    with pytest.raises(InputError, match="px between the eyes, at least 1000 needed"):
        strict.enroll("Anna", photo(1, 1))
    enroll_orl(recognizer)
    (seen,) = strict.identify(photo(1, 7))
    assert seen.name == "s1" and seen.reasons[0].startswith("too small")
    comparison = strict.compare(photo(1, 7), photo(1, 8))
    assert comparison.same and comparison.a.reasons and comparison.b.reasons


def test_enrolling_again_adds_and_names_may_repeat(recognizer: FaceRecognizer) -> None:
    first = recognizer.enroll("Zoë/😀", photo(1, 1))
    again = recognizer.enroll("Zoë/😀", [photo(1, 1), photo(1, 2)])
    assert (first.created, again.created, again.person) == (True, False, first.person)
    assert (again.known, again.added, again.embeddings) == (1, 1, 2)
    other = recognizer.enroll("Zoë/😀", photo(2, 1), person="new")
    assert other.person != first.person
    with pytest.raises(InputError, match=f"ids {first.person}, {other.person}"):
        recognizer.enroll("Zoë/😀", photo(1, 3))
    assert recognizer.enroll("Zoë/😀", photo(1, 3), person=first.person).embeddings == 3


def test_no_picture_is_kept_unless_asked(recognizer: FaceRecognizer) -> None:
    recognizer.enroll("Anna", photo(1, 1))
    assert recognizer.gallery.people()[0].crops == 0
    keeping = with_gallery(recognizer, recognizer.gallery.path, keep_crops=True)
    keeping.enroll("Bob", photo(2, 1))
    assert [person.crops for person in recognizer.gallery.people()] == [0, 1]


def test_c122_a_fresh_gallery_and_one_whose_last_person_went(recognizer: FaceRecognizer) -> None:
    for _ in range(2):
        (seen,) = recognizer.identify(photo(1, 1))
        assert (seen.name, seen.similarity, seen.threshold, seen.why) == (None, None, None, EMPTY)
        assert recognizer.identify(scene()) == ()
        recognizer.gallery.forget([recognizer.enroll("Anna", photo(1, 1)).person])


def test_people_of_another_model_are_no_empty_gallery(recognizer: FaceRecognizer) -> None:
    recognizer.enroll("Anna", photo(1, 1))
    with recognizer.gallery.writing() as session:
        session.connection.execute("UPDATE embeddings SET embedder = 'another'")
    assert recognizer.identify(photo(1, 1))[0].why == OUTDATED


def test_c122_needs_no_thresholds(recognizer: FaceRecognizer) -> None:
    manifest = replace(recognizer.embedder.manifest, thresholds=None)
    bare = Embedder(manifest, recognizer.embedder.engine)
    without = FaceRecognizer(bare, recognizer.gallery.path, aligner=recognizer._aligner)
    assert without.identify(photo(1, 1))[0].why == EMPTY
    without.enroll("Anna", photo(1, 1))
    with pytest.raises(ThresholdError, match="at least two thresholds"):
        without.identify(photo(1, 1))
    with pytest.raises(ThresholdError, match="has no thresholds, so it embeds but does not decide"):
        without.compare(photo(1, 1), photo(1, 2))


class Says:
    """An embedder that gives every face the same vector."""

    def __init__(self, like: Embedder, vector: np.ndarray) -> None:
        self.manifest, self.fingerprint, self.vector = like.manifest, like.fingerprint, vector.astype(np.float32)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return np.repeat(self.vector[None], len(crops), axis=0)


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_c128_twins_are_ambiguous(recognizer: FaceRecognizer, order: tuple[str, str]) -> None:
    a, second = np.eye(128)[:2]
    vectors = {"A": a, "B": 0.85 * a + np.sqrt(1 - 0.85**2) * second}
    for name in order:
        recognizer.gallery.enroll(name, [Sample(vectors[name].astype(np.float32), "0" * 64)])
    probe = vectors["A"] + vectors["B"]
    recognizer.embedder = Says(recognizer.embedder, probe / np.linalg.norm(probe))  # type: ignore[assignment]
    recognizer.options = RecognizerOptions(fpir=0.3)  # two people 0.85 alike allow no stricter rate
    (seen,) = recognizer.identify(photo(1, 1))
    assert seen.name is None and seen.person is None
    assert {one.name for one in seen.ambiguous} == {"A", "B"}
    assert all(one.similarity == pytest.approx(0.962, abs=5e-4) for one in seen.ambiguous)
    assert "A (id" in seen.why and "B (id" in seen.why


def test_c131_another_aligner_is_refused(recognizer: FaceRecognizer) -> None:
    recognizer.enroll("Anna", photo(1, 1))
    other = Aligner(recognizer._aligner.finder, "f" * 64)
    with pytest.raises(GalleryMismatch) as caught:
        FaceRecognizer(recognizer.embedder, recognizer.gallery.path, aligner=other)
    text = str(caught.value)
    assert "another aligner" in text and "f" * 12 in text and recognizer._aligner.fingerprint[:12] in text
    assert "edge-facenet gallery migrate" in text and "edge-facenet enroll" in text


def test_c131_another_network_is_refused_whatever_it_is_called(recognizer: FaceRecognizer, tmp_path: Path) -> None:
    recognizer.enroll("Anna", photo(1, 1))
    other = tiny.artifact(tmp_path / "models")  # 128-D, too
    with pytest.raises(GalleryMismatch, match="another network"):
        FaceRecognizer(other, recognizer.gallery.path, aligner=recognizer._aligner)
    released = edge_facenet.load("mobile").manifest
    wide = Embedder(replace(released, fingerprint="a" * 64), recognizer.embedder.engine)
    with pytest.raises(GalleryMismatch, match="another network"):
        FaceRecognizer(wide, recognizer.gallery.path, aligner=recognizer._aligner)


def test_a_network_for_another_template_is_refused(recognizer: FaceRecognizer) -> None:
    other = Embedder(replace(recognizer.embedder.manifest, template="dlib-150"), recognizer.embedder.engine)
    with pytest.raises(ManifestError, match="dlib-150"):
        FaceRecognizer(other, recognizer.gallery.path, aligner=recognizer._aligner)


def test_a_key_that_is_wrong_missing_or_not_wanted(recognizer: FaceRecognizer, tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="needs the extra secure")
    from edge_facenet.gallery.secure import make_key

    right, wrong = tmp_path / "right.key", tmp_path / "wrong.key"
    make_key(right)
    make_key(wrong)
    sealed = with_gallery(recognizer, tmp_path / "sealed.db", key_file=right)
    sealed.enroll("Anna", photo(1, 1))
    assert with_gallery(recognizer, tmp_path / "sealed.db", key_file=right).identify(photo(1, 1))[0].name == "Anna"
    for key in (wrong, None):
        with pytest.raises(WrongKey):
            with_gallery(recognizer, tmp_path / "sealed.db", key_file=key)
    with pytest.raises(InputError, match=r"Cannot read key file|is not a key"):
        with_gallery(recognizer, tmp_path / "sealed.db", key_file=tmp_path / "none.key")


def test_compare(recognizer: FaceRecognizer) -> None:
    same, different = recognizer.compare(photo(1, 1), photo(1, 2)), recognizer.compare(photo(1, 1), photo(20, 1))
    assert same.same and not different.same and same.far == 1e-3
    thresholds = recognizer.embedder.manifest.thresholds
    assert thresholds is not None and same.threshold == thresholds.cosine(1e-3)
    assert recognizer.compare(photo(1, 1), photo(1, 2), far=1e-4).threshold > same.threshold
    with pytest.raises(ThresholdError, match=r"No threshold at FAR 0\.5"):
        recognizer.compare(photo(1, 1), photo(1, 2), far=0.5)
    both = scene((face(1, 1, 2), 20, 20), (face(20, 1, 2), 400, 100))
    with pytest.raises(InputError, match=r"the second photo: 2 faces: .*--face-b N"):
        recognizer.compare(photo(1, 2), both)
    first, second = (recognizer.compare(photo(1, 2), both, faces=(None, k)) for k in (1, 2))
    assert {first.same, second.same} == {True, False}


def test_without_a_gallery_faces_and_compare_work(opened: FaceRecognizer) -> None:
    assert opened.compare(photo(1, 1), photo(1, 2)).same and len(opened.faces(photo(1, 1))) == 1
    with pytest.raises(ConfigError, match="opened without a gallery"):
        opened.identify(photo(1, 1))


@pytest.mark.parametrize("fpir", [0.0, 1.0, float("nan"), -1.0])
def test_options_out_of_range(fpir: float) -> None:
    with pytest.raises(ConfigError, match="fpir"):
        RecognizerOptions(fpir=fpir)


def test_threads_do_not_disturb_each_other(recognizer: FaceRecognizer) -> None:
    enroll_orl(recognizer)
    alone = {person: recognizer.identify(photo(person, 7))[0].similarity for person in PEOPLE}
    wrong: list[object] = []

    def work(person: int) -> None:
        for number in range(3):
            (seen,) = recognizer.identify(photo(person, 7))
            if seen.similarity != alone[person]:  # the threshold moves with every person enrolled
                wrong.append((person, seen))
            if person == PEOPLE[0]:
                recognizer.enroll(f"somebody else {number}", photo(30 + number, 1))

    threads = [threading.Thread(target=work, args=(person,)) for person in PEOPLE]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(recognizer.gallery) == len(PEOPLE) + 3


def test_what_another_process_enrolls_is_known_at_once(recognizer: FaceRecognizer) -> None:
    assert recognizer.identify(photo(1, 1))[0].name is None
    with_gallery(recognizer, recognizer.gallery.path).enroll("Anna", photo(1, 1))
    assert recognizer.identify(photo(1, 1))[0].name == "Anna"


def test_photos_of_somebody_are_known_by_path_and_hash(recognizer: FaceRecognizer, tmp_path: Path) -> None:
    copy = tmp_path / "anna.pgm"
    shutil.copy(photo(1, 1), copy)
    person = recognizer.enroll("Anna", [copy, photo(1, 2).read_bytes()]).person
    ((source, digest),) = (item for item in recognizer.photos_of(person) if item[0])
    assert source == str(copy) and len(digest) == 64 and len(recognizer.photos_of(person)) == 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_c154_exif_orientations_give_one_embedding(
    opened: FaceRecognizer,
    synthetic,
    orientation: int,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    from PIL import Image

    upright = scene((synthetic.face(1, 200), 220, 140))
    # what the camera's sensor saw, so that turning it by `orientation` gives the upright picture
    seen = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = save(np.ascontiguousarray(seen), tmp_path / "turned.jpg", quality=95, exif=exif)
    plain = save(upright, tmp_path / "plain.jpg", quality=95)
    (found,), (expected,) = opened.faces(stored), opened.faces(plain)
    a, b = opened._embed([found, expected])
    # JPEG's 8x8 blocks lie elsewhere in the turned picture: a rounding's worth, far below what a wrong turn does
    assert 1 - float(a @ b) < 0.01
    assert np.allclose(found.points, expected.points, atol=2)
