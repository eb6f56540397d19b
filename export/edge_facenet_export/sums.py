"""Scales for which every processor rounds the sums of int8 levels (ONNX) alike.

A residual sum is q = round(q_a s_a / s + q_b s_b / s), zero points left out. ONNX Runtime computes it in float32 on x86 and
rounds halves to even, in whole numbers of 22 bits on ARM and rounds them away from zero (its core/mlas/lib/qladd.cpp): where the
exact sum lies on a half or within rounding of one, the two part by a level. If both ratios of scales are whole multiples of 1/D
and D is odd, no sum lies nearer to a half than 1/2D, and that is further than either rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

PARTS = 511
"""D. For ratios below 4, 22 bits err by up to 255 x 2^-20 = 2.4e-4 of a level and float32 by as much; 1/2D is 9.8e-4."""
COARSEST = 32
"""Least multiple. A scale is raised to the next multiple, so that no range shrinks: by 1/32 at most."""
_LARGEST = 4 * PARTS
_ROUNDING = 1e-3  # of a multiple below 4 x 511, from two float32 scales: 2.4e-4 at most

Overrides = dict[str, list[dict[str, Any]]]


def alike(quantized: onnx.ModelProto) -> Overrides:
    """Scales to quantize once more with, in the form of ONNX Runtime's TensorQuantOverrides.

    Args:
        quantized: a QDQ model; it stays as it is.
    Returns:
        scale and zero point of every tensor; those of sums raised by 1/32 at most. A sum that has no such scales (both addends'
        are settled by sums before it, or one of its ratios lies outside 32/511 to 4) keeps its own: there processors may differ.
    """
    constants, quantizers = _constants(quantized), _quantizers(quantized)
    scales = {tensor: float(constants[node.input[1]]) for tensor, node in quantizers.items()}
    settled: dict[str, float] = {}
    for *addends, total in _sums(quantized):
        first, second = sorted(addends, key=lambda tensor: tensor not in settled)
        settled |= _settle(first, second, total, scales | settled, settled)
    return {
        tensor: [{"scale": np.array(scale, np.float32), "zero_point": constants[quantizers[tensor].input[2]]}]
        for tensor, scale in (scales | settled).items()
    }


def apart(quantized: onnx.ModelProto) -> tuple[int, int]:
    """How many sums of a QDQ model processors may round apart, and how many it has."""
    constants, quantizers = _constants(quantized), _quantizers(quantized)
    scales = {tensor: float(constants[node.input[1]]) for tensor, node in quantizers.items()}
    multiples = [[scales[addend] / scales[total] * PARTS for addend in addends] for *addends, total in _sums(quantized)]
    alike = [all(m < _LARGEST and abs(m - round(m)) < _ROUNDING for m in both) for both in multiples]
    return alike.count(False), len(alike)


def _constants(model: onnx.ModelProto) -> dict[str, Any]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def _quantizers(model: onnx.ModelProto) -> dict[str, Any]:
    """The node that quantizes a tensor, by its name."""
    return {node.input[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}


def _sums(model: onnx.ModelProto) -> Iterator[tuple[str, str, str]]:
    """Names of both addends and the sum, of every sum that is computed in levels."""
    quantizers = _quantizers(model)
    levels_of = {node.output[0]: tensor for tensor, node in quantizers.items()}
    tensors = {node.output[0]: levels_of.get(node.input[0]) for node in model.graph.node}  # behind DequantizeLinear
    for node in model.graph.node:
        if node.op_type == "Add" and node.output[0] in quantizers:
            addends = [tensor for name in node.input if (tensor := tensors.get(name))]
            if len(addends) == 2:
                yield addends[0], addends[1], node.output[0]


def _settle(
    first: str, second: str, total: str, scales: Mapping[str, float], settled: Mapping[str, float]
) -> dict[str, float]:
    """Scales of all three tensors of a sum, the first one's as it is; nothing where there are none."""
    if second in settled or first == second:
        return {}
    ours = np.floor(scales[first] / scales[total] * PARTS)
    if not COARSEST <= ours < _LARGEST:
        return {}
    raised = scales[first] * PARTS / ours
    other = np.ceil(scales[second] / raised * PARTS)
    if not COARSEST <= other < _LARGEST:
        return {}
    return {first: scales[first], second: float(other * raised / PARTS), total: float(raised)}
