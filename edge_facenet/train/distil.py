"""The distillation objective: a student's embeddings are to point where the teacher's point.

Two terms. `cosine` pulls each embedding to its teacher's; alone, it first learns the common direction of each source of
photos, so that strangers of one source come too close. `relational` compares the batch's matrices of cosines, which
is what decides at low false accept rates.
Source of the second: Tung and Mori, "Similarity-Preserving Knowledge Distillation" (2019), equations 1 to 4, here with
unit embeddings and without the rows' normalisation.
"""

from __future__ import annotations

from typing import Any

from keras import ops

RELATIONAL_SCALE = 10.0
"""Brings the relational term to the cosine term's size; the weight set by users multiplies it."""


def unit(embeddings: Any) -> Any:
    """(n, d) rows of unit length, float32."""
    x = ops.cast(embeddings, "float32")
    return x / ops.maximum(ops.sqrt(ops.sum(ops.square(x), -1, keepdims=True)), 1e-6)


def cosine_term(student: Any, teacher: Any) -> Any:
    """1 - mean cosine between unit rows (n, d) of student and teacher; 0 to 2."""
    return 1.0 - ops.mean(ops.sum(student * teacher, -1))


def relational_term(student: Any, teacher: Any) -> Any:
    """10 x mean over all n^2 entries of the squared difference of the two matrices of cosines, the diagonal left out."""
    difference = ops.matmul(student, ops.transpose(student)) - ops.matmul(teacher, ops.transpose(teacher))
    off = 1.0 - ops.eye(student.shape[0] or ops.shape(student)[0], dtype="float32")
    return RELATIONAL_SCALE * ops.mean(ops.square(difference) * off)
