"""Checkpoint -> artifacts: count, convert, count again, parity, thresholds, self-test, write.

Every gate of every artifact has passed before anything is written, and what stood there before stays whole until the new
manifest is renamed into place. Killed at any moment, the same command gives the same files.
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
from edge_facenet.manifest import Cost, Manifest
from edge_facenet.photos.cropset import CropSet
from edge_facenet.schema import doc
from edge_facenet.selftest import golden
from edge_facenet.train.checkpoint import load_embedder
from edge_facenet.verification import cosines, derive

from . import gates, parity
from .calibrate import DEFAULT_FACES
from .convert import convert
from .describe import Description, describe
from .leftovers import check_place, tidy
from .recipes import RECIPES, TUNE_BATCH, TUNE_FACES, Recipe
from .source import PROOF_FACES, Source, gather

OnProgress = Callable[[int, int], None]


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


def export(
    run: Path, crops: Path, out: Path, options: Options = Options(), on_progress: OnProgress | None = None
) -> list[Path]:
    """Make the artifacts of a run's newest checkpoint.

    Args:
        run: folder of a training. crops: sealed crop set holding its people. out: folder, made when missing.
        on_progress: told (tuning steps and artifacts done, both in all).
    Returns:
        the manifests' paths, in the recipes' order.
    Raises:
        InputError: no checkpoint, or a crop set without the split's people.
        GateError: a gate refused (BudgetExceeded, ParityFailed, SelfTestFailed, ThresholdError, …).
        OutputError: `out` cannot be written; what was there before is untouched.
    """
    check_place(out)
    cropset = CropSet.open(crops)
    restored = load_embedder(run)
    tuning_faces = min(TUNE_FACES, TUNE_BATCH * max((recipe.tune_steps for recipe in options.recipes), default=0))
    source = gather(restored, cropset, options.calibration_faces, options.proof_faces, tuning_faces)
    options.budget.check_muladds(source.costs, restored.backbone)
    description = describe(restored, cropset, options.name or restored.backbone, options.licence, options.data)
    total = sum(recipe.tune_steps + 1 for recipe in options.recipes)
    done = itertools.count(1)

    def advance() -> None:
        if on_progress:
            on_progress(next(done), total)

    passed = []
    for recipe in options.recipes:
        graph = convert(recipe, source, advance)
        passed.append((recipe, graph, prove(graph, recipe, source, description, options.budget)))
        advance()
    written = [
        manifest.write(out, f"{description.name}-{recipe.suffix}", graph, proven) for recipe, graph, proven in passed
    ]
    tidy(out, written)
    return written


def prove(graph: bytes, recipe: Recipe, source: Source, description: Description, budget: Budget) -> Manifest:
    """Run every gate on a converted file, in a place of its own.

    Returns:
        the manifest with everything measured.
    Raises:
        GateError: the first gate that refuses; nothing was written.
    """
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
        budget.check("bytes", size, what)
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
