"""What an artifact is: a model file and the manifest beside it.

Inside the file, sealed behind the graph (`trailer`), stands what can never change without changing the network
(`Facts`), with a hash of both. Beside it, `NAME.json` (`Manifest`) holds what was measured, bound by sha256.
A lone file embeds; it does not decide.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from . import files, trailer
from .engines.base import is_tflite
from .errors import ManifestError, OutputError, ThresholdError
from .pixels import PixelSpec
from .schema import doc, from_json, json_schema, nearest, to_json

SCHEMA_VERSION = 1
RECIPES = ("fp32", "fp16", "int8", "dynamic", "int16x8", "mixed")
_SEAL = "seal"  # beside the facts, a hash of graph and facts: a lone file, too, proves that it is whole


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
        for point in (p for p in self.at if abs(p.far - far) <= 1e-9 * far):
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
    quantizer_recipe: str | None = doc("ai-edge-quantizer's name of the recipe; how long it was tuned", None)
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

    def __post_init__(self) -> None:
        if self.dimension < 1 or self.margin < 0:
            raise ValueError(
                f"dimension is at least 1 and margin at least 0, found {self.dimension} and {self.margin}."
            )
        if self.recipe is not None and self.recipe not in RECIPES:
            raise ValueError(f'"{self.recipe}" is no recipe ({nearest(self.recipe, RECIPES)}).')

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
        text = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ManifestError(f"Cannot read manifest {path!s}: {getattr(error, 'strerror', None) or error}.") from error
    manifest = from_json(Manifest, _parsed(text, f"manifest {path}"), f"manifest {path.name}", ManifestError)
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
    _check_sealed(path, manifest, model)
    return manifest, model


def _check_sealed(path: Path, manifest: Manifest, model: bytes) -> None:
    sealed = unseal(model)[1]
    said = {f.name: getattr(manifest, f.name) for f in dataclasses.fields(Facts)}
    differing = [n for n, v in said.items() if sealed is not None and v not in (None, getattr(sealed, n))]
    if manifest.fingerprint not in (None, fingerprint(model, manifest)):
        differing.append("fingerprint")
    if differing:
        raise ManifestError(
            f"{path.name} contradicts what is sealed inside {manifest.file}: {', '.join(differing)}. Do not edit either."
        )


def write(folder: Path, name: str, graph: bytes, manifest: Manifest) -> Path:
    """Seal `graph`, write the pair and return the manifest's path. Renaming the JSON into place is the commit.

    Args:
        name: the manifest becomes `NAME.json`, the model `NAME-xxxxxxxx.tflite` (eight digits of its sha256).
        graph: the converter's bytes; `manifest.file` gives the suffix (".tflite" or ".onnx").
    """
    facts = manifest.facts()
    if Path(name).name != name or not name:
        raise OutputError(f"Cannot write an artifact named {name!r}: a name has no slashes and is not empty.")
    if facts is None:
        raise ManifestError(f"Cannot seal {name}: a manifest without family and recipe describes a foreign network.")
    suffix = Path(manifest.file).suffix
    model = seal(graph, facts)
    digest = files.sha256(model)
    target = folder / f"{name}.json"
    previous = named(folder).get(target.name)
    if previous is None and target.exists():
        raise OutputError(f"{target} exists and is not a manifest of this project. Move it away first.")
    complete = dataclasses.replace(
        manifest, file=f"{name}-{digest[:8]}{suffix}", sha256=digest, fingerprint=fingerprint(model, manifest)
    )
    files.write_bytes(folder / complete.file, model)
    files.write_json(target, to_json(complete))
    if previous and previous.startswith(f"{name}-") and previous not in named(folder).values():
        (folder / previous).unlink(missing_ok=True)
    return target


def named(folder: Path) -> dict[str, str]:
    """The model file that each readable manifest of a folder names, by the manifest's own name."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(ManifestError):
            found[path.name] = read(path).file
    return found


def seal(graph: bytes, facts: Facts) -> bytes:
    """`graph` with `facts` behind it, and a hash of both; the same input gives the same bytes."""
    value = to_json(facts)
    return trailer.append(graph, _compact({**value, _SEAL: files.sha256(graph + _compact(value))}))


def unseal(model: bytes) -> tuple[bytes, Facts | None]:
    """The graph's own bytes and the facts sealed behind them (None when there are none).

    Raises:
        ManifestError: the facts or the graph are damaged.
    """
    graph, text = trailer.split(model)
    if text is None:
        return graph, None
    value = _parsed(text, "what is sealed inside the model file")
    digest = value.pop(_SEAL, None) if isinstance(value, dict) else None
    facts = from_json(Facts, value, "facts sealed inside the model file", ManifestError)
    if digest != files.sha256(graph + _compact(value)):
        raise ManifestError("The model file is damaged: it is not what was sealed. Download or export it again.")
    return graph, facts


def _compact(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


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
    except (OSError, ValueError) as error:
        raise ManifestError(f"Cannot read model file {path!s}: {getattr(error, 'strerror', None) or error}.") from error
    head = model[:512].lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        raise ManifestError(f"{path} is a Git LFS pointer, not a model. Fetch the file itself: git lfs pull.")
    if head.startswith((b"<!doctype", b"<html")):
        raise ManifestError(f"{path} is a web page, not a model. Download the file itself again.")
    if path.suffix == ".tflite" and not is_tflite(model):
        raise ManifestError(f"{path} is not a TFLite model ({len(model)} bytes, no TFL3 mark).")
    return model


def _parsed(text: bytes, what: str) -> Any:
    """JSON of a schema this version knows."""
    try:
        value = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"Cannot read {what}: it is damaged, or not JSON ({error}).") from error
    version = value.get("schema", SCHEMA_VERSION) if isinstance(value, dict) else SCHEMA_VERSION
    if isinstance(version, int) and not 1 <= version <= SCHEMA_VERSION:
        raise ManifestError(
            f"Cannot read {what}: it has schema {version}, this version reads 1 to {SCHEMA_VERSION}. Upgrade edge-facenet."
        )
    return value


def _lone(path: Path, model: bytes) -> Manifest:
    facts = unseal(model)[1]
    if facts is None:
        raise ManifestError(
            f"{path} carries no facts of edge-facenet (pixels, template): it is damaged, or a foreign network. Write a manifest "
            f"for it, {path.stem}.json with file, pixels, template and dimension, and give that instead."
        )
    values = {f.name: getattr(facts, f.name) for f in dataclasses.fields(Facts)}
    lone = Manifest(file=path.name, sha256=files.sha256(model), **values)
    return dataclasses.replace(lone, fingerprint=fingerprint(model, lone))


def schema_documents() -> dict[str, Any]:
    """JSON Schemas generated from the dataclasses above, by file name (docs/schemas)."""
    facts = json_schema(Facts)
    text = (
        "sha256 of the graph's bytes followed by these facts as JSON, keys sorted, without spaces and without this key"
    )
    facts["properties"][_SEAL] = {"type": "string", "description": text}
    facts["required"].append(_SEAL)
    return {"manifest.json": json_schema(Manifest), "facts.json": facts}
