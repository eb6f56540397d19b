"""What a manifest says about a network that no measurement can find out."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from edge_facenet import __version__
from edge_facenet.manifest import Manifest, Provenance
from edge_facenet.photos.cropset import CropSet
from edge_facenet.pixels import PixelSpec
from edge_facenet.train.checkpoint import Restored

from .recipes import Recipe
from .source import Source

USES = (
    "For recognising people who agreed to it, on a device that keeps their data; not for surveillance, and not for any decision "
    "about a person without a human who checks it."
)
_PACKAGES = {
    "tflite": ("tensorflow", "tensorflow-cpu", "keras", "ai-edge-litert", "ai-edge-quantizer", "numpy"),
    "onnx": ("tensorflow", "tensorflow-cpu", "keras", "tf2onnx", "onnx", "onnxruntime", "numpy"),
}


@dataclass(frozen=True)
class Description:
    """Name, origin and terms, the same for all recipes of one export."""

    name: str
    family: str
    template: str
    margin: int
    source: str  # of the thresholds' pairs, in words
    provenance: Provenance

    def manifest(self, recipe: Recipe, source: Source) -> Manifest:
        """The manifest before anything is measured."""
        return Manifest(
            file=f"{self.name}.{recipe.format}",
            pixels=pixels(recipe, source.size),
            template=self.template,
            dimension=source.dimension,
            name=self.name,
            family=self.family,
            recipe=recipe.name,
            quantizer_recipe=_quantizer(recipe),
            margin=self.margin,
            unit_output=True,
            provenance=self.provenance,
            versions=versions(recipe.format),
        )


def _quantizer(recipe: Recipe) -> str | None:
    words = [recipe.quantizer] if recipe.quantizer else []
    if recipe.tune_steps:
        words.append(f"tuned for {recipe.tune_steps} steps")
    return ", ".join(words) or None


def pixels(recipe: Recipe, size: int) -> PixelSpec:
    """How this recipe's file takes a crop: (x - 128) / 128, int8 TFLite as `pixel XOR 0x80`."""
    if recipe.suffix == "int8":
        return PixelSpec(size, dtype="int8", quantization=(1 / 128, 0))
    return PixelSpec(size, layout="NHWC" if recipe.format == "tflite" else "NCHW")


def describe(restored: Restored, crops: CropSet, name: str, licence: str, data: tuple[str, ...] = ()) -> Description:
    """From a checkpoint and its crop set; `data` says more about the training data, its terms above all."""
    split, config = restored.split, restored.config
    people = f"{len(split.train)} people" if split.train else "unlabelled faces"
    return Description(
        name=name,
        family=restored.backbone,
        template=crops.template,
        # the network sees the template without the crop set's margin
        margin=0,
        source=f"{len(split.calibrate)} people of crop set {crops.path.resolve().name}, held out of training (calibrate)",
        provenance=Provenance(
            data=(f"{people} of crop set {crops.path.resolve().name}, sha256 {crops.sha256[:16]}", *data),
            licence=licence,
            initialisation=_initialisation(config),
            teachers=tuple(Path(t).stem for t in config.get("distil", {}).get("teachers", ())),
            preset=f"{config.get('objective')}, step {restored.step} of {config.get('steps')}, seed {config.get('seed')}",
            uses=USES,
        ),
    )


def versions(form: str) -> dict[str, str]:
    """Versions of the packages that made and proved a file."""
    found = {"edge-facenet": __version__}
    for package in _PACKAGES[form]:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # tensorflow or tensorflow-cpu: one of the two
            continue
    return found


def _initialisation(config: dict[str, Any]) -> str:
    start = config.get("backbone", {}).get("start_from")
    return f"weights of {Path(start).name}" if start else f"random (seed {config.get('seed')})"
