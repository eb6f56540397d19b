"""Gradients of every loss: TensorFlow against finite differences in float64, JAX against TensorFlow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import loss_cases
import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

STEP = 1e-6
"""Of the central difference: its own error is about STEP squared, and rounding of the loss over STEP, 1e-10."""
RELATIVE = 1e-4  # the issue's; float32 sums of a few hundred terms reach about 1e-6


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    """Gradients by TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow here")
    return loss_cases.gradients()


def _finite_differences(name: str) -> np.ndarray:
    loss, wanted = loss_cases.in_numpy()[name], np.empty_like(loss_cases.EMBEDDINGS)
    for place in np.ndindex(wanted.shape):
        there, back = loss_cases.EMBEDDINGS.copy(), loss_cases.EMBEDDINGS.copy()
        there[place] += STEP
        back[place] -= STEP
        wanted[place] = (loss(there) - loss(back)) / (2 * STEP)
    return wanted


def _away(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def test_every_case_has_its_oracle() -> None:
    assert set(loss_cases.in_keras()) == set(loss_cases.in_numpy())


@pytest.mark.parametrize("name", sorted(loss_cases.in_numpy()))
def test_value_and_gradient(found: dict[str, np.ndarray], name: str) -> None:
    value = float(loss_cases.in_keras()[name](loss_cases.EMBEDDINGS.astype(np.float32)))
    assert value == pytest.approx(loss_cases.in_numpy()[name](loss_cases.EMBEDDINGS), abs=1e-5)
    wanted = _finite_differences(name)
    assert np.linalg.norm(wanted) > 0.01, "a case without a gradient proves nothing"
    assert _away(found[name], wanted) < RELATIVE


def test_jax_has_tensorflow_s_gradients(found: dict[str, np.ndarray], tmp_path: Path) -> None:
    pytest.importorskip("jax")
    out = tmp_path / "jax.npz"
    here = Path(loss_cases.__file__)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(here.parent)}
    subprocess.run([sys.executable, str(here), str(out)], env=environment, check=True, timeout=250)
    with np.load(out) as other:
        assert set(other.files) == set(found)
        for name in other.files:
            assert _away(other[name], found[name]) < RELATIVE, name


def test_losses_and_miners_pass_their_oracles_under_jax() -> None:
    """The whole of test_train_losses.py once more, with the other backend."""
    pytest.importorskip("jax")
    tests = Path(__file__).with_name("test_train_losses.py")
    words = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-p", "no:cacheprovider", str(tests)]
    done = subprocess.run(
        words, env={**os.environ, "KERAS_BACKEND": "jax"}, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) > 20  # all but those that take TensorFlow's gradients
