"""TensorFlow's fused batch normalisation says what Keras' layer says, and keeps the same statistics."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from edge_facenet.train import fused_norm
from edge_facenet.train.backbones import mobile

pytestmark = pytest.mark.skipif(not fused_norm.available(), reason="the fused layer is TensorFlow's")
CLOSE = 2e-4
"""Outputs are of size 1; float32 sums over up to 6 x 9 x 9 values in another order differ by some 1e-6, and 1/sqrt of a
variance near epsilon = 1e-3 can enlarge that 30-fold."""


def both(shape: tuple[int, ...]) -> tuple[keras.Layer, keras.Layer]:
    plain = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.9)
    fused = fused_norm.FusedBatchNormalization(epsilon=1e-3, momentum=0.9)
    for layer in (plain, fused):
        layer.build(shape)
        layer.set_weights([np.arange(1, shape[-1] + 1) / 3, np.linspace(-1, 1, shape[-1]), *layer.get_weights()[2:]])
    return plain, fused


@pytest.mark.parametrize("shape", [(6, 9, 9, 5), (8, 5), (3, 1, 1, 5)])
def test_training_and_inference_are_equal(shape: tuple[int, ...]) -> None:
    import tensorflow as tf

    plain, fused = both(shape)
    rng = np.random.default_rng(0)
    for _ in range(4):
        x = tf.constant(rng.normal(2, 3, shape).astype(np.float32))
        weight = tf.constant(rng.normal(size=shape).astype(np.float32))
        results = []
        for layer in (plain, fused):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
                loss = tf.reduce_sum(y * weight)
            results.append((y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])))
        for a, b in zip(*results, strict=True):
            # gradients of gamma and beta are sums over all places: relative to their size
            assert np.abs(a - b).max() < CLOSE * max(1.0, float(np.abs(a).max()))
    for a, b in zip(plain.get_weights(), fused.get_weights(), strict=True):
        assert np.abs(a - b).max() < CLOSE
    x = rng.normal(2, 3, shape).astype(np.float32)
    assert np.abs(plain(x, training=False) - fused(x, training=False)).max() < CLOSE


def test_a_twin_has_the_weights_in_the_same_order_and_the_same_outputs() -> None:
    model = mobile.build(size=32, width=0.25, dimension=16)
    twin = fused_norm.training_twin(model, "float32", fused=True)
    kinds = {type(layer) for layer in twin.layers}
    assert fused_norm.FusedBatchNormalization in kinds
    assert keras.layers.BatchNormalization not in kinds
    assert [tuple(v.shape) for v in twin.weights] == [tuple(v.shape) for v in model.weights]
    x = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    assert np.abs(np.asarray(model(x)) - np.asarray(twin(x))).max() < 1e-4
    assert np.abs(np.asarray(model(x, training=True)) - np.asarray(twin(x, training=True))).max() < 1e-2


def test_a_bfloat16_twin_keeps_float32_weights() -> None:
    model = mobile.build(size=32, width=0.25, dimension=16)
    twin = fused_norm.training_twin(model, "mixed_bfloat16", fused=True)
    assert {v.dtype for v in twin.weights} == {"float32"}
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights(), strict=True))


def test_frozen_layers_keep_their_statistics() -> None:
    plain, fused = both((8, 5))
    x = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    for layer in (plain, fused):
        layer.trainable = False
        before = layer.get_weights()
        layer(x, training=True)
        assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))


def test_a_normalisation_without_gamma_stays_ordinary() -> None:
    """Inception-ResNet has such ones; the kernel needs gamma and beta."""
    image = keras.Input((4, 4, 3))
    plain = keras.Model(image, keras.layers.BatchNormalization(scale=False)(image))
    twin = fused_norm.training_twin(plain, fused=True)
    assert type(twin.layers[-1]) is keras.layers.BatchNormalization
    assert twin(np.ones((2, 4, 4, 3), np.float32), training=True).shape == (2, 4, 4, 3)
