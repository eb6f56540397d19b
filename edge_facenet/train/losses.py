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
LEAST_SINE_SQUARE = 1e-6
"""At cos = 1 and -1 the sine's gradient is infinite; within 0.06 degrees of them it is taken as 0."""


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


def with_margin(cosines: Any, labels: Any, kind: str, margin: Any) -> Any:
    """Cosines (n, classes) with the own class's made harder by `margin`; the others stay.

    Args:
        labels: (n,) int32.
        kind: "none"; "arcface": cos(angle + margin); "cosface": cos - margin.
        margin: (), radians for ArcFace, a cosine for CosFace; may be a tensor that rises during warm-up.
    Source: Deng et al., "ArcFace" (2019), equation 3; beyond angle + margin = pi the line cos - margin sin(margin) goes on,
    which keeps the loss falling with the angle (as the authors' code does). Wang et al., "CosFace" (2018), equation 4.
    """
    if kind == "none":
        return cosines
    margin = ops.cast(margin, "float32")
    own = ops.cast(ops.one_hot(ops.cast(labels, "int32"), cosines.shape[-1], dtype="float32"), "bool")
    if kind == "cosface":
        return ops.where(own, cosines - margin, cosines)
    square = 1.0 - ops.square(cosines)
    inner = square > LEAST_SINE_SQUARE
    sines = ops.where(inner, ops.sqrt(ops.where(inner, square, 1.0)), 0.0)
    turned = cosines * ops.cos(margin) - sines * ops.sin(margin)
    turned = ops.where(cosines > -ops.cos(margin), turned, cosines - margin * ops.sin(margin))
    return ops.where(own, turned, cosines)


def center(embeddings: Any, centres: Any) -> Any:
    """Half the mean squared distance of each embedding to its identity's centre: (n, d), (n, d) -> ().

    The centres are constants here: they follow by `heads.Centres.move`, not by gradient.
    Source: Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition" (2016), equation 2.
    """
    return 0.5 * ops.mean(ops.sum(ops.square(embeddings - ops.stop_gradient(centres)), axis=-1))


def mined_triplet(anchors: Any, positives: Any, negatives: Any, margin: float) -> tuple[Any, Any]:
    """Mean hinge over triplets that were chosen beforehand, (m, d) unit rows each, and the share of them that is active.

    Source: Schroff, Kalenichenko, Philbin, "FaceNet" (2015), equation 3.
    """
    to_positive = 2.0 - 2.0 * ops.sum(anchors * positives, axis=-1)
    to_negative = 2.0 - 2.0 * ops.sum(anchors * negatives, axis=-1)
    hinge = ops.relu(to_positive - to_negative + margin)
    return ops.mean(hinge), ops.mean(ops.cast(hinge > 0, "float32"))


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
