"""A hundred real faces through Python's pipeline, written down for the Kotlin one to be compared with.

    python tests/android/parity.py build/android/parity
    mvn -f android_demo -pl engine -am test -Dparity=$PWD/build/android/parity -Dtest=ParityTest

Everything is made of the ORL faces at test time and nothing of it is committed.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_facenet.embedder import Embedder, load
from edge_facenet.photos import models, orl
from edge_facenet.photos.align import align
from edge_facenet.pixels import resize

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
PEOPLE, PHOTOS, PAIRS, FAR = 20, 5, 200, 1e-3
MODELS = ("mobile-fp16", "mobile-int8")
FOLDER = Path(__file__).parents[2] / "models/edge_facenet_models/mobile"


def photos() -> list[tuple[int, Pixels]]:
    """(person, photo): ORL's as they are, enlarged, on large photos, on their side, and tilted."""
    files = sorted(orl.folder().glob("s*/*.pgm"), key=lambda p: (int(p.parent.name[1:]), int(p.stem)))
    chosen = [p for p in files if int(p.parent.name[1:]) <= PEOPLE and int(p.stem) <= PHOTOS]
    found = []
    for number, path in enumerate(chosen):
        face = np.asarray(Image.open(path).convert("RGB"))
        found.append((int(path.parent.name[1:]), placed(face, number % PHOTOS, number)))
    return found


def placed(face: Pixels, kind: int, number: int) -> Pixels:
    """One face in one of five ways; colours are not grey alone, so that channels cannot be confused."""
    height, width = face.shape[:2]
    tint = np.array([1.0, 0.96 - 0.01 * (number % 7), 0.9])
    face = (face * tint).astype(np.uint8)
    if kind == 0:
        return face
    if kind == 1:
        return on_grey(
            np.asarray(Image.fromarray(face).resize((2 * width, 2 * height), Image.Resampling.BICUBIC)), 400, 300
        )
    if kind == 2:
        large = Image.fromarray(face).resize((7 * width, 7 * height), Image.Resampling.BICUBIC)
        return on_grey(np.asarray(large), 1600, 1200)
    if kind == 3:
        return np.ascontiguousarray(np.rot90(on_grey(face, 160, 180)))
    tilted = Image.fromarray(on_grey(face, 220, 200)).rotate(14, Image.Resampling.BILINEAR, fillcolor=(128, 128, 128))
    return np.asarray(tilted)


def on_grey(picture: Pixels, width: int, height: int) -> Pixels:
    canvas = np.full((height, width, 3), 128, np.uint8)
    y, x = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    canvas[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return canvas


def dump(folder: Path) -> None:
    """Write the photos and what Python makes of each, and last the decisions.

    `photos.tsv`: file, person, faces, turns, score, presence, box (4), points of the subject (10).
    `pairs.tsv`: two numbers of photos, and per model the score and whether it is one person.
    """
    folder.mkdir(parents=True, exist_ok=True)
    finder = models.open_finder()
    for model in models.CATALOGUE:
        shutil.copy(models.folder() / model.file, folder)
    embedders = {name: load(FOLDER / f"{name}.json") for name in MODELS}
    rows, embeddings = [], []
    for number, (person, photo) in enumerate(photos()):
        name = f"{number:03}"
        Image.fromarray(photo).save(folder / f"{name}.png")
        faces, _ = finder.find(photo)
        face = faces[0]
        values = [face.score, face.presence, *face.box, *face.points.reshape(-1).tolist()]
        rows.append([name, person, len(faces), face.turns, *(repr(float(v)) for v in values)])
        embeddings.append(examined(folder / name, align(photo, face.points), embedders))
    orientations(folder)
    write(folder / "photos.tsv", rows)
    write(folder / "pairs.tsv", pairs(embeddings, embedders))


def orientations(folder: Path) -> None:
    """C154: one face on grey, stored in the eight ways of EXIF: exif-1.jpg to exif-8.jpg."""
    face = np.asarray(Image.open(orl.folder() / "s1/1.pgm").convert("RGB").resize((184, 224), Image.Resampling.BICUBIC))
    upright = Image.fromarray(on_grey(face, 640, 480))
    stored = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions from upright to stored
    for orientation, kind in stored.items():
        tag = Image.Exif()
        tag[0x0112] = orientation
        picture = upright if kind is None else upright.transpose(Image.Transpose(kind))
        picture.save(folder / f"exif-{orientation}.jpg", "JPEG", quality=95, exif=tag)


def examined(stem: Path, crop: Pixels, embedders: dict[str, Embedder]) -> dict[str, Floats]:
    """Write the crop, and per network its input, its raw output and the embedding; return the embeddings."""
    stem.with_suffix(".crop").write_bytes(crop.tobytes())
    found = {}
    for name, embedder in embedders.items():
        spec = embedder.manifest.pixels
        tensor = spec.tensor(resize(crop[None], spec.size))
        found[name] = embedder.embed(crop[None])[0]
        stem.with_suffix(f".{name}.tensor").write_bytes(tensor.tobytes())
        stem.with_suffix(f".{name}.raw").write_bytes(embedder.engine.run([tensor])[0].tobytes())
        stem.with_suffix(f".{name}.embedding").write_bytes(found[name].tobytes())
    return found


def write(path: Path, rows: list[list[Any]]) -> None:
    path.write_text("".join("\t".join(str(v) for v in row) + "\n" for row in rows), encoding="utf-8")


def pairs(embeddings: list[dict[str, Floats]], embedders: dict[str, Embedder]) -> list[list[Any]]:
    """Half of one person, half of two, and what Python decides on each."""
    numbers = range(len(embeddings))
    genuine = [(a, b) for a, b in itertools.combinations(numbers, 2) if a // PHOTOS == b // PHOTOS]
    rng = np.random.default_rng(13)
    chosen = [genuine[k] for k in rng.permutation(len(genuine))[: PAIRS // 2]]
    while len(chosen) < PAIRS:
        a, b = (int(k) for k in rng.integers(0, len(embeddings), 2))
        if a // PHOTOS != b // PHOTOS:
            chosen.append((a, b))
    return [[a, b, *decided(embeddings[a], embeddings[b], embedders)] for a, b in chosen]


def decided(a: dict[str, Floats], b: dict[str, Floats], embedders: dict[str, Embedder]) -> list[Any]:
    found: list[Any] = []
    for name, embedder in embedders.items():
        thresholds = embedder.manifest.thresholds
        assert thresholds is not None
        score = float(a[name].astype(np.float64) @ b[name].astype(np.float64))
        found += [repr(score), int(score > thresholds.cosine(FAR))]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    dump(parser.parse_args().folder)
