"""Checkpoint -> artifacts: count, convert, count again, parity, thresholds, self-test, write.

Every gate of every artifact has passed before anything is written, and what stood there before stays whole until the new
manifests are renamed into place. Killed at any moment, the same command gives the same files.
"""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_facenet import manifest
from edge_facenet.budget import Budget
from edge_facenet.embedder import load, selftest_faces
from edge_facenet.errors import InputError, ParityFailed, ThresholdError, UnusableEmbedding
from edge_facenet.manifest import Cost, Manifest
from edge_facenet.photos.cropset import CropSet
from edge_facenet.schema import doc
from edge_facenet.selftest import golden
from edge_facenet.train.checkpoint import Restored, load_embedder
from edge_facenet.verification import cosines, derive

from . import gates, output, parity
from .calibrate import DEFAULT_FACES
from .convert import convert
from .describe import Description, describe, soup_of
from .recipes import RECIPES, TUNE_BATCH, TUNE_FACES, Recipe
from .source import PROOF_FACES, Source, gather

OnProgress = Callable[[int, int], None]
OnMessage = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What to make of a run."""

    recipes: tuple[Recipe, ...] = doc("which artifacts", tuple(RECIPES.values()))
    name: str = doc("first part of the artifacts' names; empty = the backbone's", "")
    budget: Budget = doc("upper limits", Budget())
    calibration_faces: int = doc("faces that set the ranges of int8", DEFAULT_FACES)
    proof_faces: int = doc("most faces that parity and thresholds are measured on", PROOF_FACES)
    licence: str = doc("terms of the weights", "not stated: the terms of the training photos apply")
    data: tuple[str, ...] = doc("more about the training data, its terms above all", ())
    other_crops: bool = doc("whether the crop set may be another than the one trained on", False)


def export(
    run: Path,
    crops: Path,
    out: Path,
    options: Options = Options(),
    on_progress: OnProgress | None = None,
    on_message: OnMessage | None = None,
) -> list[Path]:
    """Make the artifacts of a run's newest checkpoint.

    Args:
        run: folder of a training. crops: sealed crop set holding its people. out: folder, made when missing.
        on_progress: told (tuning steps and artifacts done, both in all).
        on_message: told of damaged checkpoints that are passed over.
    Returns:
        the manifests' paths, in the recipes' order.
    Raises:
        InputError: no checkpoint, a crop set that was not trained on, or one without the split's people.
        GateError: a gate refused (BudgetExceeded, ParityFailed, SelfTestFailed, ThresholdError, …).
        OutputError: `out` cannot be written; what was there before is untouched.
    """
    cropset = CropSet.open(crops)
    restored = load_embedder(run, on_message)
    name = options.name or restored.backbone
    output.check_place(out, [f"{name}-{recipe.suffix}" for recipe in options.recipes])
    _check_crops(restored, cropset, options)
    tuning_faces = min(TUNE_FACES, TUNE_BATCH * max((recipe.tune_steps for recipe in options.recipes), default=0))
    source = gather(restored, cropset, options.calibration_faces, options.proof_faces, tuning_faces)
    options.budget.check_muladds(source.costs, restored.backbone)
    description = describe(restored, cropset, name, options.licence, options.data, soup_of(run))
    total = sum(recipe.tune_steps + 1 for recipe in options.recipes)
    done = itertools.count(1)

    def advance() -> None:
        if on_progress:
            on_progress(next(done), total)

    passed = []
    for recipe in options.recipes:
        graph = convert(recipe, source, advance)
        passed.append((f"{name}-{recipe.suffix}", graph, prove(graph, recipe, source, description, options.budget)))
        advance()
    return output.write(out, passed)


def _check_crops(restored: Restored, crops: CropSet, options: Options) -> None:
    """By the names alone, people of another crop set could be others, or those held out have been trained on."""
    if restored.crops != crops.sha256 and not options.other_crops:
        raise InputError(
            f"The crop set has changed since step {restored.step}: the run was trained on sha256 {restored.crops[:16]}, {crops.path} "
            f"is {crops.sha256[:16]}. Give the crop set it was trained on, or --other-crops if this one holds the same people."
        )


def prove(graph: bytes, recipe: Recipe, source: Source, description: Description, budget: Budget) -> Manifest:
    """Run every gate on a converted file, in a place of its own.

    Returns:
        the manifest with everything measured.
    Raises:
        GateError: the first gate that refuses; nothing was written.
    """
    try:
        return _proven(graph, recipe, source, description, budget)
    except (UnusableEmbedding, ThresholdError) as error:
        what = f"{description.name}-{recipe.suffix}"
        raise ParityFailed(f"{what} gives no embeddings to compare: {error} Nothing was written.") from error


def _proven(graph: bytes, recipe: Recipe, source: Source, description: Description, budget: Budget) -> Manifest:
    what = f"{description.name}-{recipe.suffix}"
    gates.same_count(graph, source.costs, what)
    delegated = gates.delegation(graph, what)
    draft = description.manifest(recipe, source)
    with tempfile.TemporaryDirectory(prefix="edge-facenet-") as place:
        path = manifest.write(Path(place), what, graph, draft)
        embedder = load(path, self_test=False)
        found = embedder.embed(source.faces)
        measured = parity.measure(found, source.embeddings, source.pairs)
        parity.check(measured, recipe, what)
        size = (path.parent / embedder.manifest.file).stat().st_size
        budget.check_bytes(size, what)
        complete = dataclasses.replace(
            draft,
            cost=Cost(sum(layer.muladds for layer in source.costs), source.parameters, size),
            parity=measured,
            thresholds=derive(cosines(found, source.pairs), source.pairs, description.source),
            self_test=golden(embedder.embed(selftest_faces()), recipe.tolerance),
            targets=delegated,
        )
        load(manifest.write(Path(place), what, graph, complete))  # its own self-test
    return complete
