"""Vectors that hold the Kotlin code of `android_demo` to this package's results: tests/golden/android/*.json.

Everything comes from synthetic faces, numbers of a generator that both languages have, and colour bars. Run it after a
deliberate change of the pipeline: python tests/golden/make_android.py. tests/android/test_android_golden.py makes
the vectors again and compares, so that they cannot drift.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import android_faces
import android_pictures
import android_records

FOLDER = Path(__file__).with_name("android")
VECTORS: dict[str, Callable[[], Any]] = {
    **android_pictures.VECTORS,
    **android_faces.VECTORS,
    **android_records.VECTORS,
}


def text(value: Any) -> str:
    """One vector a line."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(json.dumps(one) for one in value) + "\n]\n"
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(one)}" for key, one in value.items()) + "\n}\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, make in VECTORS.items():
        (FOLDER / f"{name}.json").write_text(text(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
