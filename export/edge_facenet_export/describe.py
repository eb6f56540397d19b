"""What a manifest says about a network that no measurement can find out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from edge_facenet import __version__
from edge_facenet.errors import InputError
from edge_facenet.manifest import Manifest, Provenance
from edge_facenet.photos.cropset import CropSet
from edge_facenet.pixels import PixelSpec
from edge_facenet.schema import from_json
from edge_facenet.train.checkpoint import Restored
from edge_facenet.train.soup import SOUP, Soup

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


def soup_of(run: Path) -> Soup | None:
    """What a run that is the mean of others was made of.

    Raises:
        InputError: its `soup.json` is damaged.
    """
    try:
        value = json.loads((run / SOUP).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot read {run / SOUP}: {error}. Make the soup again with `train soup`.") from error
    return from_json(Soup, value, str(run / SOUP), InputError)


def describe(
    restored: Restored,
    crops: CropSet,
    name: str,
    licence: str,
    data: tuple[str, ...] = (),
    soup: Soup | None = None,
) -> Description:
    """From a checkpoint and its crop set.

    Args:
        data: more about the training data, its terms above all.
        soup: the trainings whose mean it is; None for a single one.
    """
    split, config = restored.split, restored.config
    return Description(
        name=name,
        family=restored.backbone,
        template=crops.template,
        # the network sees the template without the crop set's margin
        margin=0,
        source=f"{len(split.calibrate)} people of crop set {crops.path.resolve().name}, held out of training (calibrate)",
        provenance=Provenance(
            data=(*_data(restored, crops), *data),
            licence=licence,
            initialisation=_initialisation(config, soup),
            teachers=tuple(Path(t).stem for t in config.get("distil", {}).get("teachers", ())),
            preset=f"{config.get('objective')}, {_trainings(restored, soup)}",
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


def _data(restored: Restored, crops: CropSet) -> tuple[str, ...]:
    people = f"{len(restored.split.train)} people" if restored.split.train else "unlabelled faces"
    given = f"crop set {crops.path.resolve().name}, sha256 {crops.sha256[:16]}"
    if restored.crops == crops.sha256:
        return (f"{people} of {given}",)
    return f"{people} of the crop set with sha256 {restored.crops[:16]}", f"exported with {given}"


def _initialisation(config: dict[str, Any], soup: Soup | None) -> str:
    alone = [(config.get("backbone", {}).get("start_from"), config.get("seed"))]
    begun = [(one.start_from, one.seed) for one in soup.ingredients] if soup else alone
    return "; ".join(
        dict.fromkeys(f"weights of {Path(start).name}" if start else f"random (seed {seed})" for start, seed in begun)
    )


def _trainings(restored: Restored, soup: Soup | None) -> str:
    if soup is None:
        return f"step {restored.step} of {restored.config.get('steps')}, seed {restored.config.get('seed')}"
    of = "; ".join(f"{one.run} (step {one.step}, seed {one.seed})" for one in soup.ingredients)
    return f"mean of {len(soup.ingredients)} trainings: {of}"
