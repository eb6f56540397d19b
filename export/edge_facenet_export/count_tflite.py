"""MUL-ADDs of a TFLite graph: no TensorFlow, no interpreter, no weights in memory."""

from __future__ import annotations

import math
from collections.abc import Callable

from edge_facenet.budget import LayerCost
from edge_facenet.errors import InputError

from .per_face import batch_of, per_face
from .tflite_file import DAMAGE, Operator, Shape, TFLiteFile

# Operators that multiply and add like a convolution or dense layer, but whose count needs more than shapes.
_NO_RULE = {
    "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "CUSTOM", "LSTM", "RNN", "STABLEHLO_COMPOSITE",
    "STABLEHLO_CONVOLUTION", "STABLEHLO_DOT_GENERAL", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
}  # fmt: skip


def count_tflite(model: bytes) -> list[LayerCost]:
    """MUL-ADDs and parameters of every convolution, dense layer and matrix product of a TFLite file, per face.

    Args:
        model: bytes of the file; what is appended behind the graph is not looked at.
    Raises:
        InputError: damaged, a size that is not fixed in the file, or an operator without a rule; names the operator.
    """
    file = TFLiteFile(model)
    try:
        _refuse_uncountable(file)
        return [_cost(file, operator) for operator in file.operators if operator.kind in _RULES]
    except DAMAGE as error:
        raise InputError(f"This TFLite file is damaged ({len(model):,} bytes): {error}.") from error


def _refuse_uncountable(file: TFLiteFile) -> None:
    for operator in (*file.operators, *file.hidden):
        if operator.kind in _NO_RULE:
            raise InputError(f"Operator {operator.at} ({operator.kind}) has no counting rule. Remove it first.")
    if any(operator.kind in _RULES for operator in file.hidden):
        raise InputError("A loop or branch of this graph holds convolutions: how often they run is not in the file.")


def _cost(file: TFLiteFile, operator: Operator) -> LayerCost:
    constants = {t for t in (_constant(file, t) for t in operator.inputs) if t is not None}
    layer = LayerCost(
        name=file.name(operator.outputs[0]),
        kind=operator.kind,
        output=_fixed(file, operator, operator.outputs[0]),
        muladds=_RULES[operator.kind](file, operator),
        parameters=sum(math.prod(file.shape(t)) for t in constants),
    )
    return per_face(layer, batch_of(file.shape(file.inputs[0]) if file.inputs else ()))


def _fixed(file: TFLiteFile, operator: Operator, tensor: int) -> Shape:
    """Shape of a tensor; only the first size may be open, and then counts as 1."""
    shape, signature = file.shape(tensor), file.signature(tensor)
    if not shape or any(size < 1 for size in shape) or -1 in signature[1:]:
        raise InputError(
            f"Operator {operator.at} ({operator.kind}, {file.name(tensor)}) has no fixed shape: {signature}. Export the network "
            "with a static input size."
        )
    return shape


def _constant(file: TFLiteFile, tensor: int) -> int | None:
    """The tensor that holds the numbers behind `tensor` (float16 and int8 weights stand behind a DEQUANTIZE)."""
    if tensor < 0:
        return None
    if file.is_constant(tensor):
        return tensor
    producer = file.producers.get(tensor)
    return _constant(file, producer.inputs[0]) if producer and producer.kind == "DEQUANTIZE" else None


def _forward(kernel: slice) -> Callable[[TFLiteFile, Operator], int]:
    """Every output number is a sum over the filter's axes `kernel`."""

    def count(file: TFLiteFile, operator: Operator) -> int:
        output, filters = (_fixed(file, operator, t) for t in (operator.outputs[0], operator.inputs[1]))
        return math.prod(output) * math.prod(filters[kernel])

    return count


def _transposed(filters_outputs: slice) -> Callable[[TFLiteFile, Operator], int]:
    """Every input number is spread over a kernel and all output channels: the filter's axes but the input's channels."""

    def count(file: TFLiteFile, operator: Operator) -> int:
        pixels, filters = (_fixed(file, operator, operator.inputs[place]) for place in (2, 1))
        return math.prod(pixels) * math.prod(filters[filters_outputs])

    return count


def _product(file: TFLiteFile, operator: Operator) -> int:
    """A matrix product, be its right side constant or computed: output times the axis summed over."""
    left = _fixed(file, operator, operator.inputs[0])
    return math.prod(_fixed(file, operator, operator.outputs[0])) * left[-2 if operator.adjoint[0] else -1]


# Filters: CONV_2D (out, h, w, in / groups); DEPTHWISE (1, h, w, in x multiplier); dense (out, in); CONV_3D (d, h, w, in, out);
# TRANSPOSE_CONV (out, h, w, in); CONV_3D_TRANSPOSE (d, h, w, out, in).
_RULES: dict[str, Callable[[TFLiteFile, Operator], int]] = {
    "CONV_2D": _forward(slice(1, None)),
    "DEPTHWISE_CONV_2D": _forward(slice(1, 3)),
    "CONV_3D": _forward(slice(0, 4)),
    "FULLY_CONNECTED": _forward(slice(1, None)),
    "TRANSPOSE_CONV": _transposed(slice(0, 3)),
    "CONV_3D_TRANSPOSE": _transposed(slice(0, 4)),
    "BATCH_MATMUL": _product,
}
