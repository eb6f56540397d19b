"""The self-test: two synthetic faces, mixtures of many people's eigen-faces, that every artifact must tell apart."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.resources import files as resources

import numpy as np
import numpy.typing as npt

from . import files
from .errors import SelfTestFailed
from .manifest import SelfTest

Embeddings = npt.NDArray[np.float32]
DISTINCT = 1e-4
"""Least 1 - cosine between the two faces. Float rounding gives 1e-7, an int8 output 1e-5; two people are above 0.1."""


def selftest_faces() -> npt.NDArray[np.uint8]:
    """The two faces, (2, 112, 112, 3) uint8 RGB, cut to the ArcFace template without margin."""
    return _faces().copy()


def faces_sha256() -> str:
    """Hash of the two faces' bytes, as `SelfTest.faces_sha256` holds it."""
    return files.sha256(_faces().tobytes())


def golden(embeddings: Embeddings, tolerance: dict[str, float]) -> SelfTest:
    """The manifest's block for `embeddings`, (2, dimension) unit rows of the two faces; tolerance per engine."""
    rows = tuple(tuple(float(value) for value in row) for row in embeddings)
    return SelfTest(faces_sha256(), rows, dict(tolerance))


def run(
    embed: Callable[[npt.NDArray[np.uint8]], Embeddings], expected: SelfTest | None, engine: str
) -> tuple[float, ...]:
    """Embed the two faces and judge the result.

    Args:
        expected: golden embeddings; without them the faces must only be told apart.
        engine: name of the engine, for its tolerance.
    Returns:
        cosine of each face to its golden embedding; without golden embeddings the one cosine between the two faces.
    Raises:
        SelfTestFailed: with what was measured and what was expected.
    """
    found = embed(_faces()).astype(np.float64)
    between = float(found[0] @ found[1])
    if 1 - between < DISTINCT:
        raise SelfTestFailed(
            f"The network gives every face the same vector: cosine {between:.6f} between two different faces, at most "
            f"{1 - DISTINCT:.4f} is allowed. Its weights, or mean and scale in its manifest, are wrong."
        )
    if expected is None:
        return (between,)
    return _compare(found, expected, engine)


def _compare(found: npt.NDArray[np.float64], expected: SelfTest, engine: str) -> tuple[float, ...]:
    if expected.faces_sha256 != faces_sha256():
        raise SelfTestFailed(
            f"The golden embeddings belong to other faces ({expected.faces_sha256[:12]}…, this version carries "
            f"{faces_sha256()[:12]}…). Use the version of edge-facenet that made the artifact, or export it again."
        )
    wanted = np.array(expected.embeddings, np.float64)
    if wanted.shape != found.shape:
        raise SelfTestFailed(f"The golden embeddings are {wanted.shape}, this network gives {found.shape}.")
    if engine not in expected.tolerance:
        raise SelfTestFailed(
            f"The manifest has no tolerance for engine {engine} (it has {', '.join(sorted(expected.tolerance))}): it was never "
            "proven there. load(..., self_test=False) runs it unproven."
        )
    with np.errstate(invalid="ignore"):  # of a row of zeros
        cosines = tuple(float(c) for c in (found * wanted).sum(1) / np.linalg.norm(wanted, axis=1))
    limit = 1 - expected.tolerance[engine]
    if not all(cosine >= limit for cosine in cosines):  # `min` may pass over NaN
        raise SelfTestFailed(
            f"On engine {engine} the two known faces come out with cosines {cosines[0]:.6f} and {cosines[1]:.6f} to what the "
            f"manifest holds, at least {limit:.6f} is needed. Pixels, weights or the engine differ from the export's."
        )
    return cosines


@functools.cache
def _faces() -> npt.NDArray[np.uint8]:
    import io

    from PIL import Image

    content = resources("edge_facenet").joinpath("selftest_faces.png").read_bytes()
    side_by_side = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return np.stack(np.split(side_by_side, 2, axis=1))
