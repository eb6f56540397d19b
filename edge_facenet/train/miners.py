"""Which triplets of a batch are compared; static shapes, keras.ops only. (Mining over many batches: `offline`.)

A miner takes (n, n) squared distances, (n,) labels and (n, n) numbers of chance in 0..1 (None where it needs none), and
returns two (n, n) arrays: for the pair (a, p) the distance from a to the negative chosen, and which pairs count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

Miner = Callable[..., tuple[Any, Any]]
FAR = 1e6  # beyond every distance: squared distances of unit rows are within 0..4


def same_and_positive(labels: Any) -> tuple[Any, Any]:
    """(n,) labels -> (n, n) bool: same identity; same identity and another row."""
    same = ops.equal(labels[:, None], labels[None, :])
    other_row = ops.logical_not(ops.cast(ops.eye(labels.shape[0]), "bool"))
    return same, ops.logical_and(same, other_row)


def all_positives(miner: Callable[[Any, Any], Any]) -> Miner:
    """A miner out of a choice of negatives: every anchor-positive pair counts."""
    return lambda distances, labels, chance=None: (miner(distances, labels), same_and_positive(labels)[1])


def random(distances: Any, labels: Any, chance: Any) -> tuple[Any, Any]:
    """Any negative of the anchor, one for all its pairs: the one with the highest number of chance."""
    same, positive = same_and_positive(labels)
    chosen = ops.argmax(ops.where(same, -1.0, chance), axis=1)
    negatives = ops.take_along_axis(distances, chosen[:, None], axis=1)
    return ops.broadcast_to(negatives, distances.shape), positive


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
    """The nearest negative of all, for every pair."""
    negative = ops.logical_not(same_and_positive(labels)[0])
    nearest = ops.min(ops.where(negative, distances, FAR), axis=1, keepdims=True)
    return ops.broadcast_to(nearest, distances.shape)


def batch_hard(distances: Any, labels: Any, chance: Any = None) -> tuple[Any, Any]:
    """One triplet an anchor: its furthest positive (the first of equals) and its nearest negative.

    Source: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification" (2017), equation 5.
    """
    positive = same_and_positive(labels)[1]
    furthest = ops.argmax(ops.where(positive, distances, -FAR), axis=1)
    chosen = ops.cast(ops.one_hot(furthest, distances.shape[1], dtype="float32"), "bool")
    return hardest(distances, labels), ops.logical_and(chosen, positive)


MINERS: dict[str, Miner] = {
    "random": random,
    "semi-hard": all_positives(semi_hard),
    "hardest": all_positives(hardest),
    "batch-hard": batch_hard,
}
