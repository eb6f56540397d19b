"""From face crops to embeddings: the path that users, the parity gate and every benchmark take."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import selftest
from .engines import Array, Engine, TensorSpec, open_engine
from .errors import InputError, ManifestError, SelfTestFailed, SetupError, UnusableEmbedding
from .manifest import Manifest, fingerprint, open_artifact
from .pixels import Pixels, resize
from .selftest import faces_sha256, selftest_faces

__all__ = ["Embedder", "faces_sha256", "load", "selftest_faces"]

UNIT_SLACK = 0.01
"""A file that says its output is of unit length may miss it by this much: half precision gives 1e-3."""


def load(name: str | Path, *, engine: str | None = None, threads: int = 1, self_test: bool = True) -> Embedder:
    """Open an artifact and prove that it works on this machine.

    Args:
        name: path to NAME.json, to a lone sealed model file, to a folder with exactly one manifest, or the name of a
            released model ("mobile").
        engine: "litert", "tflite-runtime", "litert-gpu", "onnxruntime"; None = by file type, on the CPU.
        threads: threads of one call.
        self_test: embed two known faces first and compare with what the manifest holds.
    Raises:
        ManifestError: damaged, or file and manifest do not belong together.
        SetupError: a released model's name, and the released models are not installed.
        ConfigError: no such engine, or no thread at all.
        LaneUnavailable: the engine is not here, or refuses the file.
        SelfTestFailed: the artifact does not give its own golden embeddings on this engine.
    """
    manifest, model = open_artifact(_locate(name))
    made = dataclasses.replace(manifest, fingerprint=fingerprint(model, manifest))
    embedder = Embedder(made, open_engine(model, engine, threads))
    if self_test:
        embedder.self_test()
    return embedder


class Embedder:
    """A network that turns crops into embeddings. Safe to call from several threads, after a fork, and picklable."""

    def __init__(self, manifest: Manifest, engine: Engine) -> None:
        """Raises ManifestError when the manifest does not describe the engine's graph."""
        self.manifest = manifest
        self.engine = engine
        _check_input(manifest, engine)
        self._output = _output(manifest, engine)

    @property
    def fingerprint(self) -> str:
        """Only embeddings with equal fingerprints may be compared."""
        if self.manifest.fingerprint is None:
            raise ManifestError(f"{self.manifest.file} was opened without a fingerprint. Open it with load().")
        return self.manifest.fingerprint

    def embed(self, crops: Pixels) -> npt.NDArray[np.float32]:
        """Embeddings of face crops.

        Args:
            crops: (n, s, s, 3) uint8 RGB, cut to the template with the manifest's `margin` (usually 0), any s; resized to the network's
                size.
        Returns:
            (n, dimension) float32, rows of unit length, independent of each other; the array owns its memory.
        Raises:
            InputError: another shape or type.
            UnusableEmbedding: an embedding is all zeros or not finite; it names the rows.
        """
        batch = self.manifest.pixels.batch
        crops = np.asarray(crops)
        self._tensor(crops[:0] if crops.ndim else crops)  # shape and type, before any work
        rows = [self._call(self._tensor(crops[start : start + batch])) for start in range(0, len(crops), batch)]
        raw = np.concatenate(rows) if rows else np.empty((0, self.manifest.dimension), np.float32)
        return _unit(raw)

    def self_test(self) -> tuple[float, ...]:
        """Embed the two faces the package carries.

        Returns:
            cosine of each to the manifest's golden embedding; without golden ones the cosine between the two.
        Raises:
            SelfTestFailed: beyond the engine's tolerance, or every face gets the same vector.
        """
        if self.manifest.unit_output:
            self._check_unit()
        try:
            return selftest.run(self.embed, self.manifest.self_test, self.engine.name)
        except InputError as error:
            raise SelfTestFailed(f"{self.manifest.file} does not embed a known face: {error}") from error

    def _tensor(self, crops: Pixels) -> Array:
        return self.manifest.pixels.tensor(resize(crops, self.manifest.pixels.size))

    def _call(self, faces: Array) -> Array:
        """(at most batch, ...) input values -> raw outputs, dequantized."""
        missing = self.manifest.pixels.batch - len(faces)
        full = np.concatenate([faces, np.repeat(faces[-1:], missing, axis=0)]) if missing else faces
        output = self.engine.run([full])[self._output]
        real = _dequantized(output, self.engine.outputs[self._output])
        return real.reshape(len(full), self.manifest.dimension)[: len(faces)]

    def _check_unit(self) -> None:
        length = float(np.linalg.norm(self._call(self._tensor(selftest_faces()[:1]))[0]))
        if not abs(length - 1) <= UNIT_SLACK:
            raise SelfTestFailed(
                f"{self.manifest.file} says that its output has unit length, found {length:.4f} (1 ± {UNIT_SLACK} is allowed)."
            )


def _unit(raw: Array) -> npt.NDArray[np.float32]:
    wide = raw.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    good = np.isfinite(lengths) & (lengths > 0)
    if not good.all():
        row = int(np.argmin(good))
        what = "is all zeros" if lengths[row] == 0 else "holds values that are not finite"
        zero, not_finite = (tuple(np.flatnonzero(bad).tolist()) for bad in (lengths == 0, ~np.isfinite(lengths)))
        raise UnusableEmbedding(
            f"The embedding of crop {row} of {len(raw)} {what}. The network cannot be used for it.", zero, not_finite
        )
    unit: npt.NDArray[np.float32] = (wide / lengths[:, None]).astype(np.float32)
    return unit


def _dequantized(values: Array, spec: TensorSpec) -> Array:
    if spec.quantization is None:
        return values
    scale, zero = spec.quantization
    return (values.astype(np.float32) - zero) * np.float32(scale)


def _check_input(manifest: Manifest, engine: Engine) -> None:
    spec = manifest.pixels
    if len(engine.inputs) != 1:
        raise ManifestError(f"{manifest.file} has {len(engine.inputs)} inputs; an embedding network has one.")
    found = engine.inputs[0]
    if not found.accepts(spec.shape) or found.dtype != np.dtype(spec.dtype):
        raise ManifestError(
            f"The manifest of {manifest.file} says input {spec.shape} {spec.dtype}, the file takes {found.shape} {found.dtype}. "
            "Correct pixels in the manifest."
        )
    if spec.quantization and found.quantization and not np.allclose(spec.quantization, found.quantization, rtol=1e-5):
        raise ManifestError(
            f"The manifest of {manifest.file} says input scale and zero point {spec.quantization}, the file has "
            f"{found.quantization}. Correct pixels.quantization in the manifest."
        )


def _output(manifest: Manifest, engine: Engine) -> int:
    """Which output is the embedding."""
    names = [spec.name for spec in engine.outputs]
    listed = "; ".join(str(spec) for spec in engine.outputs)
    shapes = _output_shapes(manifest, engine)
    fitting = [k for k, shape in enumerate(shapes) if _holds(shape, manifest.pixels.batch, manifest.dimension)]
    if manifest.output is not None:
        if manifest.output not in names:
            raise ManifestError(f'{manifest.file} has no output "{manifest.output}"; it has {listed}.')
        fitting = [k for k in fitting if names[k] == manifest.output]
    if len(fitting) != 1:
        advice = (
            "Name the embedding: output in the manifest." if len(fitting) > 1 else "Correct dimension in the manifest."
        )
        raise ManifestError(f"{manifest.file} has {listed}; the manifest says dimension {manifest.dimension}. {advice}")
    return fitting[0]


def _holds(shape: tuple[int, ...], batch: int, dimension: int) -> bool:
    """Whether an output is one embedding per face: (batch, d), (batch, d, 1, 1), (batch, 1, 1, d); (d,) for one face."""
    faces, *values = shape if len(shape) > 1 else (1, *shape)
    return faces in (batch, -1) and max(values, default=0) == dimension == int(np.prod(values))


def _output_shapes(manifest: Manifest, engine: Engine) -> list[tuple[int, ...]]:
    """As the file declares them; where it leaves more than the batch open, as a call gives them."""
    declared = [spec.shape for spec in engine.outputs]
    if all(shape and -1 not in shape[1:] for shape in declared):
        return declared
    blank = np.zeros(manifest.pixels.shape, np.dtype(manifest.pixels.dtype))
    return [np.shape(output) for output in engine.run([blank])]


def _locate(name: str | Path) -> Path:
    path = Path(name)
    if path.is_dir():
        if not _manifests(path) and str(name) == path.name:  # a folder of photos that is called like a released model
            with contextlib.suppress(ManifestError):
                return _released(str(name))
        return only_manifest(path)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    return _released(str(name))


def _manifests(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if _looks_like_manifest(path))


def only_manifest(folder: Path) -> Path:
    """The manifest in a folder.

    Raises:
        ManifestError: there is none, or several.
    """
    found = _manifests(folder)
    if len(found) != 1:
        listed = ", ".join(path.name for path in found) or "none"
        raise ManifestError(f"Folder {folder} must hold exactly one manifest, found {listed}. Give the one you mean.")
    return found[0]


def _looks_like_manifest(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and {"file", "pixels"} <= value.keys()


def _released(name: str) -> Path:
    """A released model, out of the distribution that carries the weights."""
    try:
        models = import_module("edge_facenet_models")
    except ImportError as error:
        raise SetupError(
            f"There is no file {name}, and the released models are not installed. Type: pip install edge-facenet-models"
        ) from error
    try:
        return Path(models.path(name))
    except LookupError as error:
        raise ManifestError(f"There is no file {name}. {error.args[0]}") from error
