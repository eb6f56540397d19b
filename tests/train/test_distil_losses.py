"""Distillation's losses and optimiser against NumPy."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import ops

from edge_facenet.train.distil import cosine_term, relational_term
from edge_facenet.train.optimizers import MuonAdamW, orthogonalised, wants_muon

TOLERANCE = 2e-6
"""float32 sums of at most 32 x 24 products of numbers below 1: rounding 6e-8 each, in the mean far below this."""


def unit(n: int, d: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def cosine_oracle(a: np.ndarray, b: np.ndarray) -> float:
    return 1 - float(np.mean([float(x @ y) for x, y in zip(a.astype(float), b.astype(float), strict=True)]))


def relational_oracle(a: np.ndarray, b: np.ndarray) -> float:
    a, b, total = a.astype(float), b.astype(float), 0.0
    for i in range(len(a)):
        for j in range(len(a)):
            if i != j:
                total += (float(a[i] @ a[j]) - float(b[i] @ b[j])) ** 2
    return 10 * total / len(a) ** 2


@pytest.mark.parametrize("n", [2, 3, 32])
def test_terms_agree_with_numpy(n: int) -> None:
    a, b = unit(n, 24, 1), unit(n, 24, 2)
    assert float(cosine_term(a, b)) == pytest.approx(cosine_oracle(a, b), abs=TOLERANCE)
    assert float(relational_term(a, b)) == pytest.approx(relational_oracle(a, b), abs=10 * TOLERANCE)


def test_a_perfect_student_has_no_loss_and_a_turned_one_only_the_cosine() -> None:
    a = unit(16, 24, 1)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(24, 24)))[0].astype(np.float32)
    assert float(cosine_term(a, a)) == pytest.approx(0, abs=TOLERANCE)
    assert float(relational_term(a, a)) == pytest.approx(0, abs=TOLERANCE)
    assert float(relational_term(a @ turn, a)) == pytest.approx(0, abs=10 * TOLERANCE)
    assert float(cosine_term(a @ turn, a)) > 0.5


def newton_schulz_oracle(g: np.ndarray) -> np.ndarray:
    """On the matrix itself, in float64, as published."""
    x = g.reshape(-1, g.shape[-1]).astype(float)
    scale = 0.2 * max(x.shape) ** 0.5
    x = x / (np.linalg.norm(x) + 1e-7)
    if turned := x.shape[0] < x.shape[1]:
        x = x.T
    for _ in range(5):
        gram = x.T @ x
        x = x @ (3.4445 * np.eye(len(gram)) - 4.7750 * gram + 2.0315 * gram @ gram)
    return (x.T if turned else x).reshape(g.shape) * scale


@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (3, 3, 16, 16), (1, 1, 4, 32)])
def test_orthogonalised_agrees_with_numpy(shape: tuple[int, ...]) -> None:
    g = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    found = np.asarray(ops.convert_to_numpy(orthogonalised(ops.convert_to_tensor(g))))
    # float32 through five matrix polynomials whose gain is at most 3.4445 each: 6e-8 x 3.4^5 x sqrt(n) stays below 1e-3
    assert np.abs(found - newton_schulz_oracle(g)).max() < 1e-3
    singular = np.linalg.svd(found.reshape(-1, shape[-1]), compute_uv=False) / (
        0.2 * max(np.prod(shape[:-1]), shape[-1]) ** 0.5
    )
    assert singular.min() > 0.3  # the published coefficients bring singular values into 0.68..1.13, tiny ones lower
    assert singular.max() < 1.3


def test_muon_is_for_ordinary_convolutions_only() -> None:
    kernel = keras.Variable(np.zeros((3, 3, 4, 8)))
    depthwise, dense = keras.Variable(np.zeros((5, 5, 8, 1))), keras.Variable(np.zeros((8, 4)))
    assert [wants_muon(v) for v in (kernel, depthwise, dense)] == [True, False, False]


def test_steps_agree_with_numpy() -> None:
    """Three steps of both halves, weight decay included, against a float64 rewrite."""
    rng = np.random.default_rng(0)
    starts = {"kernel": rng.normal(size=(3, 3, 2, 4)), "dense": rng.normal(size=(6, 4)), "gamma": rng.normal(size=4)}
    variables = {name: keras.Variable(value.astype(np.float32), name=name) for name, value in starts.items()}
    optimizer = MuonAdamW(1e-2, weight_decay=0.1, clip=5.0)
    optimizer.build(list(variables.values()))
    now = {name: value.astype(float) for name, value in starts.items()}
    first = {name: np.zeros_like(value) for name, value in now.items()}
    second = {name: np.zeros_like(value) for name, value in now.items()}
    for step in range(1, 4):
        gradients = {name: rng.normal(size=value.shape) * 3 for name, value in now.items()}
        optimizer.apply(
            [ops.convert_to_tensor(gradients[name].astype(np.float32)) for name in variables], list(variables.values())
        )
        for name, g in gradients.items():
            if name != "gamma":
                now[name] *= 1 - 1e-2 * 0.1
            if name == "kernel":
                first[name] = 0.95 * first[name] + g
                now[name] -= 1e-2 * newton_schulz_oracle(g + 0.95 * first[name])
                continue
            clipped = g * min(1.0, 5.0 / np.linalg.norm(g))
            first[name] += 0.1 * (clipped - first[name])
            second[name] += 0.01 * (clipped * clipped - second[name])
            mean, square = first[name] / (1 - 0.9**step), second[name] / (1 - 0.99**step)
            now[name] -= 1e-2 * mean / (np.sqrt(square) + 1e-6 / np.sqrt(1 - 0.99**step))
    for name, variable in variables.items():
        # a step is 1e-2 times something near 1; float32 keeps 1e-7 of it, the Newton-Schulz polynomials 1e-4
        assert np.abs(np.asarray(variable.numpy()) - now[name]).max() < 2e-5, name


def test_plain_adamw_when_muon_is_off() -> None:
    rng = np.random.default_rng(1)
    value, gradient = rng.normal(size=(3, 3, 2, 4)).astype(np.float32), rng.normal(size=(3, 3, 2, 4)).astype(np.float32)
    ours, theirs = keras.Variable(value), keras.Variable(value)
    a = MuonAdamW(1e-2, weight_decay=0.0, clip=1e9, muon=False)
    b = keras.optimizers.AdamW(1e-2, weight_decay=0.0, beta_2=0.99, epsilon=1e-6)
    for optimizer, variable in ((a, ours), (b, theirs)):
        optimizer.build([variable])
        for _ in range(3):
            optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
    assert np.abs(ours.numpy() - theirs.numpy()).max() < 1e-6


def test_muon_without_a_clip_leaves_gradients_as_they_are() -> None:
    rng = np.random.default_rng(2)
    value, gradient = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(6, 4)).astype(np.float32)
    found = []
    for clip in (math.inf, 1e9):
        variable, optimizer = keras.Variable(value, name="dense"), MuonAdamW(1e-2, weight_decay=0.0, clip=clip)
        optimizer.build([variable])
        optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
        found.append(variable.numpy())
    assert np.isfinite(found[0]).all() and np.array_equal(*found)
