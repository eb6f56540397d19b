"""Two foreign networks on LFW, and what each part of the alignment buys: benchmarks/results/lfw-peers.json.

    python benchmarks/lfw_peers.py LFW WORK --yunet yunet.onnx NETWORK.json [NETWORK.json ...]

LFW is a folder with pairs.txt and the 7,701 pictures in NAME/NAME_0001.jpg (or beside them, lfw.zip). Each network is
described by a hand-written manifest (docs/foreign.md). The product's row comes from the public commands `prepare` and
`verify`; the others differ from it in nothing but where the five points come from: the same face of the same photo, the
same warp, the same pairs. Started again, it goes on. LFW judges here; nothing is chosen on it.

"box only" puts the template where it lies on average in a detector's box, measured on the ORL faces. "six points" are the
detector's own: four of them have a place in the template (eyes, nose, middle of the mouth), the ears have none.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import math
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typer
from edge_facenet_bench import machine

from edge_facenet import files, load, schema
from edge_facenet.cli import verifying
from edge_facenet.cli.progress import bar
from edge_facenet.photos import models, orl
from edge_facenet.photos.align import TEMPLATE, apply, invert, similarity
from edge_facenet.photos.cropset import CropSet, CropSetWriter, Recipe
from edge_facenet.photos.decode import decode
from edge_facenet.photos.detect import Detection
from edge_facenet.photos.examine import Found, Rules, examine
from edge_facenet.photos.faces import FaceFinder, detector_points
from edge_facenet.photos.walk import walk
from edge_facenet.verification import Pairs, cosines, evaluate_embeddings, operating_points, sweep
from edge_facenet.verification.protocol import run_folds

VARIANTS = ("box only", "six points", "YuNet")
PRODUCT = "mesh"
FAR_FROM_CENTRE = 54.0  # px; the farthest of the 7,701 boxes, measured with another implementation of this detector
YUNET_SIDE = 320
Points = np.ndarray
Where = Callable[[np.ndarray, Detection], "Points | None"]


def main() -> None:
    """Prepare, embed, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path)
    parser.add_argument("work", type=Path, help="folder for pictures and crops")
    parser.add_argument("networks", type=Path, nargs="+", help="hand-written manifests")
    parser.add_argument("--yunet", type=Path, required=True, help="yunet .onnx with open height and width")
    parser.add_argument("--crops", type=Path, help="LFW as `prepare` cut it; default: it is prepared")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lfw-peers.json")
    options = parser.parse_args()
    photos, pairs = _pictures(options), options.lfw / "pairs.txt"
    product = options.crops or options.work / "crops"
    if not (product / "prepare.json").exists():
        _command("prepare", str(photos), str(product))
    folders = {name: options.work / f"crops-{name.replace(' ', '-')}" for name in VARIANTS}
    _cut_variants(photos, folders, options.yunet)
    rows = {}
    for network in options.networks:
        _command("verify", str(network), str(product), "--pairs", str(pairs))
        rows[network.stem] = _table(network, {**folders, PRODUCT: product}, pairs)
    record = {
        "what": "LFW view 2: 6,000 pairs, 10 folds in the file's order; accuracy and its standard error in per cent",
        "command": "python benchmarks/lfw_peers.py LFW WORK --yunet YUNET "
        + " ".join(n.name for n in options.networks),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "networks": rows,
        "centre": _centres(photos, options.work / "centres.json"),
        "crops_sha256": CropSet.open(product, verify=False).sha256,
        "machine": schema.to_json(machine.describe()),
    }
    files.write_json(options.out, record)
    typer.echo(f"Written: {options.out}")


class Points5:
    """The mesh with other five points: the same face, the same presence."""

    def __init__(self, mesh: Any, where: Where) -> None:
        self._mesh, self._where = mesh, where

    def locate(self, photo: np.ndarray, face: Detection) -> Any:
        """See `photos.faces.Locates`."""
        return _Relocated(self._mesh.locate(photo, face), self._where(photo, face))


class _Relocated:
    def __init__(self, mesh: Any, points: Points | None) -> None:
        self._mesh, self._points = mesh, points

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mesh, name)

    def five(self) -> Points:
        return self._mesh.five() if self._points is None else self._points  # YuNet sees no face there: as the product


class Yunet:
    """OpenCV's FaceDetectorYN on photos brought to YUNET_SIDE px; the face nearest to a box's centre."""

    def __init__(self, model: Path) -> None:
        self._net = cv2.FaceDetectorYN.create(str(model), "", (YUNET_SIDE, YUNET_SIDE), 0.5, 0.3)
        self.missed = 0

    def __call__(self, photo: np.ndarray, face: Detection) -> Points | None:
        scale = YUNET_SIDE / max(photo.shape[:2])
        small = cv2.resize(photo[..., ::-1], None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        found = self._net.detect(small)[1]
        if found is None:
            self.missed += 1
            return None
        found = found / scale
        centres = found[:, :2] + found[:, 2:4] / 2
        nearest = int(np.argmin(np.hypot(*(centres - face.centre).T)))
        return np.asarray(found[nearest, 4:14].reshape(5, 2), np.float64)


def _box_only() -> Where:
    """The template in a box: middle and side, in box sides, means over the ORL faces."""
    finder = models.open_finder()
    seen = []
    for entry in orl.listing().entries:
        photo = decode(Path(entry.path.decode()).read_bytes()).pixels
        if faces := finder.find(photo, most=1)[0]:
            face = faces[0]
            back = invert(similarity(face.points, TEMPLATE))
            middle, side = _middle(face.box)
            centre = (apply(back, np.array([[55.5, 55.5]]))[0] - middle) / side
            seen.append([*centre, 112 * math.hypot(back[0, 0], back[1, 0]) / side])
    shift_x, shift_y, size = np.mean(seen, axis=0)

    def where(photo: np.ndarray, face: Detection) -> Points:
        middle, side = _middle(face.box)
        return (TEMPLATE - 55.5) / 112 * size * side + middle + np.array([shift_x, shift_y]) * side

    return where


def _middle(box: tuple[float, ...]) -> tuple[np.ndarray, float]:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]), max(box[2] - box[0], box[3] - box[1])


def _cut_variants(photos: Path, folders: dict[str, Path], yunet: Path) -> None:
    """A crop set for each place the points may come from."""
    product = models.open_finder()
    sources: dict[str, Where] = {
        "box only": _box_only(),
        "six points": lambda _, face: detector_points(face),
        "YuNet": Yunet(yunet),
    }
    listing, rules = walk([photos]), Rules()
    for name, folder in folders.items():
        if (folder / "prepare.json").exists():
            continue
        finder = FaceFinder(product._detector, Points5(product._mesh, sources[name]))
        recipe = Recipe(rules.layout, {**rules.settings(), "five points": name})
        with CropSetWriter(folder, recipe) as writer, bar(f"Cutting by {name}", unit="photos") as on_progress:
            known = writer.known
            for done, entry in enumerate(listing.entries):
                if entry.name in known:
                    continue
                found = examine(entry, finder, rules)
                if isinstance(found, Found):
                    writer.accept(found.row, found.crop)
                else:
                    writer.reject(found)
                on_progress(done + 1, len(listing.entries))
            writer.seal()


def _table(network: Path, folders: dict[str, Path], pairs_file: Path) -> dict[str, Any]:
    """One row per alignment, and how it stands against the product's on the same pairs."""
    rows, decided = {}, {}
    embedder = load(network)
    for name, folder in folders.items():
        crops = CropSet.open(folder, verify=False)
        chosen = verifying.select_file(crops, pairs_file, False)
        with bar(f"{network.stem}, {name}", unit="crops") as on_progress:
            embeddings = verifying.embed_all(embedder, crops, chosen.rows, on_progress)
        rows[name], decided[name] = _judged(embeddings, chosen.pairs)
    for name in folders:
        if name != PRODUCT:
            rows[name]["against mesh"] = _against(decided[PRODUCT], decided[name])
    return {"sha256": embedder.manifest.sha256, "pixels": schema.to_json(embedder.manifest.pixels), "rows": rows}


def _judged(embeddings: np.ndarray, pairs: Pairs) -> tuple[dict[str, Any], np.ndarray]:
    found = evaluate_embeddings(embeddings, pairs, balanced=False, file_order=True)
    assert pairs.fold is not None
    scores = cosines(embeddings, pairs)
    right = run_folds(scores, pairs.same, pairs.fold, False)[2]
    (val,) = operating_points(sweep(scores, pairs.same), (1e-3,))
    row = {
        "pairs": found.genuine + found.impostor,
        "accuracy": round(found.accuracy, 3),
        "standard_error": round(found.accuracy_se, 3),
        "val_at_far_1e-3": None if val.val is None else round(100 * val.val, 2),
        "auc": round(100 * found.auc, 3),
        "eer": round(100 * found.eer, 3),
        "valid": found.valid,
    }
    return row, right


def _against(ours: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Pairs only one of two decides rightly; p of McNemar's exact test, two-sided."""
    better, worse = int((ours & ~other).sum()), int((~ours & other).sum())
    count = better + worse
    tail = sum(math.comb(count, k) for k in range(min(better, worse) + 1)) / 2**count
    return {"mesh alone right": better, "mesh alone wrong": worse, "p": round(min(1.0, 2 * tail), 5)}


def _centres(photos: Path, memory: Path) -> dict[str, Any]:
    """How far the chosen boxes' centres are from their photos' centres."""
    if memory.exists():
        return dict(schema.from_json(_Centres, _read(memory), str(memory), ValueError).told())
    finder, away = models.open_finder(), {}
    entries = walk([photos]).entries
    with bar("Where the boxes are", unit="photos") as on_progress:
        for done, entry in enumerate(entries, 1):
            photo = decode(Path(entry.path.decode()).read_bytes()).pixels
            faces = finder.find(photo, most=1)[0]
            middle = np.array([photo.shape[1], photo.shape[0]]) / 2
            away[entry.name] = float(np.hypot(*(_middle(faces[0].box)[0] - middle))) if faces else math.inf
            on_progress(done, len(entries))
    found = _Centres(
        photos=len(away),
        not_found=tuple(name for name, px in away.items() if px == math.inf),
        farther={name: round(px, 1) for name, px in away.items() if FAR_FROM_CENTRE < px < math.inf},
        median=float(np.median(list(away.values()))),
        largest=max(away.values()),
    )
    files.write_json(memory, schema.to_json(found))
    return found.told()


@dataclasses.dataclass(frozen=True)
class _Centres:
    photos: int
    not_found: tuple[str, ...]
    farther: dict[str, float]
    median: float
    largest: float

    def told(self) -> dict[str, Any]:
        return {f"farther than {FAR_FROM_CENTRE:g} px": len(self.farther), **schema.to_json(self)}


def _read(path: Path) -> Any:
    import json

    return json.loads(path.read_text(encoding="utf-8"))


def _pictures(options: argparse.Namespace) -> Path:
    """The folder of pictures; unpacked when there is a zip."""
    if not (options.lfw / "lfw.zip").exists():
        return Path(options.lfw)
    photos = options.work / "lfw"
    if not photos.exists():
        with zipfile.ZipFile(options.lfw / "lfw.zip") as archive:
            archive.extractall(options.work / "lfw-unpacking")
        shutil.move(options.work / "lfw-unpacking", photos)
    return photos


def _command(*words: str) -> None:
    code = subprocess.run([sys.executable, "-m", "edge_facenet.cli", *words], check=False).returncode
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
