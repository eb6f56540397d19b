"""The figures in docs/photos.md are those of the files that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "photos.md").read_text(encoding="utf-8")


def result(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("background", ["plain", "gradient"])
def test_detection_rate_by_brightness(background: str) -> None:
    rows = [r for r in result("detection")["rows"] if r["what"] == "dark" and r["background"] == background]
    assert [r["light"] for r in rows] == [1, 0.5, 0.25, 0.1, 0.05] and {r["pictures"] for r in rows} == {40}
    found = [r["with full range"]["found"] for r in rows]
    assert f"| {background} | " + " | ".join(f"{n} ({n / 40:.0%})".replace("%", " %") for n in found) + " |" in PAGE
    assert not any(r["with full range"]["wrong"] for r in rows)


@pytest.mark.parametrize("finder", ["with full range", "short range alone"])
def test_small_faces(finder: str) -> None:
    rows = [r for r in result("detection")["rows"] if r["what"] == "small" and r["photo"] == "640x480"]
    found = [str(r[finder]["found"]) for r in rows if r["box"] != 0.07]
    title = "found, with full range" if finder == "with full range" else "found, without"
    assert f"| {title} | {' | '.join(found)} |" in PAGE


def test_turned_faces() -> None:
    rows = [r for r in result("detection")["rows"] if r["what"] == "turned"]
    a, b, c = (sum(r["with full range"]["found"] for r in rows if r["box"] == box) for box in (0.1, 0.2, 0.45))
    assert f"{a} found at a box of 0.1 of the side, {b} at 0.2,\n{c} at 0.45" in PAGE


def test_alignment() -> None:
    networks = result("lfw-peers")["networks"]
    titles = {"box only": "box only", "six points": "six points", "mesh": "**mesh**", "YuNet": "OpenCV's YuNet"}
    page = PAGE.split("## What each part")[1].split("\n## ")[0]
    for name, title in titles.items():
        (line,) = (line for line in page.splitlines() if line.startswith(f"| {title}"))
        for network in networks.values():
            row = network["rows"][name]
            shown = f"{row['accuracy']:.2f} ± {row['standard_error']:.2f} | {row['val_at_far_1e-3']:.1f} |"
            assert shown in line, (line, shown)


def test_drift() -> None:
    found = result("decode-drift")
    cosine, crops = found["models"]["mobile"]["cosine"], found["crops"]
    for text in (
        f"{found['photos']} LFW photos",
        f"mean difference {crops['mean_difference']:.2f} grey levels, most {crops['largest_difference_of_a_value']}",
        f"{cosine['median']:.4f} in the median, {cosine['p1']:.4f} at the 1st percentile, least {cosine['least']:.4f}",
        f"{found['models']['mobile']['decision_flips']} flips in {found['models']['mobile']['pairs']:,} pairs",
    ):
        assert text in PAGE, text


def test_speed() -> None:
    found = result("prepare-speed")
    rows = {
        "decode": "decode",
        "detect, as the photo is": "detect",
        "mesh, two passes": "mesh",
        "warp, blur, luminance": "warp",
        "write": "write",
        "OpenCV's YuNet + alignCrop, decoding included": "yunet",
    }
    for title, stage in rows.items():
        assert f"| {title} | {found['median_ms'][stage]:.2f} |" in PAGE
    assert f"| **{found['median_ms']['whole']:.2f}** |" in PAGE
    assert f"of {found['median_ms']['whole, always asked']:.2f} and is\nspared" in PAGE
    for jobs, words in (("1", "with one process"), ("2", "with two")):
        assert ", ".join(f"{v:.0f}" for v in found["photos_per_second"][jobs]) + f" {words}" in PAGE
    assert f"median of {found['photos']['stages']} photos" in PAGE
