"""Weights that bear int8: the network learns, with weights and tensors rounded as for the file, to answer as before.

A hundred steps from the trained network, on faces of people trained on; no labels, no teacher but itself. A step forward
rounds, the step back does as if it did not (straight-through). Where a file gives several tensors one range (what average
pooling reads and makes, say, or in ONNX the parts of a concatenation), the rounding here is near the file's, not equal to it.

Sources: simulated quantization, Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-
Only Inference" (2018), section 3; learning from the float network's own answers, Polino et al., "Model compression via
distillation and quantization" (2018).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from edge_facenet.pixels import Pixels, PixelSpec

from .calibrate import Ranges
from .fold import folded
from .graph import LINEAR, UnitNorm, read_by, several
from .recipes import TUNE_BATCH

RATE = 0.01
"""Of the first step, in a weight's steps of int8; falls to nothing, so that a hundred of them move it by about half a step at most.

Half and twice that rate reach the same on the trained `mobile`.
"""

# Not rounded here: what makes no new values (pixels lie on their steps already), the norm, which stays float, and average
# pooling, whose result the file rounds in the steps of its input.
_SILENT = (
    *(layers.InputLayer, layers.Dropout, layers.Flatten, layers.Reshape, layers.ZeroPadding2D, UnitNorm),
    *(layers.MaxPooling2D, layers.AveragePooling2D),
)


def tuned(
    model: keras.Model,
    faces: Pixels,
    calibration: Pixels,
    steps: int,
    levels: int,
    on_step: Callable[[], None] = lambda: None,
) -> keras.Model:
    """A copy of `model`, normalisation folded in, whose int8 file comes nearer to what `model` answers.

    The same on the same processor with as many threads. Sets TensorFlow to deterministic operators.

    Args:
        model: functional, (None, s, s, 3) -> (None, d) of unit length.
        faces: (n, s, s, 3) uint8 RGB crops of people trained on: what is learned from, mirrored half of the time.
        calibration: (m, s, s, 3) crops that set the ranges of the tensors here, once; the file takes its own behind the last step.
        steps: of 32 faces each, at least 1; the rate falls to nothing over them (cosine).
        levels: of a weight on each side of zero, as the file will have them.
        on_step: called after each of them.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    network = folded(model)
    network.trainable = True
    spec = PixelSpec(int(model.input_shape[1]))
    rounding = _rounding(network, _ranges(network, spec.tensor(calibration)))
    kernels = {id(layer.kernel): _Kernel(layer, levels) for layer in network.layers if isinstance(layer, LINEAR)}
    learned = [kernel.learned for kernel in kernels.values()]
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    optimizer.build(learned)

    def step(images: Any, wanted: Any) -> None:
        with tf.GradientTape() as tape:
            weights = [kernels[id(v)].rounded() if id(v) in kernels else v.value for v in rounding.trainable_variables]
            fixed = [v.value for v in rounding.non_trainable_variables]
            found, _ = rounding.stateless_call(weights, fixed, images, training=False)
            loss = 1 - tf.reduce_mean(tf.reduce_sum(found * wanted, axis=-1))
        optimizer.apply(tape.gradient(loss, learned), learned)

    traced = tf.function(step, autograph=False)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        images = spec.tensor(_drawn(faces, rng))
        traced(images, model(images, training=False))
        on_step()
    for kernel in kernels.values():
        kernel.write_back()
    return network


class _Kernel:
    """A layer's kernel in units of its int8 steps when the learning began."""

    def __init__(self, layer: Any, levels: int) -> None:
        import tensorflow as tf

        self.kernel, self.levels = layer.kernel, levels
        # The axes that share a scale: all but the output channels'.
        self.axes = (0, 1) if isinstance(layer, layers.DepthwiseConv2D) else tuple(range(len(layer.kernel.shape) - 1))
        self.unit = self._step(layer.kernel.value)
        self.learned = tf.Variable(layer.kernel.value / self.unit)

    def rounded(self) -> Any:
        """As the file will hold it; the gradient is the kernel's own."""
        exact = self.learned * self.unit
        step = ops.stop_gradient(self._step(exact))
        return exact + ops.stop_gradient(ops.round(exact / step) * step - exact)

    def write_back(self) -> None:
        """Give the layer what was learned, not rounded: the converter rounds."""
        self.kernel.assign(self.learned * self.unit)

    def _step(self, kernel: Any) -> Any:
        """A step of int8 per output channel; of a channel of zeros a number of no matter."""
        largest = ops.max(ops.abs(kernel), axis=self.axes, keepdims=True)
        return ops.maximum(largest, np.finfo(np.float32).tiny * self.levels) / self.levels


class RoundedTensor(layers.Layer):  # type: ignore[misc]
    """What int8 keeps of a tensor; gradients pass where nothing is cut off."""

    def __init__(self, low: float, high: float, **more: Any) -> None:
        super().__init__(**more)
        self.low, self.high = low, high

    def call(self, tensor: Any) -> Any:
        """The same shape, 255 steps."""
        import tensorflow as tf

        return tf.quantization.fake_quant_with_min_max_args(tensor, self.low, self.high)


def _rounding(network: keras.Model, ranges: Ranges) -> keras.Model:
    """The same layers and weights, with tensors rounded."""

    def called(layer: Any, *given: Any, **more: Any) -> Any:
        found = layer(*given, **more)
        return RoundedTensor(*ranges[layer.name])(found) if layer.name in ranges else found

    return keras.models.clone_model(network, call_function=called, clone_function=lambda layer: layer)


def _ranges(network: keras.Model, images: npt.NDArray[np.generic]) -> Ranges:
    """Layer's name -> lowest and highest value of its output, zero among them, for the tensors that the file rounds."""
    within = read_by(network, layers.ReLU, layers.Activation, layers.Concatenate)
    kept = [layer for layer in network.layers if id(layer.output) not in within and not isinstance(layer, _SILENT)]
    watched = keras.Model(network.input, [layer.output for layer in kept])
    parts = [several(watched(images[at : at + TUNE_BATCH], training=False)) for at in range(0, len(images), TUNE_BATCH)]
    low = np.min([[float(ops.min(tensor)) for tensor in part] for part in parts], axis=0, initial=0)
    high = np.max([[float(ops.max(tensor)) for tensor in part] for part in parts], axis=0, initial=0)
    found = zip(kept, low, high, strict=True)
    return {layer.name: (float(a), float(b)) for layer, a, b in found if a < b}  # nothing to round where all is 0


def _drawn(faces: Pixels, rng: np.random.Generator) -> Pixels:
    chosen = faces[rng.integers(0, len(faces), TUNE_BATCH)]
    return np.where(rng.random(TUNE_BATCH)[:, None, None, None] < 0.5, chosen[:, :, ::-1], chosen)
