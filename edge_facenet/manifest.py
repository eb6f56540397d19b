"""What an artifact is: a model file and the manifest beside it.

Inside the file, sealed behind the graph, stands what can never change without changing the network (`Facts`): a zip
trailer in TFLite (as TFLite Metadata carries associated files), a `metadata_props` entry in ONNX. Both are appended
bytes, so the graph's own bytes stay as the converter wrote them. Beside it, `NAME.json` (`Manifest`) holds what was
measured, bound by sha256. A lone file embeds; it does not decide.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from . import files
from .engines.base import is_tflite
from .errors import ManifestError, OutputError, ThresholdError
from .pixels import PixelSpec
from .schema import doc, from_json, to_json

SCHEMA_VERSION = 1
RECIPES = ("fp32", "fp16", "int8", "dynamic", "int16x8", "mixed")
_ENTRY = "edge_facenet.json"
_ONNX_KEY = b"edge_facenet"


@dataclass(frozen=True)
class Facts:
    """What is sealed inside the model file."""

    schema: int = doc("version of this schema")
    family: str = doc("backbone, by its name in the registry")
    dimension: int = doc("length of an embedding")
    pixels: PixelSpec = doc("from crop to input tensor")
    template: str = doc("alignment template of the crops")
    margin: int = doc("px kept around the template on each side, at the template's own 112 px")
    unit_output: bool = doc("whether the output is already of unit length")
    recipe: str = doc("fp32 fp16 int8 dynamic int16x8 mixed")
    distance: Literal["cosine"] = doc("how two embeddings are compared", "cosine")


@dataclass(frozen=True)
class Cost:
    """What the network costs to run."""

    muladds: int = doc("multiply-adds of convolutions and dense layers, per face; FLOPs are twice this")
    parameters: int = doc("numbers learned or kept by the float network")
    bytes: int = doc("size of the model file")


@dataclass(frozen=True)
class Parity:
    """How far the artifact is from the float network it was made of."""

    crops: int = doc("faces embedded by both")
    cosine_min: float = doc("lowest cosine between the two embeddings of one face")
    cosine_mean: float = doc("mean of these cosines")
    pairs: int = doc("pairs compared")
    accuracy_difference: float = doc("balanced accuracy of the artifact minus the float network's, percentage points")
    interval: tuple[float, float] = doc(
        "95 % bootstrap interval of that difference, over identities, percentage points"
    )


@dataclass(frozen=True)
class Threshold:
    """One operating point: same person when cosine > `cosine`."""

    far: float = doc("share of impostor pairs accepted, nominal")
    cosine: float | None = doc(
        "cosine similarity above which two faces are one person; absent when not measurable", None
    )
    interval: tuple[float, float] | None = doc("95 % bootstrap interval of the cosine, over identities", None)
    tar: float | None = doc("share of genuine pairs accepted at this threshold", None)
    note: str | None = doc("why it is not measurable", None)


@dataclass(frozen=True)
class Thresholds:
    """The operating points of this very file, and the pairs they come from."""

    source: str = doc("data the pairs come from; its identities are never trained on")
    identities: int = doc("people")
    genuine: int = doc("pairs of one person")
    impostor: int = doc("pairs of two people")
    at: tuple[Threshold, ...] = doc("one per false accept rate")

    def cosine(self, far: float) -> float:
        """The threshold at `far`.

        Raises:
            ThresholdError: this rate was not derived, or is not measurable with these pairs.
        """
        for point in self.at:
            if abs(point.far - far) <= 1e-9 * far:
                if point.cosine is None:
                    raise ThresholdError(f"No threshold at FAR {far:g}: {point.note}.")
                return point.cosine
        rates = ", ".join(f"{p.far:g}" for p in self.at)
        raise ThresholdError(f"No threshold at FAR {far:g} was derived for this artifact; it has {rates}.")


@dataclass(frozen=True)
class SelfTest:
    """Golden embeddings of the two synthetic faces that the package carries."""

    faces_sha256: str = doc("sha256 of the two faces' bytes, (2, 112, 112, 3) uint8 RGB")
    embeddings: tuple[tuple[float, ...], ...] = doc("one row per face, unit length")
    tolerance: dict[str, float] = doc("largest 1 - cosine allowed, per engine")


@dataclass(frozen=True)
class Provenance:
    """Where the weights come from and what may be done with them."""

    data: tuple[str, ...] = doc("training data, with terms")
    licence: str = doc("terms of the weights")
    initialisation: str = doc("random (seed), or the checkpoint started from")
    teachers: tuple[str, ...] = doc("networks whose outputs were learned from", ())
    preset: str | None = doc("preset and seed of the training", None)
    uses: str | None = doc("intended and forbidden uses, in one sentence", None)


@dataclass(frozen=True)
class Manifest:
    """An artifact. A hand-written one for a foreign network needs `file`, `pixels`, `template` and `dimension`."""

    file: str = doc("name of the model file, in the manifest's folder")
    pixels: PixelSpec = doc("from crop to input tensor")
    template: str = doc("alignment template of the crops")
    dimension: int = doc("length of an embedding")
    schema: int = doc("version of this schema", SCHEMA_VERSION)
    name: str | None = doc("name of the network", None)
    family: str | None = doc("backbone, by its name in the registry", None)
    recipe: str | None = doc("fp32 fp16 int8 dynamic int16x8 mixed", None)
    quantizer_recipe: str | None = doc("ai-edge-quantizer's name of the recipe", None)
    margin: int = doc("px kept around the template on each side, at the template's own 112 px", 0)
    unit_output: bool = doc("whether the output is already of unit length", False)
    distance: Literal["cosine"] = doc("how two embeddings are compared", "cosine")
    output: str | None = doc("name of the embedding among several outputs", None)
    sha256: str | None = doc("of the model file, trailer included", None)
    fingerprint: str | None = doc("sha256 of what makes embeddings comparable: graph, pixels, template, norm", None)
    cost: Cost | None = doc("what the network costs to run", None)
    parity: Parity | None = doc("against the float network", None)
    thresholds: Thresholds | None = doc("operating points of this very file", None)
    self_test: SelfTest | None = doc("golden embeddings", None)
    targets: tuple[str, ...] = doc("what the file was proven to run on", ())
    provenance: Provenance | None = doc("data, teachers, licence", None)
    versions: dict[str, str] | None = doc("packages it was made with", None)

    def facts(self) -> Facts | None:
        """What is, or would be, sealed inside; None for a foreign network."""
        if self.family is None or self.recipe is None:
            return None
        names = (f.name for f in dataclasses.fields(Facts))
        return Facts(**{name: getattr(self, name) for name in names})


def read(path: Path) -> Manifest:
    """Read and check a manifest. The model file is not opened.

    Raises:
        ManifestError: missing, not JSON, an unknown key, a wrong type, or a newer schema.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"Cannot read manifest {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ManifestError(f"Manifest {path} is not JSON: {error}.") from error
    version = value.get("schema", SCHEMA_VERSION) if isinstance(value, dict) else SCHEMA_VERSION
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ManifestError(
            f"Manifest {path} has schema {version}; this version reads up to {SCHEMA_VERSION}. Upgrade edge-facenet."
        )
    manifest = from_json(Manifest, value, f"manifest {path.name}", ManifestError)
    if Path(manifest.file).name != manifest.file:
        raise ManifestError(
            f"manifest {path.name}.file: must be a name in the manifest's own folder, found {manifest.file!r}."
        )
    return manifest


def open_artifact(path: Path) -> tuple[Manifest, bytes]:
    """Read an artifact by its manifest or by its lone model file, and prove that the two belong together.

    Returns:
        the manifest (of a lone file: its sealed facts alone) and the model file's bytes.
    Raises:
        ManifestError: damaged, foreign, or not an artifact.
    """
    if path.suffix != ".json":
        model = model_bytes(path)
        return _lone(path, model), model
    manifest = read(path)
    model = model_bytes(path.parent / manifest.file)
    if manifest.sha256 and (found := files.sha256(model)) != manifest.sha256:
        raise ManifestError(
            f"{manifest.file} is not the file that {path.name} describes: sha256 {found[:12]}…, manifest says "
            f"{manifest.sha256[:12]}…. It is damaged or belongs to another manifest; export or download it again."
        )
    sealed = unseal(model)[1]
    if sealed is not None and manifest.facts() is not None and sealed != manifest.facts():
        differing = [
            f.name for f in dataclasses.fields(Facts) if getattr(sealed, f.name) != getattr(manifest.facts(), f.name)
        ]
        raise ManifestError(
            f"{path.name} contradicts what is sealed inside {manifest.file}: {', '.join(differing)}. Do not edit either."
        )
    return manifest, model


def write(folder: Path, name: str, graph: bytes, manifest: Manifest) -> Path:
    """Seal `graph`, write the pair and return the manifest's path. Renaming the JSON into place is the commit.

    Args:
        name: the manifest becomes `NAME.json`, the model `NAME-xxxxxxxx.tflite` (eight digits of its sha256).
        graph: the converter's bytes; `manifest.file` gives the suffix (".tflite" or ".onnx").
    """
    facts = manifest.facts()
    if facts is None:
        raise ManifestError(f"Cannot seal {name}: a manifest without family and recipe describes a foreign network.")
    suffix = Path(manifest.file).suffix
    model = seal(graph, facts, suffix)
    digest = files.sha256(model)
    target = folder / f"{name}.json"
    previous = _previous_model(target)
    complete = dataclasses.replace(
        manifest, file=f"{name}-{digest[:8]}{suffix}", sha256=digest, fingerprint=fingerprint(model, manifest)
    )
    files.write_bytes(folder / complete.file, model)
    files.write_json(target, to_json(complete))
    if previous is not None and previous.name != complete.file:
        previous.unlink(missing_ok=True)
    return target


def seal(graph: bytes, facts: Facts, suffix: str) -> bytes:
    """`graph` with `facts` behind it; the same input gives the same bytes."""
    text = json.dumps(to_json(facts), sort_keys=True, separators=(",", ":")).encode()
    if suffix == ".onnx":
        entry = _field(1, _ONNX_KEY) + _field(2, text)
        return graph + _field(14, entry)  # ModelProto.metadata_props; protobuf merges appended repeated fields
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_ENTRY, (1980, 1, 1, 0, 0, 0)), text)
    return stream.getvalue()


def unseal(model: bytes) -> tuple[bytes, Facts | None]:
    """The graph's own bytes and the facts sealed behind them (None when there are none).

    Raises:
        ManifestError: facts are there but damaged.
    """
    found = _unseal_zip(model) if is_tflite(model) else _unseal_onnx(model)
    if found is None:
        return model, None
    graph, text = found
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ManifestError(f"The facts sealed inside the model file are damaged: {error}.") from error
    return graph, from_json(Facts, value, "facts sealed inside the model file", ManifestError)


def fingerprint(model: bytes, manifest: Manifest) -> str:
    """What makes embeddings comparable: hash of (graph without the trailer, PixelSpec, template, norm)."""
    makes = {
        "pixels": to_json(manifest.pixels),
        "template": manifest.template,
        "margin": manifest.margin,
        "unit_output": manifest.unit_output,
    }
    return files.sha256(unseal(model)[0] + files.canonical_json(makes).encode())


def model_bytes(path: Path) -> bytes:
    """The content of a model file.

    Raises:
        ManifestError: unreadable, or a Git LFS pointer, a web page or another kind of file in its place.
    """
    try:
        model = path.read_bytes()
    except OSError as error:
        raise ManifestError(f"Cannot read model file {path}: {error.strerror}.") from error
    head = model[:512].lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        raise ManifestError(f"{path} is a Git LFS pointer, not a model. Fetch the file itself: git lfs pull.")
    if head.startswith((b"<!doctype", b"<html")):
        raise ManifestError(f"{path} is a web page, not a model. Download the file itself again.")
    if path.suffix == ".tflite" and not is_tflite(model):
        raise ManifestError(f"{path} is not a TFLite model ({len(model)} bytes, no TFL3 mark).")
    return model


def _lone(path: Path, model: bytes) -> Manifest:
    facts = unseal(model)[1]
    if facts is None:
        raise ManifestError(
            f"{path} carries no facts of edge-facenet (pixels, template): it is damaged, or a foreign network. Write a manifest "
            f"for it, {path.stem}.json with file, pixels, template and dimension, and give that instead."
        )
    if facts.schema > SCHEMA_VERSION:
        raise ManifestError(
            f"{path} has schema {facts.schema}; this version reads up to {SCHEMA_VERSION}. Upgrade edge-facenet."
        )
    values = {f.name: getattr(facts, f.name) for f in dataclasses.fields(Facts)}
    lone = Manifest(file=path.name, sha256=files.sha256(model), **values)
    return dataclasses.replace(lone, fingerprint=fingerprint(model, lone))


def _previous_model(target: Path) -> Path | None:
    if not target.exists():
        return None
    try:
        return target.parent / read(target).file
    except ManifestError as error:
        raise OutputError(
            f"{target} exists and is not a manifest of this project ({error}). Move it away first."
        ) from error


def _unseal_zip(model: bytes) -> tuple[bytes, bytes] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            info = archive.getinfo(_ENTRY)
            return model[: info.header_offset], archive.read(info)
    except (zipfile.BadZipFile, KeyError):
        return None


def _unseal_onnx(model: bytes) -> tuple[bytes, bytes] | None:
    """Walk ModelProto's top-level fields (protobuf wire format) to our entry, which stands last."""
    position = 0
    try:
        while position < len(model):
            start = position
            tag, position = _varint(model, position)
            if tag & 7 == 0:
                _, position = _varint(model, position)
                continue
            if tag & 7 != 2:
                return None
            length, position = _varint(model, position)
            content, position = model[position : position + length], position + length
            prefix = _field(1, _ONNX_KEY)
            if tag >> 3 == 14 and content.startswith(prefix) and position == len(model):
                _, text_at = _varint(content, len(prefix) + 1)
                return model[:start], content[text_at:]
    except IndexError:
        return None
    return None


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value, shift, position = value | (byte & 0x7F) << shift, shift + 7, position + 1
        if byte < 0x80:
            return value, position


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return _encode(number << 3 | 2) + _encode(len(content)) + content


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def schema_documents() -> dict[str, Any]:
    """JSON Schemas generated from the dataclasses above, by file name (docs/schemas)."""
    from .schema import json_schema

    return {"manifest.json": json_schema(Manifest), "facts.json": json_schema(Facts)}
