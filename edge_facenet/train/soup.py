"""The mean of the weights of several trainings that began with the same ones: often better than the best of them, for nothing.

Networks trained on from one another, or from one ancestor, mostly lie in one basin, and the mean of their weights deeper in it.

Source: Wortsman et al., "Model soups" (2022), the uniform soup.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..errors import ConfigError, InputError, OutputError
from ..schema import doc, from_json, to_json
from ..verification import write_split
from . import checkpoint
from .config import TrainConfig

SOUP = "soup.json"
LEAST_COSINE = 0.5
"""Between the kernels of two runs. Those of strangers are at right angles (0.00); of the stages of `mobile` 0.8 and more."""


@dataclass(frozen=True)
class Ingredient:
    """One training."""

    run: str = doc("name of its folder")
    step: int = doc("updates done")
    seed: int = doc("its seed")
    start_from: str = doc("what it began with")
    cosine: float = doc("of its kernels to those of the first")


@dataclass(frozen=True)
class Soup:
    """What `soup.json` holds."""

    ingredients: tuple[Ingredient, ...] = doc("all of equal weight, in the order given")


def mix(runs: Sequence[Path], out: Path) -> Soup:
    """Write a run's folder whose one checkpoint holds the mean of the newest (averaged) weights of `runs`.

    It can be exported, packed and begun with, but not trained on: it has no optimiser. Statistics of batch normalisation are
    averaged like the rest.

    Args:
        runs: two or more, of one network and one split of the people.
        out: new, or an empty folder.
    Raises:
        ConfigError: fewer than two, or different networks.
        InputError: no checkpoint, other people held out, or weights that have nothing in common.
        OutputError: `out` is not empty, or not writable.
    """
    if len(runs) < 2:
        raise ConfigError("A soup needs at least two runs.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} is there already. Give a new folder.")
    first, *others = restored = [checkpoint.load_embedder(run) for run in runs]
    settings = [from_json(TrainConfig, one.config, str(run)) for one, run in zip(restored, runs, strict=True)]
    for run, one, config in zip(runs[1:], others, settings[1:], strict=True):
        if _shape(config) != _shape(settings[0]):
            raise ConfigError(
                f"{run} holds {_shape(config)}, {runs[0]} {_shape(settings[0])}: a soup is of one network."
            )
        if one.split != first.split:
            raise InputError(
                f"{run} and {runs[0]} hold out other people: who is held out in one was trained on in the other. "
                "Give runs of one split."
            )
    weights = [[np.asarray(weight) for weight in one.model.weights] for one in restored]
    soup = Soup(tuple(_ingredient(*each, weights[0]) for each in zip(runs, restored, settings, weights, strict=True)))
    _refuse_strangers(soup)
    first.model.set_weights([np.mean(alike, axis=0, dtype=np.float64) for alike in zip(*weights, strict=True)])
    newest = checkpoint.newest(runs[-1])
    assert newest is not None
    files.write_json(out / "config.json", to_json(dataclasses.replace(settings[-1], average=0.0)))
    write_split(out / "split.json", first.split)
    files.write_json(out / SOUP, to_json(soup))
    checkpoint.save_weights(out, first.model, checkpoint.State(newest.state.step, {}, newest.state.crops))
    return soup


def _shape(config: TrainConfig) -> str:
    net = config.backbone
    return f"{net.name} at {net.size} px, width {net.width:g}, {net.dimension}-D"


def _ingredient(
    run: Path, one: checkpoint.Restored, config: TrainConfig, own: list[Any], first: list[Any]
) -> Ingredient:
    return Ingredient(run.name, one.step, config.seed, config.backbone.start_from, round(_cosine(own, first), 4))


def _cosine(a: Sequence[Any], b: Sequence[Any]) -> float:
    """Of all matrices and convolutions as one vector: biases and statistics are alike in strangers, too."""
    one, other = (np.concatenate([w.ravel() for w in each if w.ndim >= 2], dtype=np.float64) for each in (a, b))
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def _refuse_strangers(soup: Soup) -> None:
    for one in soup.ingredients[1:]:
        if one.cosine < LEAST_COSINE:
            raise InputError(
                f"{one.run} and {soup.ingredients[0].run} have nothing in common (cosine of their kernels {one.cosine:.2f}): their "
                "mean would be no network. Give runs that began with the same weights (--init-from)."
            )
