"""Where the limits of every recipe lie: what is just inside passes, what is just outside is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from edge_facenet_export import parity
from edge_facenet_export.recipes import RECIPES

from edge_facenet import selftest
from edge_facenet.errors import ParityFailed, SelfTestFailed
from edge_facenet.manifest import Parity

LOSS = {
    "fp32": {"cosine_mean": 1e-6, "cosine_min": 1e-6, "points": 0.1},
    "fp16": {"cosine_mean": 5e-5, "cosine_min": 2e-4, "points": 0.25},
    "int8": {"cosine_mean": 0.02, "cosine_min": 0.10, "points": 1.0},
}
"""1 - cosine, and percentage points, that each recipe may lose."""
FLOAT = {"litert": 1e-5, "tflite-runtime": 1e-5, "litert-gpu": 1e-3}
APART = {
    "fp32": FLOAT,
    "fp16": FLOAT,
    "int8": {"litert": 1e-3, "tflite-runtime": 0.03, "litert-gpu": 0.03},
    "fp32-onnx": {"onnxruntime": 1e-5},
    "int8-onnx": {"onnxruntime": 0.03},
}
"""1 - cosine to the golden embedding that each engine may have."""
WORDS = {"cosine_mean": "mean cosine", "cosine_min": "lowest cosine", "points": "accuracy"}
FLAWLESS = Parity(30, 1.0, 1.0, 435, 0.0, (0.0, 0.0))


def lost(what: str, amount: float) -> Parity:
    """A measurement in which nothing but this is lost."""
    if what == "points":
        return replace(FLAWLESS, interval=(-100.0, -amount))
    return replace(FLAWLESS, **{what: 1 - amount})


@pytest.mark.parametrize("what", sorted(WORDS))
@pytest.mark.parametrize("suffix", sorted(APART))
def test_parity_passes_within_a_recipe_s_limit_and_refuses_beyond_it(suffix: str, what: str) -> None:
    recipe = RECIPES[suffix]
    limit = LOSS[recipe.name][what]
    parity.check(lost(what, 0.9 * limit), recipe, "x")
    with pytest.raises(ParityFailed, match=WORDS[what]) as refused:
        parity.check(lost(what, 1.1 * limit), recipe, "x")
    assert [word for word in WORDS.values() if f"{word} " in str(refused.value)] == [WORDS[what]]


def test_every_recipe_s_limits_are_looked_at() -> None:
    assert {suffix: set(recipe.tolerance) for suffix, recipe in RECIPES.items()} == {
        suffix: set(engines) for suffix, engines in APART.items()
    }
    assert {recipe.name for recipe in RECIPES.values()} == set(LOSS)


@pytest.mark.parametrize("face", [0, 1])
@pytest.mark.parametrize(("suffix", "engine"), [(suffix, engine) for suffix in APART for engine in APART[suffix]])
def test_the_self_test_bears_what_a_recipe_allows_an_engine_and_no_more(suffix: str, engine: str, face: int) -> None:
    axes = np.eye(3)
    expected = selftest.golden(axes[:2].astype("f4"), RECIPES[suffix].tolerance)

    def tilted(apart: float) -> np.ndarray:
        """The golden rows, one of them turned until 1 - cosine is `apart`."""
        rows = axes[:2].copy()
        rows[face] = (1 - apart) * axes[face] + np.sqrt(1 - (1 - apart) ** 2) * axes[2]
        return rows

    allowed = APART[suffix][engine]
    cosines = selftest.run(lambda _: tilted(0.9 * allowed), expected, engine)
    assert cosines[face] == pytest.approx(1 - 0.9 * allowed, abs=1e-12)
    with pytest.raises(SelfTestFailed, match=engine):
        selftest.run(lambda _: tilted(1.1 * allowed), expected, engine)
