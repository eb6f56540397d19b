"""Muon for convolution kernels, AdamW for the rest: one optimiser, in `keras.ops`, alike on every backend.

Source: K. Jordan, "Muon: an optimizer for hidden layers" (2024) for the orthogonalised momentum and the coefficients of
the Newton-Schulz step; Liu et al., "Muon is Scalable" (2025), section 2.2 for the update's scale 0.2 sqrt(max(dims)).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


def orthogonalised(gradient: Any) -> Any:
    """The nearest semi-orthogonal matrix (roughly), scaled so that the update's root mean square is about 0.2.

    The Newton-Schulz steps are carried out on the small Gram matrix, so a wide kernel costs two products with itself.

    Args:
        gradient: (..., out) float32; all axes but the last are one.
    """
    shape = tuple(gradient.shape)
    rows, columns = 1, shape[-1]
    for extent in shape[:-1]:
        rows *= extent
    x = ops.reshape(gradient, (rows, columns))
    x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
    tall = rows >= columns
    gram = ops.matmul(ops.transpose(x), x) if tall else ops.matmul(x, ops.transpose(x))
    unit = ops.eye(min(rows, columns), dtype=gram.dtype)
    product, (a, b, c) = unit, NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        polynomial = a * unit + b * gram + c * ops.matmul(gram, gram)
        product = ops.matmul(product, polynomial)
        gram = ops.matmul(ops.matmul(polynomial, gram), polynomial)
    x = ops.matmul(x, product) if tall else ops.matmul(product, x)
    return ops.reshape(x, shape) * (0.2 * max(rows, columns) ** 0.5)


def wants_muon(variable: Any) -> bool:
    """True for kernels of ordinary convolutions: four axes, more than one output per input channel."""
    return len(variable.shape) == 4 and variable.shape[-1] > 1


class MuonAdamW(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Nesterov momentum 0.95, orthogonalised, on convolution kernels; AdamW on all else.

    Weight decay is decoupled and times the learning rate; normalisations' gamma and beta are excluded. `clip` bounds
    the norm of each AdamW gradient; Muon needs none, its update has one size.
    """

    momentum = 0.95
    beta_1, beta_2 = 0.9, 0.99
    epsilon = 1e-6

    def __init__(
        self, learning_rate: Any = 1e-2, weight_decay: float = 0.02, clip: float = 5.0, muon: bool = True
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, name="muon_adamw")
        self.clip, self.muon = clip, muon
        self.exclude_from_weight_decay(var_names=["gamma", "beta"])

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self._first = [self.add_variable_from_reference(v, name="momentum") for v in variables]
        self._second = [
            None if self._is_muon(v) else self.add_variable_from_reference(v, name="velocity") for v in variables
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        slot = self._get_variable_index(variable)
        if self._is_muon(variable):
            self._muon_step(gradient, variable, rate, self._first[slot])
        else:
            self._adam_step(gradient, variable, rate, (self._first[slot], self._second[slot]))

    def _is_muon(self, variable: Any) -> bool:
        return self.muon and wants_muon(variable)

    def _muon_step(self, gradient: Any, variable: Any, rate: Any, momentum: Any) -> None:
        self.assign(momentum, self.momentum * momentum + gradient)
        self.assign_sub(variable, rate * orthogonalised(gradient + self.momentum * momentum))

    def _adam_step(self, gradient: Any, variable: Any, rate: Any, slots: tuple[Any, Any]) -> None:
        first, second = slots
        if math.isfinite(self.clip):
            norm = ops.sqrt(ops.sum(ops.square(gradient)))
            gradient = gradient * (self.clip / ops.maximum(norm, self.clip))
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (ops.square(gradient) - second) * (1 - self.beta_2))
        step = ops.cast(self.iterations + 1, variable.dtype)
        scale = ops.sqrt(1 - ops.power(ops.cast(self.beta_2, variable.dtype), step))
        scale = rate * scale / (1 - ops.power(ops.cast(self.beta_1, variable.dtype), step))
        self.assign_sub(variable, first * scale / (ops.sqrt(second) + self.epsilon))
