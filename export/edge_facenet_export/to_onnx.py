"""Keras -> ONNX: fp32 by tf2onnx, int8 (QDQ) from it by ONNX Runtime's quantizer.

Both take float32 NCHW pixels and give the unit embedding. QDQ with unsigned activations and signed weights per channel is
the form that ONNX Runtime computes in int8 fast; signed activations are no faster than float (facts measured with 1.32).
Weights keep 7 of their 8 bits: x86 without VNNI adds two products in 16 bits, which 8-bit weights overflow without a word
(`mobile`, AVX2: mean cosine to the float network 0.74; with 7 bits 0.995, with 8 bits where nothing overflows 0.996).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from edge_facenet.errors import GateError
from edge_facenet.pixels import PixelSpec

from .calibrate import check_calibration
from .canonical_onnx import canonical_onnx
from .names import INPUT, OUTPUT
from .quiet import quiet
from .sums import Overrides, alike

OPSET = 17
_MULTIPLY = ("Conv", "MatMul", "Gemm")
# What has an int8 form in ONNX Runtime and stands in our backbones.
_QUANTIZED = [
    *_MULTIPLY,
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "GlobalAveragePool",
    "MaxPool",
    "Relu",
    "Reshape",
    "Squeeze",
]


def fp32(model: Any, size: int) -> bytes:
    """ONNX file of a Keras model: batch 1, every shape fixed, "image" (1, 3, size, size) -> "embedding" (1, d).

    Args:
        model: (None, size, size, 3) float32 -> (None, d) float32, on Keras' TensorFlow backend.
    """
    import tensorflow as tf
    import tf2onnx

    image = [tf.TensorSpec((1, size, size, 3), tf.float32, name=INPUT)]
    run = tf.function(lambda image: {OUTPUT: model(image, training=False)}, input_signature=image, autograph=False)
    with quiet("tf2onnx"):
        converted, _ = tf2onnx.convert.from_function(run, input_signature=image, opset=OPSET, inputs_as_nchw=[INPUT])
    return _bytes(canonical_onnx(_folded(converted)))


def int8(float_model: bytes, calibration: npt.NDArray[np.uint8]) -> bytes:
    """uint8 activations, int8 weights of 7 bits per output channel, float32 input, norm and output.

    The input's scale is 1/128 and its zero point 128 by construction, so its quantization loses nothing.

    Args:
        calibration: (n, s, s, 3) uint8 RGB crops at the network's size; they set the ranges of all inner tensors.
    Raises:
        InputError: the calibration crops are of another type or shape.
        GateError: a convolution or dense layer stayed float; names it.
    """
    parsed = onnx.ModelProto.FromString(float_model)
    size = int(parsed.graph.input[0].type.tensor_type.shape.dim[2].dim_value)
    check_calibration(calibration, size)
    images = PixelSpec(size, layout="NCHW").tensor(calibration)
    exact: Overrides = {INPUT: [{"scale": np.array(1 / 128, np.float32), "zero_point": np.array(128, np.uint8)}]}
    quantized = _quantize(float_model, images, exact)
    _refuse_float_layers(quantized)
    return _bytes(_quantize(float_model, images[:1], exact | alike(quantized)))


def _quantize(float_model: bytes, images: npt.NDArray[np.generic], overrides: Overrides) -> onnx.ModelProto:
    """QDQ model with ranges from the images, but for the tensors with a scale of their own."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = onnx.ModelProto.FromString(float_model)  # the quantizer changes what it is given
    with tempfile.TemporaryDirectory() as folder, quiet():
        target = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            target,
            _Feed(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTIZED,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_behind_the_last_layer(model),
            extra_options={"TensorQuantOverrides": overrides},
        )
        return onnx.load(target)


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Batch normalisation folded into convolutions: ONNX Runtime's own basic rewriting, which keeps standard operators."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _behind_the_last_layer(model: onnx.ModelProto) -> list[str]:
    """Scaling of the embedding and its norm: nodes that stay float."""
    names = [node.name for node in model.graph.node]
    last = max(at for at, node in enumerate(model.graph.node) if node.op_type in _MULTIPLY)
    return names[last + 1 :]


def _refuse_float_layers(model: onnx.ModelProto) -> None:
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    left = [n for n in model.graph.node if n.op_type in _MULTIPLY and makers.get(n.input[1]) != "DequantizeLinear"]
    if left:
        raise GateError(
            f"int8 ONNX: {len(left)} of the network's layers stayed float, the first {left[0].name} ({left[0].op_type}). "
            "Nothing was written; use the fp32 recipe, or replace the layer."
        )


class _Feed:
    """Calibration images one by one, as ONNX Runtime's quantizer asks for them."""

    def __init__(self, images: npt.NDArray[np.generic]) -> None:
        self._images: Iterator[npt.NDArray[np.generic]] = iter(images)

    def get_next(self) -> dict[str, npt.NDArray[np.generic]] | None:
        """The next input by name, None behind the last one."""
        image = next(self._images, None)
        return None if image is None else {INPUT: image[None]}


def _bytes(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))
