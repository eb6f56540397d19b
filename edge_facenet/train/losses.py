"""Losses in keras.ops: the same lines run under TensorFlow and JAX. All are computed in float32, whatever came in.

Embeddings given to the losses are unit rows (see `unit`). Labels are integers and never pass through a float, so that
a class number above a half float's range stays itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

# Below this squared length a row counts as zero: its direction is undefined and its gradient must be 0, not infinite.
LEAST_SQUARE = 1e-12


def unit(rows: Any) -> Any:
    """Rows of length 1: (n, d) any float type -> (n, d) float32. A zero row stays zero, with gradient 0."""
    rows = ops.cast(rows, "float32")
    square = ops.sum(ops.square(rows), axis=-1, keepdims=True)
    sound = square > LEAST_SQUARE
    return rows * ops.where(sound, ops.rsqrt(ops.where(sound, square, 1.0)), 0.0)


def smoothed_cross_entropy(logits: Any, labels: Any, smoothing: float) -> Any:
    """Mean cross-entropy against (1 - smoothing) on the label and smoothing / classes on every class.

    Args:
        logits: (n, classes).
        labels: (n,) int32.
        smoothing: 0..1.
    Source: Szegedy et al., "Rethinking the Inception Architecture" (2015), section 7.
    """
    log_p = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    own = ops.squeeze(ops.take_along_axis(log_p, ops.cast(labels, "int32")[:, None], axis=-1), axis=-1)
    return -ops.mean((1.0 - smoothing) * own + smoothing * ops.mean(log_p, axis=-1))


def squared_distances(embeddings: Any) -> Any:
    """(n, d) unit rows -> (n, n) squared L2 distances, 2 - 2 cos, within 0..4."""
    return ops.maximum(2.0 - 2.0 * ops.matmul(embeddings, ops.transpose(embeddings)), 0.0)


def triplet(distances: Any, negatives: Any, positive: Any, margin: float) -> tuple[Any, Any]:
    """Mean hinge over all anchor-positive pairs, and the share of them that is active.

    Args:
        distances: (n, n) squared distances, anchors in rows.
        negatives: (n, n) distance from anchor a to the negative chosen for the pair (a, p).
        positive: (n, n) bool, same identity and not the same row.
        margin: in squared distance.
    Returns:
        loss (), active share () 0..1; both 0 when there is no pair.
    Source: Schroff, Kalenichenko, Philbin, "FaceNet" (2015), equation 3.
    """
    weight = ops.cast(positive, "float32")
    hinge = ops.relu(distances - negatives + margin) * weight
    pairs = ops.maximum(ops.sum(weight), 1.0)
    return ops.sum(hinge) / pairs, ops.sum(ops.cast(hinge > 0, "float32")) / pairs


def l2(kernels: Sequence[Any]) -> Any:
    """Half the sum of squares over `kernels` (convolution and dense weights; no bias, no normalisation).

    With a factor w its gradient is w times the weight: what FaceNet's implementations call weight decay.
    """
    return 0.5 * sum((ops.sum(ops.square(ops.cast(kernel, "float32"))) for kernel in kernels), ops.zeros(()))


def mean_cosine(embeddings: Any) -> Any:
    """Mean cosine between different unit rows of a batch, -1..1: near 1 when everybody has the same embedding."""
    count = embeddings.shape[0]
    total = ops.sum(ops.square(ops.sum(embeddings, axis=0))) - ops.sum(ops.square(embeddings))
    return total / max(count * (count - 1), 1)
