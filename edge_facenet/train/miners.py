"""Which negative an anchor-positive pair is compared with, chosen within the batch; static shapes, keras.ops only.

A miner takes (n, n) squared distances and (n,) labels and returns (n, n): for the pair (a, p) the distance from a to
the negative chosen. Entries of pairs that are not positive mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

FAR = 1e6  # beyond every distance: squared distances of unit rows are within 0..4


def same_and_positive(labels: Any) -> tuple[Any, Any]:
    """(n,) labels -> (n, n) bool: same identity; same identity and another row."""
    same = ops.equal(labels[:, None], labels[None, :])
    other_row = ops.logical_not(ops.cast(ops.eye(labels.shape[0]), "bool"))
    return same, ops.logical_and(same, other_row)


def semi_hard(distances: Any, labels: Any) -> Any:
    """The nearest negative that is further than the positive; when there is none, the furthest negative.

    Memory: n^3 numbers. Source: Schroff et al., "FaceNet" (2015), section 3.2 and equation 4; the way out for anchors
    without such a negative is the one of TensorFlow Addons' triplet_semihard_loss.
    """
    negative = ops.logical_not(same_and_positive(labels)[0])
    to_positive, to_negative = distances[:, :, None], distances[:, None, :]
    beyond = ops.logical_and(negative[:, None, :], to_negative > to_positive)
    nearest_beyond = ops.min(ops.where(beyond, to_negative, FAR), axis=2)
    furthest = ops.max(ops.where(negative, distances, -FAR), axis=1, keepdims=True)
    return ops.where(ops.any(beyond, axis=2), nearest_beyond, furthest)


def hardest(distances: Any, labels: Any) -> Any:
    """The nearest negative of all. Source: Hermans et al., "In Defense of the Triplet Loss" (2017), for negatives."""
    negative = ops.logical_not(same_and_positive(labels)[0])
    nearest = ops.min(ops.where(negative, distances, FAR), axis=1, keepdims=True)
    return ops.broadcast_to(nearest, distances.shape)


MINERS: dict[str, Callable[[Any, Any], Any]] = {"semi-hard": semi_hard, "hardest": hardest}
