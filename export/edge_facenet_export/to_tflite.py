"""Keras -> TFLite, one converter per recipe: fp32 by TensorFlow's, fp16 and int8 by ai-edge-quantizer from the fp32 file.

Sources: TensorFlow Lite 8-bit quantization specification (int8 activations per tensor, weights per output channel and
symmetric); ai-edge-quantizer's recipes `static_wi8_ai8` and float casting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_facenet.errors import GateError
from edge_facenet.pixels import PixelSpec

from .calibrate import Ranges, check_calibration, ranges_of
from .canonical_tflite import canonical_tflite
from .names import INPUT, OUTPUT, TAIL
from .quiet import quiet
from .tflite_file import Operator, TFLiteFile

HALF_LIMIT = 65_504.0
"""The largest number of float16."""


def fp32(model: Any, size: int) -> bytes:
    """TFLite file of a Keras model: batch 1, every shape fixed, signature "image" -> "embedding".

    Args:
        model: (None, size, size, 3) float32 -> (None, d) float32, on Keras' TensorFlow backend.
    """
    import tensorflow as tf

    # The converter looks for weights on the object it is given, not inside the function: without them it writes a file of
    # READ_VARIABLE and no weights, and reports nothing.
    holder = tf.Module()
    holder.weights = [variable.value for variable in model.variables]
    run = tf.function(
        lambda image: {OUTPUT: model(image, training=False)},
        input_signature=[tf.TensorSpec((1, size, size, 3), tf.float32, name=INPUT)],
        autograph=False,  # nothing to rewrite: seconds saved
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()], holder)
    return canonical_tflite(converter.convert())


def fp16(float_model: bytes) -> bytes:
    """Weights stored in float16; they are read back to float32 before use, or stay half on a GPU.

    Raises:
        GateError: a weight is beyond half precision (it would become infinite); names layer, count and largest value.
    """
    _refuse_beyond_half(float_model)
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName

    quantizer = _quantizer(float_model)
    quantizer.add_weight_only_config(
        ".*", TFLOperationName.ALL_SUPPORTED, 16, algorithm_key=AlgorithmName.FLOAT_CASTING
    )
    return _quantized(quantizer, None)


def int8(float_model: bytes, calibration: npt.NDArray[np.uint8]) -> bytes:
    """int8 input, int8 body, float32 norm and output, in one file.

    The input's scale is 1/128 and its zero point 0 by construction, so a pixel's int8 value is `pixel XOR 0x80`.

    Args:
        calibration: (n, s, s, 3) uint8 RGB crops at the network's size; they set the ranges of all inner tensors.
    Raises:
        InputError: the calibration crops are of another type or shape.
        GateError: an operator of the body has no int8 form; names it. There is no float fallback.
    """
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName

    file = TFLiteFile(float_model)
    size = file.shape(file.inputs[0])[1]
    check_calibration(calibration, size)
    quantizer = _quantizer(float_model)
    quantizer.add_static_config(".*", TFLOperationName.ALL_SUPPORTED, 8, 8)
    tail = rf"^({TAIL}\.|{OUTPUT};)"
    quantizer.update_quantization_recipe(tail, TFLOperationName.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE)
    quantizer.update_quantization_recipe(".*", TFLOperationName.OUTPUT, algorithm_key=AlgorithmName.NO_QUANTIZE)
    ranges = ranges_of(float_model, PixelSpec(size).tensor(calibration))
    # Weights must not be among them: a range given for a weight makes the quantizer take one scale for the whole tensor
    # instead of one per output channel (on a trained `mobile` the mean cosine to float is then 0.987 instead of 0.996).
    constants = {name for name, _ in file.floats()}
    model = _quantized(quantizer, _statistics({n: r for n, r in ranges.items() if n not in constants}))
    _refuse_float_body(model)
    return model


def _quantizer(float_model: bytes) -> Any:
    from ai_edge_quantizer.quantizer import Quantizer

    return Quantizer(float_model)


def _quantized(quantizer: Any, statistics: Any) -> bytes:
    with quiet():
        result = quantizer.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _statistics(ranges: Ranges) -> dict[str, dict[str, npt.NDArray[np.float32]]]:
    """Ranges as the quantizer wants them. The input's is -1 .. 127/128: 256 steps of exactly 1/128, zero in the middle."""
    wanted = ranges | {INPUT: (-1.0, 127 / 128)}
    return {
        name: {"min": np.array([low], np.float32), "max": np.array([high], np.float32)}
        for name, (low, high) in wanted.items()
    }


def _refuse_beyond_half(float_model: bytes) -> None:
    largest = {name: float(np.abs(values).max()) for name, values in TFLiteFile(float_model).floats()}
    beyond = {name: value for name, value in largest.items() if not value <= HALF_LIMIT}
    if beyond:
        name, value = max(beyond.items(), key=lambda item: item[1])
        raise GateError(
            f"fp16: {len(beyond)} constants are beyond half precision, the largest {value:g} in {name} (limit {HALF_LIMIT:,.0f}). "
            "Nothing was written; use fp32, or retrain with a larger epsilon in batch normalisation."
        )


def _refuse_float_body(model: bytes) -> None:
    """Everything between the input and the norm must compute in integers."""
    file = TFLiteFile(model)
    left = [o for o in file.operators if o.kind != "DEQUANTIZE" and not _is_tail(file, o) and _is_float(file, o)]
    if left:
        kinds = ", ".join(sorted({operator.kind for operator in left}))
        raise GateError(
            f"int8: {len(left)} operators have no integer form here ({kinds}; the first is {file.name(left[0].outputs[0])}). "
            "Nothing was written: there is no float fallback. Use fp32 or fp16, or a network of ReLU-family layers."
        )
    found = [file.dtype(tensor) for tensor in file.inputs]
    if found != ["INT8"]:
        raise GateError(f"int8: the file's inputs are {found}, one of INT8 is wanted. Nothing was written.")


def _is_tail(file: TFLiteFile, operator: Operator) -> bool:
    name = file.name(operator.outputs[0])
    return name == OUTPUT or name.startswith(f"{TAIL}.")


def _is_float(file: TFLiteFile, operator: Operator) -> bool:
    return any(file.dtype(t) == "FLOAT32" for t in (*operator.inputs, *operator.outputs) if t >= 0)
