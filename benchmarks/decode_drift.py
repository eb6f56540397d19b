"""The same JPEG bytes through two installations: how far the crops, the embeddings and the decisions move.

    python benchmarks/decode_drift.py PHOTOS --python OTHER/bin/python

OTHER has other versions (tests/lowest.txt: the floors that pyproject.toml promises, OpenCV 4.11). It needs nothing of this
project: the checkout is put on its path. Photos that show no face in either are counted. Decisions are those of every pair
of the photos at the model's own threshold for FAR 1e-3. Another processor: see `make test-pi` (arm64 under qemu), and
`make test-android` for Kotlin.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_facenet import files

ROOT = Path(__file__).parents[1]
FAR = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--python", type=Path, help="the other installation's interpreter")
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--models", default="mobile", help="names of released models, separated by commas")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "decode-drift.json")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.models.split(",")
    if options.into:
        _measure(options.photos, options.count, names, options.into)
        return
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder) / "here.npz", Path(folder) / "there.npz"
        _run(Path(sys.executable), options, here)
        _run(options.python, options, there)
        with np.load(here) as a, np.load(there) as b:
            result = _compare(dict(a), dict(b), names)
    what = {"kind": options.photos.name, "machine": platform.machine(), "date": time.strftime("%Y-%m-%d")}
    files.write_json(options.out, {**what, **result})


def _run(python: Path, options: Any, into: Path) -> None:
    """This script in an installation, a process of its own."""
    path = os.pathsep.join(map(os.fspath, (ROOT, ROOT / "models")))
    words = [
        os.fspath(options.photos),
        "--count",
        str(options.count),
        "--models",
        options.models,
        "--into",
        os.fspath(into),
    ]
    subprocess.run([os.fspath(python), __file__, *words], check=True, env={**os.environ, "PYTHONPATH": path})


def _measure(photos: Path, count: int, names: list[str], into: Path) -> None:
    import cv2
    import PIL

    import edge_facenet
    from edge_facenet.photos import models
    from edge_facenet.photos.decode import decode
    from edge_facenet.photos.examine import Rules, examine
    from edge_facenet.photos.rows import Rejection
    from edge_facenet.photos.walk import walk

    cv2.setNumThreads(1)
    finder, rules = models.open_finder(), Rules()
    entries = walk([photos]).entries
    entries = entries[:: max(len(entries) // count, 1)][:count]
    found = [examine(entry, finder, rules) for entry in entries]
    faces = [k for k, result in enumerate(found) if not isinstance(result, Rejection)]
    crops = np.stack([found[k].crop for k in faces])  # type: ignore[union-attr]
    embedded = {}
    for name in names:
        embedder = edge_facenet.load(name)
        size = crops.shape[1] - 2 * rules.layout.margin
        inner = crops[
            :, rules.layout.margin : rules.layout.margin + size, rules.layout.margin : rules.layout.margin + size
        ]
        assert embedder.manifest.thresholds is not None
        embedded[f"{name}/embeddings"] = embedder.embed(np.ascontiguousarray(inner))
        embedded[f"{name}/threshold"] = np.array(embedder.manifest.thresholds.cosine(FAR))
    versions = [f"OpenCV {cv2.__version__}", f"Pillow {PIL.__version__}", f"numpy {np.__version__}"]
    points = np.array([found[k].row.points for k in faces])  # type: ignore[union-attr]
    decoded = [files.sha256(decode(Path(os.fsdecode(entries[k].path)).read_bytes()).pixels.tobytes()) for k in faces]
    embedded["decoded"] = np.array(decoded)
    np.savez(into, faces=np.array(faces), crops=crops, points=points, versions=np.array(versions), **embedded)


def _compare(a: dict[str, npt.NDArray[Any]], b: dict[str, npt.NDArray[Any]], names: list[str]) -> dict[str, Any]:
    _, first, second = np.intersect1d(a["faces"], b["faces"], return_indices=True)
    moved = np.abs(a["points"][first] - b["points"][second]).max((1, 2))
    away = np.abs(a["crops"][first].astype(int) - b["crops"][second])
    return {
        "versions": [a["versions"].tolist(), b["versions"].tolist()],
        "photos": len(first),
        "decoded_to_equal_pixels": int((a["decoded"][first] == b["decoded"][second]).sum()),
        "faces_found_by_one_only": len(a["faces"]) + len(b["faces"]) - 2 * len(first),
        "points_px": {"median": float(np.median(moved)), "largest": float(moved.max())},
        "crops": {
            "equal": int((away.max((1, 2, 3)) == 0).sum()),
            "largest_difference_of_a_value": int(away.max()),
            "mean_difference": float(away.mean()),
        },
        "models": {name: _drift(name, a, b, (first, second)) for name in names},
    }


def _drift(name: str, a: dict[str, Any], b: dict[str, Any], rows: tuple[Any, Any]) -> dict[str, Any]:
    x, y = (side[f"{name}/embeddings"][k].astype(np.float64) for side, k in zip((a, b), rows, strict=True))
    cosine, limit = np.einsum("nd,nd->n", x, y), float(a[f"{name}/threshold"])
    upper = np.triu_indices(len(x), 1)
    before, after = (x @ x.T)[upper], (y @ y.T)[upper]
    flips = int(((before > limit) != (after > limit)).sum())
    return {
        "cosine": {
            "median": float(np.median(cosine)),
            "p1": float(np.percentile(cosine, 1)),
            "least": float(cosine.min()),
        },
        "pairs": len(before),
        "accepted": int((before > limit).sum()),
        "decision_flips": flips,
        "largest_change_of_a_similarity": float(np.abs(before - after).max()),
        "threshold": limit,
    }


if __name__ == "__main__":
    main()
