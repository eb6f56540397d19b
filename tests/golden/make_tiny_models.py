"""Makes the tiny TFLite networks that the tests run: python tests/golden/make_tiny_models.py

Each is 3x3 convolution (8 channels, stride 2) -> ReLU -> mean over space -> dense 128, with seeded random weights:
`tiny-fp32.tflite` takes float32 pixels (x - 128) / 128, `tiny-int8.tflite` is whole int8 with input scale 1/128 and
zero point 0, and `tiny-two.tflite` has two outputs of one shape, "embedding" and "logits". `tiny-norm.tflite` is one
L2_NORMALIZATION between two additions, an operator no delegate takes. `tiny-batch.tflite` takes three faces at a call.
`edge_facenet/cli/doctor.*` adds 1. They are committed because TensorFlow takes seconds to import; the test suite needs
none of it to read them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

HERE = Path(__file__).parent
SIZE = 112


def network(outputs: tuple[str, ...]) -> keras.Model:
    keras.utils.set_random_seed(7)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    hidden = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    return keras.Model(image, {name: keras.layers.Dense(128, name=name)(hidden) for name in outputs})


def ranges() -> Iterator[list[np.ndarray]]:
    """Pictures from black to white: the input's range is then exactly -1 .. 127/128, its scale 1/128."""
    generator = np.random.default_rng(7)
    for _ in range(16):
        pixels = generator.integers(0, 256, (1, SIZE, SIZE, 3))
        yield [((pixels - 128) / 128).astype(np.float32)]


def export(model: keras.Model, **options: Any) -> bytes:
    signature = [keras.InputSpec(shape=(1, SIZE, SIZE, 3), dtype="float32", name="image")]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.tflite"
        model.export(str(target), format="litert", input_signature=signature, verbose=False, **options)
        return target.read_bytes()


def norm() -> bytes:
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 8), tf.float32, name="x")])
    def graph(x: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(x + 1.0, axis=1) + 1.0

    content: bytes = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()]).convert()
    return content


def batch() -> bytes:
    """Three faces at a call, NCHW, 8 px: means of 2 x 2 pixels, times a matrix of `default_rng(3)`, to 64 values."""
    import tensorflow as tf

    matrix = np.random.default_rng(3).normal(0, 1, (48, 64)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec((3, 3, 8, 8), tf.float32, name="faces")])
    def graph(faces: tf.Tensor) -> tf.Tensor:
        means = tf.nn.avg_pool2d(tf.transpose(faces, (0, 2, 3, 1)), 2, 2, "VALID")
        return tf.matmul(tf.reshape(means, (3, 48)), matrix)

    content: bytes = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()]).convert()
    return content


def doctor() -> dict[str, bytes]:
    """x + 1 in both formats, which `edge-facenet doctor` runs."""
    import tensorflow as tf
    from onnx import TensorProto, helper

    @tf.function(input_signature=[tf.TensorSpec((1, 8), tf.float32, name="x")])
    def graph(x: tf.Tensor) -> tf.Tensor:
        return x + 1.0

    tflite: bytes = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()]).convert()
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in ("x", "y"))
    made = helper.make_graph([helper.make_node("Add", ["x", "one"], ["y"])], "doctor", [x], [y], [one])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return {"doctor.tflite": tflite, "doctor.onnx": model.SerializeToString()}


def main() -> None:
    import tensorflow as tf

    whole_int8 = {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": ranges,
        "inference_input_type": tf.int8,
        "inference_output_type": tf.int8,
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
    }
    files = {
        "tiny-fp32.tflite": export(network(("embedding",))),
        "tiny-int8.tflite": export(network(("embedding",)), **whole_int8),
        "tiny-two.tflite": export(network(("embedding", "logits"))),
        "tiny-norm.tflite": norm(),
        "tiny-batch.tflite": batch(),
    }
    for name, content in files.items():
        (HERE / name).write_bytes(content)
    for name, content in doctor().items():
        (HERE.parents[1] / "edge_facenet" / "cli" / name).write_bytes(content)


if __name__ == "__main__":
    main()
