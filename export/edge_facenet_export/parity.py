"""The parity gate: the artifact, run as users run it, still says what the float network says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_facenet.errors import ParityFailed
from edge_facenet.manifest import Parity
from edge_facenet.verification import Pairs, bootstrap, compare, cosines

from .recipes import Recipe

Embeddings = npt.NDArray[np.float32]
UNKNOWN = (-100.0, 100.0)
"""Interval of a difference of which nothing is known: fewer than three people."""


def measure(found: Embeddings, wanted: Embeddings, pairs: Pairs, seed: int = 0) -> Parity:
    """How far `found` is from `wanted`.

    Args:
        found, wanted: (n, d) unit rows of the same faces, by the artifact and by the float network.
        pairs: of these rows.
        seed: of the resampling.
    """
    each = (found.astype(np.float64) * wanted).sum(axis=1)
    difference = compare(cosines(found, pairs), cosines(wanted, pairs), pairs, seed)
    least = round(float(each.min()), 7)  # seven digits: below them stands the float32 rounding of the embeddings
    interval = _rounded(difference.interval or UNKNOWN)
    if interval[0] == interval[1] and least < 1:  # few people seen prove nothing of others, unless the networks are one
        span, _ = bootstrap.difference(np.array([interval[0]]), pairs.genuine_identities)
        interval = _rounded(span or UNKNOWN)
    return Parity(
        crops=len(found),
        cosine_min=least,
        cosine_mean=round(float(each.mean()), 7),
        pairs=len(pairs),
        accuracy_difference=round(difference.points, 4),
        interval=interval,
    )


def check(parity: Parity, recipe: Recipe, what: str) -> None:
    """Hold a measurement against the recipe's limits.

    Raises:
        ParityFailed: names every limit that is missed, with limit and figure.
    """
    missed, limits = [], recipe.limits
    if not parity.cosine_mean >= limits.cosine_mean:
        missed.append(f"mean cosine {parity.cosine_mean:.6f} (at least {limits.cosine_mean:g})")
    if not parity.cosine_min >= limits.cosine_min:
        missed.append(f"lowest cosine {parity.cosine_min:.6f} (at least {limits.cosine_min:g})")
    if not parity.interval[1] >= -limits.points:
        missed.append(
            f"accuracy {parity.accuracy_difference:+.2f} points, 95 % interval up to {parity.interval[1]:+.2f} "
            f"(loss of at most {limits.points:g})"
        )
    if missed:
        raise ParityFailed(
            f"{what} no longer says what the float network says on {parity.crops} faces: {'; '.join(missed)}. Nothing was "
            f"written; {_advice(recipe)}"
        )


def _rounded(interval: tuple[float, float]) -> tuple[float, float]:
    return round(interval[0], 4), round(interval[1], 4)


def _advice(recipe: Recipe) -> str:
    if recipe.name == "int8":
        return "train longer, calibrate with more faces (--calibration-faces), or use fp16."
    return "report this: the conversion is wrong." if recipe.name == "fp32" else "use fp32."
