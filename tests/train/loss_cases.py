"""Every loss once: in keras.ops (float32, either backend) and as a slow sum in NumPy (float64), as a function of the rows.

Run as a program it writes values and gradients of the backend in use: loss_cases.py OUT.npz.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS, DIMENSION, PEOPLE = 12, 6, 4
LABELS = np.repeat(np.arange(PEOPLE), 3).astype(np.int32)
MARGIN, SCALE, SMOOTHING = 0.2, 8.0, 0.1
_rng = np.random.default_rng(20)
EMBEDDINGS = _rng.normal(size=(ROWS, DIMENSION))
DIRECTIONS = _rng.normal(size=(DIMENSION, PEOPLE))
CENTRES = _rng.normal(size=(PEOPLE, DIMENSION)) * 0.3
CHANCE = _rng.random((ROWS, ROWS))
TEACHER = _rng.normal(size=(ROWS, DIMENSION))
MINERS = ("random", "semi-hard", "hardest", "batch-hard")
MARGINS = {"none": 0.0, "arcface": 0.5, "cosface": 0.35}


def in_keras() -> dict[str, Callable[[Any], Any]]:
    """name -> rows (n, d), raw -> scalar."""
    from keras import ops

    from edge_facenet.train import distil, losses, miners

    labels = ops.convert_to_tensor(LABELS)
    directions = losses.unit(ops.transpose(ops.convert_to_tensor(DIRECTIONS.astype(np.float32))))
    teacher = losses.unit(ops.convert_to_tensor(TEACHER.astype(np.float32)))
    chance = ops.convert_to_tensor(CHANCE.astype(np.float32))
    centres = ops.convert_to_tensor(CENTRES.astype(np.float32)[LABELS])

    def triplet(rows: Any, name: str) -> Any:
        distances = losses.squared_distances(losses.unit(rows))
        negatives, pairs = miners.MINERS[name](distances, labels, chance)
        return losses.triplet(distances, negatives, pairs, MARGIN)[0]

    def softmax(rows: Any, kind: str) -> Any:
        cosines = ops.matmul(losses.unit(rows), ops.transpose(directions))
        logits = SCALE * losses.with_margin(cosines, labels, kind, MARGINS[kind])
        return losses.smoothed_cross_entropy(logits, labels, SMOOTHING)

    return {
        **{f"triplet {name}": lambda rows, name=name: triplet(rows, name) for name in MINERS},
        **{f"softmax {kind}": lambda rows, kind=kind: softmax(rows, kind) for kind in MARGINS},
        "triplet offline": lambda rows: losses.mined_triplet(*ops.split(losses.unit(rows), 3), MARGIN)[0],
        "center": lambda rows: losses.center(losses.unit(rows), centres),
        "distil cosine": lambda rows: distil.cosine_term(losses.unit(rows), teacher),
        "distil relational": lambda rows: distil.relational_term(losses.unit(rows), teacher),
    }


def in_numpy() -> dict[str, Callable[[np.ndarray], float]]:
    """The same in float64, by loops."""
    return {
        **{f"triplet {name}": lambda rows, name=name: _triplet(rows, name) for name in MINERS},
        **{f"softmax {kind}": lambda rows, kind=kind: _softmax(rows, kind) for kind in MARGINS},
        "triplet offline": _offline,
        "center": lambda rows: float(0.5 * ((_unit(rows) - CENTRES[LABELS]) ** 2).sum(1).mean()),
        "distil cosine": lambda rows: float(1 - (_unit(rows) * _unit(TEACHER)).sum(1).mean()),
        "distil relational": _relational,
    }


def gradients() -> dict[str, np.ndarray]:
    """name -> (n, d) gradient by the backend in use, float32."""
    import keras

    rows, found = EMBEDDINGS.astype(np.float32), {}
    for name, loss in in_keras().items():
        if keras.backend.backend() == "jax":
            import jax

            found[name] = np.asarray(jax.grad(loss)(rows))
        else:
            import tensorflow as tf

            variable = tf.Variable(rows)
            with tf.GradientTape() as tape:
                value = loss(variable)
            found[name] = tape.gradient(value, variable).numpy()
    return found


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _triplet(rows: np.ndarray, name: str) -> float:
    e = _unit(rows)
    d = 2 - 2 * e @ e.T
    hinges = []
    for a in range(ROWS):
        positives = [p for p in range(ROWS) if p != a and LABELS[p] == LABELS[a]]
        if name == "batch-hard":
            positives = [max(positives, key=lambda p, a=a: d[a, p])]  # type: ignore[misc]
        hinges += [max(0.0, d[a, p] - d[a, _negative(d, a, p, name)] + MARGIN) for p in positives]
    return float(np.mean(hinges))


def _negative(d: np.ndarray, a: int, p: int, name: str) -> int:
    others = [n for n in range(ROWS) if LABELS[n] != LABELS[a]]
    if name == "random":
        return max(others, key=lambda n: CHANCE[a, n])
    if name == "semi-hard":
        beyond = [n for n in others if d[a, n] > d[a, p]]
        return min(beyond, key=lambda n: d[a, n]) if beyond else max(others, key=lambda n: d[a, n])
    return min(others, key=lambda n: d[a, n])


def _softmax(rows: np.ndarray, kind: str) -> float:
    cosines = _unit(rows) @ _unit(DIRECTIONS.T).T
    for row, label in enumerate(LABELS):
        angle = np.arccos(cosines[row, label])
        if kind == "cosface":
            cosines[row, label] -= MARGINS[kind]
        elif kind == "arcface":
            inside = angle + MARGINS[kind] < np.pi
            turned = np.cos(angle + MARGINS[kind])
            cosines[row, label] = turned if inside else np.cos(angle) - MARGINS[kind] * np.sin(MARGINS[kind])
    logits = SCALE * cosines
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    wanted = np.full(logits.shape, SMOOTHING / PEOPLE)
    wanted[np.arange(ROWS), LABELS] += 1 - SMOOTHING
    return float(-(wanted * log_p).sum(1).mean())


def _offline(rows: np.ndarray) -> float:
    a, p, n = np.split(_unit(rows), 3)
    return float(np.maximum(0, ((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + MARGIN).mean())


def _relational(rows: np.ndarray) -> float:
    student, teacher = _unit(rows), _unit(TEACHER)
    total = 0.0
    for i in range(ROWS):
        for j in range(ROWS):
            total += (i != j) * float(student[i] @ student[j] - teacher[i] @ teacher[j]) ** 2
    return 10 * total / ROWS**2


if __name__ == "__main__":
    np.savez(sys.argv[1], **gradients())  # type: ignore[arg-type]
