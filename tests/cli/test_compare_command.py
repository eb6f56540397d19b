"""`edge-facenet compare` as a person types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from faces_world import Done, face, needs_models, photo, save, scene

Call = Callable[..., Done]


@pytest.fixture(autouse=True)
def ready() -> None:
    needs_models()


def test_same_and_not_the_same_are_results(call: Call) -> None:
    same = call("compare", photo(1, 1), photo(1, 2))
    assert same.code == 0 and same.err == ""
    assert (
        same.out.startswith("The same person: similarity 0.") and "the threshold at FAR 0.001 on the photos" in same.out
    )
    other = call("compare", photo(1, 1), photo(20, 1), "--far", "0.0001")
    assert other.code == 0 and other.out.startswith("Not the same person: similarity ") and "FAR 0.0001" in other.out


def test_json_and_what_the_quality_says(call: Call) -> None:
    done = call("compare", photo(1, 1), photo(1, 2), "--rule", "face_px=1000")
    assert done.out.count("too small: ") == 2 and str(photo(1, 2)) in done.out
    (found,) = call("compare", photo(1, 1), photo(1, 2), "--rule", "face_px=1000", "--json").lines
    assert found["same"] is True and found["similarity"] > found["threshold"] and found["far"] == 1e-3
    assert found["a"]["reasons"][0].startswith("too small") and len(found["b"]["box"]) == 4


def test_a_photo_with_several_faces(call: Call, tmp_path: Path) -> None:
    both = save(scene((face(20, 1, 2), 20, 20), (face(1, 1, 3), 330, 100)), tmp_path / "both.png")
    done = call("compare", photo(1, 2), both)
    assert done.code == 3 and "2 faces: 1 at" in done.err and "--face-b N" in done.err and done.out == ""
    assert call("compare", photo(1, 2), both, "--largest", "--json").lines[0]["same"] is True
    answers = {call("compare", photo(1, 2), both, "--face-b", k, "--json").lines[0]["same"] for k in (1, 2)}
    assert answers == {True, False}


def test_no_gallery_is_read(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not even one of another model."""
    from edge_facenet import gallery

    broken = tmp_path / "gallery.db"
    broken.write_text("not a gallery")
    monkeypatch.setattr(gallery.store, "default_path", lambda: broken)
    assert call("compare", photo(1, 1), photo(1, 2)).code == 0


def test_faults_end_as_one_sentence(call: Call, tmp_path: Path) -> None:
    text = tmp_path / "letter.jpg"
    text.write_text("Dear Bob")
    grey = save(scene(), tmp_path / "grey.png")
    lone = tiny.artifact(tmp_path / "models")
    cases: list[tuple[tuple[object, ...], int, str]] = [
        ((photo(1, 1), text), 3, "letter.jpg: This is text, not a picture."),
        ((tmp_path / "gone.jpg", photo(1, 1)), 3, "gone.jpg: cannot be read: No such file or directory."),
        ((photo(1, 1), grey), 3, "grey.png: no face found"),
        ((photo(1, 1), photo(1, 2), "--far", "0.5"), 5, "No threshold at FAR 0.5"),
        ((photo(1, 1), photo(1, 2), "--model", lone), 5, "has no thresholds"),
        ((photo(1, 1), photo(1, 2), "--face-a", "3"), 3, "there is no face 3, it shows 1"),
    ]
    for words, code, says in cases:
        done = call("compare", *words)
        assert done.code == code and says in done.err and done.out == "", done
        assert done.err.startswith("edge-facenet: ") and done.err.count("\n") == 1
