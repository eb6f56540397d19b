"""Scales for which every processor rounds the sums of int8 levels (ONNX) alike.

A residual sum is q = round(q_a s_a / s + q_b s_b / s), zero points left out. ONNX Runtime computes it in float32 on x86 and
rounds halves to even, in whole numbers of 22 bits on ARM and rounds them away from zero (its core/mlas/lib/qladd.cpp): where the
exact sum lies on a half or within rounding of one, the two part by a level. If both ratios of scales are whole multiples of 1/D
and D is odd, no sum lies nearer to a half than 1/2D, and that is further than either rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

PARTS = 511
"""D. For ratios below 4, 22 bits err by up to 255 x 2^-20 = 2.4e-4 of a level and float32 by as much; 1/2D is 9.8e-4."""
COARSEST = 32
"""Least multiple. A scale is raised to the next multiple, so that no range shrinks: by 1/32 at most."""
_LARGEST = 4 * PARTS

Overrides = dict[str, list[dict[str, Any]]]


def alike(quantized: onnx.ModelProto) -> Overrides:
    """Scales to quantize once more with, in the form of ONNX Runtime's TensorQuantOverrides.

    Args:
        quantized: a QDQ model; it stays as it is.
    Returns:
        scale and zero point of every tensor; those of sums raised by 1/32 at most. A sum that has no such scales (both addends'
        are settled by sums before it, or one of its ratios lies outside 32/511 to 4) keeps its own: there processors may differ.
    """
    constants = {each.name: numpy_helper.to_array(each) for each in quantized.graph.initializer}
    quantizers = {node.input[0]: node for node in quantized.graph.node if node.op_type == "QuantizeLinear"}
    levels_of = {node.output[0]: tensor for tensor, node in quantizers.items()}
    tensors = {node.output[0]: levels_of.get(node.input[0]) for node in quantized.graph.node}  # behind DequantizeLinear
    scales = {tensor: float(constants[node.input[1]]) for tensor, node in quantizers.items()}
    settled: dict[str, float] = {}
    for node in quantized.graph.node:
        if node.op_type == "Add" and node.output[0] in scales:
            addends = [tensor for name in node.input if (tensor := tensors.get(name))]
            if len(addends) == 2:
                first, second = sorted(addends, key=lambda tensor: tensor not in settled)
                settled |= _settle(first, second, node.output[0], scales | settled, settled)
    return {
        tensor: [{"scale": np.array(scale, np.float32), "zero_point": constants[quantizers[tensor].input[2]]}]
        for tensor, scale in (scales | settled).items()
    }


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
