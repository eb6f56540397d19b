"""Teachers: artifacts with manifests, alone or side by side, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny

from edge_facenet.errors import ConfigError, InputError, ManifestError
from edge_facenet.train.teacher import ArtifactTeacher, Faculty, faculty, strongest_directions, unit_rows


class Fake:
    """Unit rows of a fixed linear map of the mean colours."""

    def __init__(self, dimension: int, seed: int) -> None:
        self.dimension, self.fingerprint = dimension, f"fake-{dimension}-{seed}"
        self._map = np.random.default_rng(seed).normal(size=(48, dimension))

    def embed(self, crops: np.ndarray) -> np.ndarray:
        small = crops.reshape(len(crops), 4, 28, 4, 28, 3).mean((2, 4)).reshape(len(crops), -1) / 128 - 1
        return unit_rows(small @ self._map)


def never() -> np.ndarray:
    raise AssertionError("no sample is needed")


def test_one_fitting_teacher_is_taken_as_it_is(tmp_path: Path) -> None:
    teacher = Fake(16, 1)
    together = faculty([teacher], 16, tmp_path / "projection.npy", never)
    crops = tiny.crops(5)
    assert np.allclose(together.embed(crops), teacher.embed(crops), atol=1e-6)
    assert together.fingerprint == teacher.fingerprint
    assert not (tmp_path / "projection.npy").exists()


def test_cosines_of_two_teachers_are_averaged(tmp_path: Path) -> None:
    a, b = Fake(8, 1), Fake(8, 2)
    together = faculty([a, b], 16, tmp_path / "projection.npy", never)
    crops = tiny.crops(6)
    rows, x, y = together.embed(crops), a.embed(crops), b.embed(crops)
    assert np.allclose(rows @ rows.T, (x @ x.T + y @ y.T) / 2, atol=1e-5)
    assert together.fingerprint not in (a.fingerprint, b.fingerprint)
    assert together.fingerprint != Faculty([b, a]).fingerprint, "the order of teachers matters"


def test_longer_rows_are_projected_once_and_kept(tmp_path: Path) -> None:
    a, b = Fake(16, 1), Fake(24, 2)
    crops = tiny.crops(60, seed=4)
    keep = tmp_path / "projection.npy"
    together = faculty([a, b], 12, keep, lambda: crops)
    rows = together.embed(crops)
    assert rows.shape == (60, 12)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    again = faculty([a, b], 12, keep, never)
    assert again.fingerprint == together.fingerprint
    assert np.array_equal(again.embed(crops), rows)
    keep.unlink()
    other = faculty([a, b], 12, keep, lambda: crops[:30])
    assert other.fingerprint != together.fingerprint, "another projection is another teacher"


def test_directions_are_those_of_numpys_svd() -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(200, 10)) * np.arange(1, 11))
    found = strongest_directions(rows, 4).astype(float)
    _, _, vt = np.linalg.svd(rows.astype(float), full_matrices=False)
    assert np.allclose(np.abs(np.sum(found * vt[:4].T, axis=0)), 1, atol=1e-5)
    assert np.all(found[np.argmax(np.abs(found), axis=0), range(4)] > 0)


def test_too_few_faces_for_a_projection() -> None:
    with pytest.raises(InputError, match="at least as many training faces, found 3"):
        strongest_directions(unit_rows(np.ones((3, 8))), 4)


def test_no_teacher_and_a_short_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"distil\.teachers"):
        faculty([], 16, tmp_path / "p.npy", never)
    with pytest.raises(ConfigError, match=r"8 numbers, fewer than backbone\.dimension=16"):
        faculty([Fake(8, 1)], 16, tmp_path / "p.npy", never)


def test_an_artifact_teaches(tmp_path: Path) -> None:
    teacher = ArtifactTeacher(tiny.artifact(tmp_path), "arcface-112")
    rows = teacher.embed(tiny.crops(3))
    assert rows.shape == (3, teacher.dimension)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_hand_written_manifest_of_a_foreign_network_teaches(tmp_path: Path) -> None:
    """The four required keys are enough, other pixels included."""
    (tmp_path / "foreign.onnx").write_bytes(tiny.onnx_graph())
    pixels = {"size": 112, "layout": "NCHW", "mean": [123.7, 116.3, 103.5], "scale": [58.4, 57.1, 57.4]}
    manifest = {"file": "foreign.onnx", "pixels": pixels, "template": "arcface-112", "dimension": 128}
    (tmp_path / "foreign.json").write_text(json.dumps(manifest))
    teacher = ArtifactTeacher(tmp_path / "foreign.json", "arcface-112")
    assert teacher.embed(tiny.crops(2)).shape == (2, 128)
    manifest["pixels"]["mean"] = [0.0, 0.0, 0.0]  # type: ignore[index]
    (tmp_path / "foreign.json").write_text(json.dumps(manifest))
    assert ArtifactTeacher(tmp_path / "foreign.json", "arcface-112").fingerprint != teacher.fingerprint


def test_a_teacher_of_other_alignment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="aligned to arcface-112, the crops are aligned to other-template"):
        ArtifactTeacher(tiny.artifact(tmp_path), "other-template")


def test_a_teacher_that_wants_a_margin_is_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign.onnx").write_bytes(tiny.onnx_graph())
    manifest = {
        "file": "foreign.onnx",
        "pixels": {"size": 112, "layout": "NCHW"},
        "template": "arcface-112",
        "dimension": 128,
        "margin": 8,
    }
    (tmp_path / "foreign.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="a margin of 8 px, lessons have none"):
        ArtifactTeacher(tmp_path / "foreign.json", "arcface-112")


def test_a_missing_teacher_is_said(tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        ArtifactTeacher(tmp_path / "nobody.json", "arcface-112")
