"""A Raspberry Pi 4 and a PC give the same answers: bit by bit in whole numbers, within rounding in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_facenet_models import path
from pi_world import FACES_EACH, PEOPLE, PHOTOS, PROBES, Answers

from edge_facenet.gallery.decide import decide, threshold
from edge_facenet.gallery.people import Rows, build_templates
from edge_facenet.manifest import read

FLOAT = 1e-9
"""Largest 1 - cosine in floating point. An operation rounds by 2^-24 = 6e-8 of its value, and kernels of two processors add
in other orders; errors of that size, independent in each of 128 numbers, turn a vector by about 6e-8 x sqrt(layers), and
1 - cosine is half the angle's square: 1e-13 for sixty layers. 1e-9 is an angle of 4.5e-5, a hundred times more; fp16
arithmetic, the smallest fault of this kind, gives 1e-7 to 1e-6."""
WORST = read(path("mobile")).parity
POINT = 0.15
"""px of the photo. A box that moves by 1e-5 px moves a sample over the edge between two of warpAffine's steps of 1/32 px
here and there, which changes a pixel of the mesh's input by a few levels of 255, and its points by hundredths of a px. A
wrong mean, scale or half-pixel shift moves them by 0.5 px or more (photos/models.py)."""


def cosines(a: Any, b: Any) -> Any:
    wide_a, wide_b = np.atleast_2d(a).astype(np.float64), np.atleast_2d(b).astype(np.float64)
    return (wide_a * wide_b).sum(1) / np.linalg.norm(wide_a, axis=1) / np.linalg.norm(wide_b, axis=1)


LAST_BIT = 2**-23
"""Largest difference of a number of the embedding behind an int8 network. Sum, reciprocal root and product of the norm, all
in float32, round by up to 2^-24 each in an order of their own; their values stay below 1."""


@pytest.mark.parametrize("lane", ["int8", "int8-onnx"])
def test_int8_embeddings_are_byte_equal(lane: str, pc: Answers, pi4: Answers, pi5: Answers) -> None:
    """The network's own numbers, up to the norm. ONNX Runtime's too, whose sums have scales made for it (export's `sums.py`)."""
    body = f"body/{lane}"
    assert pc[body].dtype.itemsize == 1 and pc[body].shape == (4 + PEOPLE, 128)
    assert pi4[body].tobytes() == pc[body].tobytes()
    assert pi5[body].tobytes() == pc[body].tobytes()


@pytest.mark.parametrize("lane", ["int8", "int8-onnx"])
def test_the_norm_behind_them_rounds_in_the_last_bit_alone(lane: str, pc: Answers, pi4: Answers, pi5: Answers) -> None:
    for found in (pi4, pi5):
        np.testing.assert_allclose(found[lane], pc[lane], rtol=0, atol=LAST_BIT)
        assert 1 - cosines(found[lane], pc[lane]).min() <= FLOAT


def test_int8_embeddings_of_the_same_crops(pc: Answers, pi4: Answers) -> None:
    """Through `edge_facenet.load`: resizing to the network's size is part of it."""
    assert len(pc["people/litert"]) == (FACES_EACH + PROBES) * PEOPLE
    np.testing.assert_allclose(pi4["people/litert"], pc["people/litert"], rtol=0, atol=LAST_BIT)


@pytest.mark.parametrize("lane", ["fp16", "fp32-onnx"])
def test_float_embeddings_are_equal_within_rounding(lane: str, pc: Answers, pi4: Answers, pi5: Answers) -> None:
    assert 1 - cosines(pi4[lane], pc[lane]).min() <= FLOAT
    assert 1 - cosines(pi5[lane], pc[lane]).min() <= FLOAT


def test_the_comparisons_see_one_bit_and_half_precision(pc: Answers) -> None:
    other = pc["body/int8"].copy()
    other[3, 5] ^= 1
    assert other.tobytes() != pc["body/int8"].tobytes()
    half = pc["fp16"].astype(np.float16)
    assert 1 - cosines(half, pc["fp16"]).min() > FLOAT
    assert np.abs(half - pc["fp16"]).max() > LAST_BIT


def test_litert_and_tflite_runtime_decide_alike_with_the_same_file(pi4: Answers) -> None:
    """Who is it, of six people enrolled with three pictures each: their other pictures, and strangers."""
    said = {engine: decisions(pi4, engine) for engine in ("litert", "tflite-runtime")}
    assert said["litert"] == said["tflite-runtime"]
    right = [k // PROBES for k in range(PEOPLE * PROBES)] + [None] * (len(said["litert"]) - PEOPLE * PROBES)
    assert sum(a == b for a, b in zip(said["litert"], right, strict=True)) >= 0.9 * len(right), "they mean something"
    old, ours = pi4["people/tflite-runtime"], pi4["people/litert"]
    assert old.tobytes() != ours.tobytes(), "two engines did run"


def decisions(pi4: Answers, engine: str) -> list[int | None]:
    """The number of the person of each probe, or None, by the rule of the gallery."""
    known = pi4[f"people/{engine}"].reshape(PEOPLE, FACES_EACH + PROBES, -1)
    enrolled = known[:, :FACES_EACH].reshape(PEOPLE * FACES_EACH, -1)
    rows = Rows(np.repeat(np.arange(PEOPLE), FACES_EACH), np.zeros(len(enrolled), bool), enrolled)
    templates = build_templates({k: str(k) for k in range(PEOPLE)}, rows)
    limit = threshold(read(path("mobile")).thresholds, templates)
    probes = np.concatenate([known[:, FACES_EACH:].reshape(PEOPLE * PROBES, -1), pi4[f"strangers/{engine}"]])
    return [decide(probe, templates, limit).person for probe in probes]


@pytest.mark.parametrize("name", PHOTOS)
def test_photos_are_decoded_to_the_same_pixels(name: str, pc: Answers, pi4: Answers) -> None:
    np.testing.assert_array_equal(pi4[f"{name}/pixels"], pc[f"{name}/pixels"])


@pytest.mark.parametrize("name", PHOTOS)
def test_the_same_faces_at_the_same_place(name: str, pc_like_bookworm: Answers, pi4: Answers) -> None:
    count = int(pc_like_bookworm[f"{name}/count"])
    assert int(pi4[f"{name}/count"]) == count == (2 if name == "two.jpg" else 1)
    for face in range(count):
        a, b = (
            {k: side[f"{name}/{face}/{k}"] for k in ("box", "points", "crop", "fp16", "int8")}
            for side in (pi4, pc_like_bookworm)
        )
        np.testing.assert_allclose(a["box"], b["box"], atol=POINT)
        np.testing.assert_allclose(a["points"], b["points"], atol=POINT)
        # The steepest edges of a face are 60 levels a px: 0.15 px of shift are 9 levels at one pixel, under one in the mean.
        off = np.abs(a["crop"].astype(int) - b["crop"])
        assert off.max() <= 9 and off.mean() <= 1
        # Levels that differ by chance turn the float embedding by less than a recipe may cost, and the int8 one by no more
        # than twice what its manifest proves (both sides keep within that angle of the float network; angles add).
        assert cosines(a["fp16"], b["fp16"])[0] >= 0.999
        assert cosines(a["int8"], b["int8"])[0] >= 2 * WORST.cosine_min**2 - 1  # type: ignore[union-attr]


@pytest.mark.parametrize("name", PHOTOS)
def test_a_pcs_gallery_is_a_pis_gallery(name: str, pc: Answers, pi4: Answers) -> None:
    """OpenCV 5 on the PC and 4.11 on the Pi warp differently; the same face stays far on the near side of a threshold."""
    for face in range(int(pc[f"{name}/count"])):
        assert cosines(pi4[f"{name}/{face}/int8"], pc[f"{name}/{face}/int8"])[0] >= 0.95


def test_a_pi_4_is_told_that_the_gpu_library_would_kill_it_and_a_pi_5_that_it_has_no_gpu(
    pi4: Answers, pi5: Answers
) -> None:
    assert "instructions that Cortex-A72 does not have" in pi4.facts["gpu"] and "asimddp" not in pi4.facts["features"]
    assert pi5.facts["gpu"].startswith("No GPU") and "asimddp" in pi5.facts["features"]


def test_the_emulator_is_seen_without_being_told(pc: Answers, pi4: Answers, pi5: Answers) -> None:
    assert pi4.facts["emulated"] and pi5.facts["emulated"]
    assert pi4.facts["machine"] == pi5.facts["machine"] == "aarch64"
    assert pc.facts["emulated"] is None
