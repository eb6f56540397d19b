"""The vectors that the Kotlin code is tested with are what this package gives today."""

from __future__ import annotations

import base64
import json
import math
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

import android_pictures  # noqa: E402
import make_android  # noqa: E402

WARPED = ("warp", "letterbox", "crop", "quality")
FUSED = 1
"""Processors without fused multiply-adds, and NEON's, round an interpolated value the other way now and then."""
MOST_BYTES = 300_000


def same(name: str, kept: Any, made: Any, where: str = "") -> None:
    """Equal, floats to nine digits, and base64 bytes to `FUSED`."""
    if isinstance(kept, dict):
        assert kept.keys() == made.keys(), where
        for key in kept:
            same(name, kept[key], made[key], f"{where}.{key}")
    elif isinstance(kept, list):
        assert len(kept) == len(made), where
        for number, (a, b) in enumerate(zip(kept, made, strict=True)):
            same(name, a, b, f"{where}[{number}]")
    elif isinstance(kept, float):
        assert math.isclose(kept, made, rel_tol=1e-9, abs_tol=1e-9), where
    elif isinstance(kept, str) and where.endswith(".bytes"):
        a, b = (np.frombuffer(base64.b64decode(text), np.uint8).astype(int) for text in (kept, made))
        assert np.abs(a - b).max() <= FUSED, where
    else:
        assert kept == made, where


@pytest.mark.parametrize("name", [name for name in make_android.VECTORS if name != "exif"])  # JPEG is an encoder's own
def test_vectors_do_not_drift(name: str) -> None:
    if name in WARPED and int(cv2.__version__.split(".")[0]) < 5:
        pytest.skip("OpenCV 4 warps in 1/32 px; the vectors are OpenCV 5's")
    kept = json.loads((make_android.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    same(name, kept, json.loads(make_android.text(make_android.VECTORS[name]())), name)


def test_a_changed_vector_is_noticed() -> None:
    kept = json.loads((make_android.FOLDER / "pixels.json").read_text(encoding="utf-8"))
    kept[0]["pixels"]["mean"][0] += 1e-3
    with pytest.raises(AssertionError, match=r"pixels\[0\]"):
        same("pixels", kept, json.loads(make_android.text(make_android.VECTORS["pixels"]())), "pixels")


def test_vectors_are_small() -> None:
    assert sum(path.stat().st_size for path in make_android.FOLDER.iterdir()) < MOST_BYTES
    assert {path.stem for path in make_android.FOLDER.iterdir()} == set(make_android.VECTORS)


@pytest.mark.parametrize("short", [0, 1])
def test_c147_reference_on_colour_bars(short: int) -> None:
    """The Python reference, on frames with wide rows and a missing last chroma byte; the Kotlin test has the same."""
    bars = android_pictures.bars()
    yuv, rgb = np.array(bars["yuv"]), np.array(bars["rgb"])
    for case in bars["frames"]:
        width, height, stride, step = (case[key] for key in ("width", "height", "row_stride", "pixel_stride"))
        planes = []
        for k, (columns, rows, apart) in enumerate(((width, height, 1), *[(width // 2, height // 2, step)] * 2)):
            plane = np.full((rows, stride), 0x5A, np.uint8)
            plane[:, : columns * apart : apart] = yuv[np.arange(columns) * 8 // columns, k]
            end = (rows - 1) * stride + (columns - 1) * apart + 1 - (min(short, step - 1) if k else 0)
            planes.append(plane.reshape(-1)[:end])
        frame = {"width": width, "height": height, "crop": (0, 0, width, height), "degrees": 0, "mirror": False}
        frame |= {"y": (stride, 1), "u": (stride, step), "v": (stride, step)}
        found = android_pictures.frame_rgb(frame, planes).astype(int)
        assert np.abs(found - rgb[np.arange(width) * 8 // width]).max() <= 2


def test_c147_bars_come_back_as_their_colours() -> None:
    bars = android_pictures.bars()
    assert np.abs(np.array(bars["rgb"]) - np.array(android_pictures.BARS)).max() <= 2  # two roundings of chroma


def test_c154_every_orientation_is_read_upright() -> None:
    from edge_facenet.photos.decode import decode

    for case in android_pictures.exif():
        upright = np.frombuffer(base64.b64decode(case["upright"]), np.uint8).reshape(16, 24, 3).astype(int)
        found = decode(base64.b64decode(case["jpeg"])).pixels.astype(int)
        assert found.shape == upright.shape
        turned = [np.rot90(upright, k) for k in (2,)] + [upright[::-1], upright[:, ::-1]]
        assert all(np.abs(found - upright).mean() < np.abs(found - other).mean() for other in turned)
