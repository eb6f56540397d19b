"""What a PC and a Pi must agree on: run once on each, the same lines, over the same files.

    python both.py FOLDER NAME [short]

Reads tensors.npz, *.npy, bodies/ and photos/ in FOLDER; writes NAME.npz and NAME.json there. "short" leaves people and photos out.
"""

from __future__ import annotations

import contextlib
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
from edge_facenet_models import path

import edge_facenet
from edge_facenet import cpu
from edge_facenet.cli.probe import MODELS
from edge_facenet.engines import open_engine
from edge_facenet.errors import LaneUnavailable
from edge_facenet.manifest import read
from edge_facenet.photos import models
from edge_facenet.photos.align import similarity, target, warp
from edge_facenet.photos.decode import decode

LANES = {
    "int8": ("int8", "tflite", "litert"),
    "fp16": ("fp16", "tflite", "litert"),
    "int8-onnx": ("int8", "onnx", "onnxruntime"),
    "fp32-onnx": ("fp32", "onnx", "onnxruntime"),
}
"""Recipe, format and engine of the released network, by the name of the answer."""

Arrays = dict[str, Any]


def main(folder: Path, name: str, *more: str) -> None:
    """Every answer of this machine."""
    found = graphs(folder)
    if "short" not in more:
        found |= people(folder, ("litert", "tflite-runtime")) | photos(folder)
    np.savez(folder / f"{name}.npz", **found)
    facts = {
        "machine": platform.machine(),
        "emulated": cpu.emulated(),
        "features": sorted(cpu.features()),
        "gpu": gpu(),
    }
    (folder / f"{name}.json").write_text(json.dumps(facts))


def graphs(folder: Path) -> Arrays:
    """Raw outputs of each lane for the same tensors, (n, dimension) float32, and the whole numbers before the norm."""
    tensors = np.load(folder / "tensors.npz")
    found = {}
    for name, (recipe, kind, engine) in LANES.items():
        manifest = path("mobile", recipe, kind)
        files = {name: manifest.parent / read(manifest).file}
        if recipe == "int8":
            files[f"body/{name}"] = folder / "bodies" / f"int8.{kind}"
        for key, file in files.items():
            opened = open_engine(file, engine)
            found[key] = np.concatenate([opened.run([tensor[None]])[0] for tensor in tensors[f"{recipe}-{kind}"]])
    return found


def people(folder: Path, engines: tuple[str, ...]) -> Arrays:
    """Embeddings by the same int8 file, through the path that users take; an engine that is not installed is left out."""
    found = {}
    for engine in engines:
        with contextlib.suppress(LaneUnavailable):
            embedder = edge_facenet.load("mobile", engine=engine)
            found |= {
                f"{who}/{engine}": embedder.embed(np.load(folder / f"{who}.npy")) for who in ("people", "strangers")
            }
    return found


def photos(folder: Path) -> Arrays:
    """Of each photo: pixels decoded; box, points, crop and embeddings of every face."""
    finder, int8 = models.open_finder(), edge_facenet.load("mobile")
    fp16 = edge_facenet.load(path("mobile", "fp16"))
    found: Arrays = {}
    for file in sorted((folder / "photos").iterdir()):
        photo = decode(file.read_bytes())
        faces, _ = finder.find(photo.pixels)
        found[f"{file.name}/pixels"], found[f"{file.name}/count"] = photo.pixels, np.array(len(faces))
        for number, face in enumerate(faces):
            crop = warp(photo.pixels, similarity(face.points, target(112, 0)), 112)
            key = f"{file.name}/{number}"
            found |= {f"{key}/box": np.array(face.box), f"{key}/points": face.points, f"{key}/crop": crop}
            found |= {f"{key}/int8": int8.embed(crop[None])[0], f"{key}/fp16": fp16.embed(crop[None])[0]}
    return found


def gpu() -> str:
    """What the GPU engine says. Its library must not be loaded where the processor cannot run it."""
    try:
        return open_engine(MODELS / "doctor.tflite", "litert-gpu").ran_on
    except LaneUnavailable as refusal:
        return str(refusal)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
