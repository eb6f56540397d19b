"""How alike two faces of an album must be: the manifest's thresholds, the number of faces, and the album's own kind.

Of n faces each meets n - 1 others. So that at most a share `wrong` of them finds a stranger above the threshold, even
where everybody is a stranger to everybody, a pair may err at FAR = 1 - (1 - wrong)^(1 / (n - 1)): about wrong / n. Pairs
grow with n^2, wrongly joined ones among strangers with n: always the same share of the album.

On photos of another kind than the manifest's (grey pictures, another camera, another population) strangers are more
alike. An album shows this itself: nearly all pairs across its groups are strangers. Their median, against the mean of
the manifest's strangers, moves threshold and floor up, never down. One person's album has no strangers in it; there the
median lies above the threshold of FAR 10 %, which no kind of photo met so far comes near (0.10 on two kinds against
0.15), and it is left unused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edge_facenet.errors import ConfigError, ThresholdError
from edge_facenet.gallery.decide import HIGHEST, PRIOR_WEIGHT
from edge_facenet.gallery.impostors import cosine_at, impostor_line, measured_points, z_of
from edge_facenet.manifest import Thresholds
from edge_facenet.schema import doc

from .linkage import Indices, Links, Rows

WRONG = 0.01
FLOOR_Z = 1.0
"""The floor lies one standard deviation above the manifest's mean stranger: 16 % of strangers are above it."""
SAMPLE = 2000
"""Faces among which the album's strangers are measured: two million pairs place their median within 0.001."""
_NO_STRANGERS_FAR, _DOUBT_FAR = 0.1, 0.01


@dataclass(frozen=True)
class AlbumThreshold:
    """When two groups of faces are one person."""

    cosine: float = doc("groups are joined when the cosine of their templates is above this")
    floor: float = doc("no two faces of a group have a cosine of this or less")
    doubt: float = doc("a pair of this or less within a group deserves a look: 1 % of strangers are as alike")
    wrong: float = doc("share of faces that may be joined with a stranger, asked for")
    far: float = doc("share of pairs of strangers that this allows")
    faces: int = doc("faces looked at")
    shift: float = doc("how much more alike strangers are in this album than in the manifest; part of cosine and floor")
    extrapolated: bool = doc("the rate is lower than any that the manifest's pairs support")
    why: str = doc("where the number comes from, one sentence")

    @property
    def links(self) -> Links:
        """For `agglomerate`."""
        return Links(self.cosine, self.floor)


def album_threshold(
    thresholds: Thresholds | None, faces: int, wrong: float = WRONG, shift: float = 0.0
) -> AlbumThreshold:
    """The threshold for an album of so many faces.

    Args:
        wrong: share of faces that may be joined with a stranger, between 0 and 1.
        shift: of `strangers_shift`.
    Raises:
        ThresholdError: fewer than two measured points in the manifest, or no useful threshold at this rate.
        ConfigError: `wrong` out of range.
    """
    if not 0 < wrong < 1:
        raise ConfigError(f"wrong is a share of faces between 0 and 1, found {wrong:g}. 0.01 is one in a hundred.")
    points = measured_points(thresholds)
    mean, spread = impostor_line(points)
    far = -math.expm1(math.log1p(-wrong) / max(faces - 1, 1))
    cosine = cosine_at(points, z_of(far)) + shift
    if cosine > HIGHEST:
        raise ThresholdError(
            f"{faces:,} faces with a share of {wrong:g} wrong need a similarity above {cosine:.2f}; the limit is "
            f"{HIGHEST}. Give a higher --wrong."
        )
    extrapolated = far < points[-1][0] * (1 - 1e-9)
    why = f"FAR {far:.1g} a pair, for {faces:,} faces of which {wrong:.1%} may be joined with a stranger"
    why += f", extrapolated beyond FAR {points[-1][0]:g}" if extrapolated else ""
    why += f"; strangers are {shift:.3f} more alike here than in the manifest" if shift else ""
    return AlbumThreshold(
        cosine=cosine,
        floor=mean + FLOOR_Z * spread + shift,
        doubt=cosine_at(points, z_of(_DOUBT_FAR)) + shift,
        wrong=wrong,
        far=far,
        faces=faces,
        shift=shift,
        extrapolated=extrapolated,
        why=why,
    )


def strangers_shift(embeddings: Rows, groups: Indices, thresholds: Thresholds | None) -> float:
    """How much more alike strangers are here than in the manifest, 0 when they are not or when there are none.

    Args:
        embeddings: (n, d) unit rows.
        groups: (n,) a first grouping.
    """
    points = measured_points(thresholds)
    mean, _ = impostor_line(points)
    last = len(embeddings) - 1
    chosen = np.unique(np.linspace(0, last, SAMPLE).astype(np.int64)) if last > 0 else np.zeros(0, np.int64)
    rows, of = embeddings[chosen], groups[chosen]
    scores = (rows @ rows.T)[of[:, None] != of]
    if not len(scores):
        return 0.0
    median = float(np.median(scores))
    if median > cosine_at(points, z_of(_NO_STRANGERS_FAR)):
        return 0.0
    count = len(np.unique(groups))
    pairs = count * (count - 1) / 2
    return max(0.0, pairs / (pairs + PRIOR_WEIGHT) * (median - mean))
