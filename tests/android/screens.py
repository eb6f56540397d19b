"""The pictures in docs/images of the app's screens, out of what its tests drew.

python tests/android/screens.py android_demo/app/target/shots docs/images
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

SCREENS = {
    "camera": "day-camera",
    "enroll": "night-enrol",
    "compare": "day-compare",
    "people": "night-people",
    "benchmark": "day-bench",
    "across": "night-across-camera",
}
WIDTH = {"across": 800}
USUAL = 400
COLOURS = 256


def shrink(source: Path, target: Path, width: int) -> None:
    """A screen at `width` px with a palette, in a few dozen kB."""
    picture = Image.open(source).convert("RGB")
    small = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    for name, shot in SCREENS.items():
        shrink(asked.shots / f"{shot}.png", asked.out / f"android-{name}.png", WIDTH.get(name, USUAL))
