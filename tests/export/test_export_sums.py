"""A residual sum of int8 levels comes out alike on x86 and ARM, whose ONNX Runtime rounds in ways of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from edge_facenet_export import gates
from edge_facenet_export.sums import alike, apart
from edge_facenet_export.to_onnx import OPSET
from export_world import World
from onnx import TensorProto, helper, numpy_helper

from edge_facenet import manifest

LEVELS = np.arange(256)


@dataclass(frozen=True)
class Sum:
    """Scales and zero points of two addends and their sum."""

    scales: tuple[np.float32, np.float32, np.float32]
    zeros: tuple[int, int, int]

    def by_every_processor(self) -> tuple[npt.NDArray[np.int64], ...]:
        """x86 before AVX2, x86 with it, ARM."""
        return self.in_float32(fused=False), self.in_float32(fused=True), self.in_whole_numbers()

    def in_float32(self, fused: bool) -> npt.NDArray[np.int64]:
        """(256, 256): all levels' sums as x86 makes them, halves to even; fused: with AVX2's multiply and add in one."""
        a, b, total = self.scales
        zero_a, zero_b, zero = (np.float32(each) for each in self.zeros)
        between = (
            np.float64 if fused else np.float32
        )  # holds 8 x 24 bits and their sum exactly, as the fused operation does
        fixed = zero - (a / total * zero_a + b / total * zero_b)
        levels = LEVELS.astype(between)
        so_far = (levels * (a / total).astype(between) + fixed).astype(np.float32)
        sums = (so_far[:, None].astype(between) + levels * (b / total).astype(between)).astype(np.float32)
        return np.clip(np.rint(sums), 0, 255).astype(np.int64)

    def in_whole_numbers(self) -> npt.NDArray[np.int64]:
        """(256, 256): the same as ARM makes them, the larger ratio in 22 bits, halves away from zero."""
        a, b, total = self.scales
        shift = 21 - int(np.floor(np.log2(max(a / total, b / total))))
        times_a, times_b = (int(np.rint(float(np.float32(s / total)) * 2**shift)) for s in (a, b))
        exact = (LEVELS - self.zeros[0])[:, None] * times_a + (LEVELS - self.zeros[1]) * times_b
        away = np.sign(exact) * ((np.abs(exact) + (1 << (shift - 1))) >> shift)
        return np.clip(away + self.zeros[2], 0, 255)


def sums(model: onnx.ModelProto) -> list[Sum]:
    """Every sum that an engine computes in levels."""
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node}
    users = {node.input[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}
    found = []
    for node in model.graph.node:
        around = [*(makers.get(name) for name in node.input), users.get(node.output[0])]
        if node.op_type == "Add" and all(each is not None and "quantize" in each.op_type.lower() for each in around):
            scales, zeros = zip(
                *((constants[n.input[1]], int(constants[n.input[2]])) for n in around if n), strict=True
            )
            found.append(Sum(tuple(np.float32(each) for each in scales), zeros))
    return found


# As calibration gave them to a released `mobile`: a residual stream behind ReLU and a convolution's output.
MEASURED = [
    ((0.07257692515850067, 0.13644611835479736, 0.08961541950702667), (0, 141, 0)),
    ((0.063674695789814, 0.3105926811695099, 0.14076611399650574), (0, 141, 0)),
]


def quantized(*chain: tuple[tuple[float, float, float], tuple[int, int, int]]) -> onnx.ModelProto:
    """QDQ graph of sums, each with an input of its own: all from "a", or the first addend is the sum before it."""
    nodes, constants, inputs = [], {}, ["a"]

    def through(name: str, scale: float, zero: int) -> str:
        constants[f"{name}_s"], constants[f"{name}_z"] = np.float32(scale), np.uint8(zero)
        nodes.append(helper.make_node("QuantizeLinear", [name, f"{name}_s", f"{name}_z"], [f"{name}_q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", f"{name}_s", f"{name}_z"], [f"{name}_d"]))
        return f"{name}_d"

    stream = through("a", chain[0][0][0], chain[0][1][0])
    for n, (scales, zeros) in enumerate(chain):
        other = through(f"b{n}", scales[1], zeros[1])
        nodes.append(helper.make_node("Add", [stream, other], [f"c{n}"]))
        stream = through(f"c{n}", scales[2], zeros[2])
        inputs.append(f"b{n}")
    shape = [1, LEVELS.size**2]
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info(stream, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def by_onnxruntime(model: onnx.ModelProto, one: Sum) -> npt.NDArray[np.int64]:
    """(256, 256): a model's single sum, of all levels, on this machine."""
    both = np.meshgrid(LEVELS, LEVELS, indexing="ij")
    feed = {
        name: ((levels.ravel() - zero) * scale).astype(np.float32)[None]
        for name, levels, zero, scale in zip(("a", "b0"), both, one.zeros, one.scales, strict=False)
    }
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answer = session.run(None, feed)[0].reshape(256, 256)
    return np.asarray(np.rint(answer / one.scales[2]) + one.zeros[2], np.int64)


def with_scales(model: onnx.ModelProto) -> tuple[Sum, ...]:
    """The sums of a model as they become."""
    chosen = alike(model)
    for each in model.graph.initializer:
        if each.name.endswith("_s"):
            each.CopyFrom(numpy_helper.from_array(chosen[each.name[:-2]][0]["scale"], each.name))
    return tuple(sums(model))


@pytest.mark.parametrize(("scales", "zeros"), MEASURED)
def test_as_calibrated_processors_part_and_then_no_longer(
    scales: tuple[float, float, float], zeros: tuple[int, int, int]
) -> None:
    model = quantized((scales, zeros))
    (before,) = sums(model)
    here, ways = by_onnxruntime(model, before), before.by_every_processor()
    assert any(np.array_equal(here, way) for way in ways), "one of the formulae is ONNX Runtime's on this machine"
    assert 0 < max((here != way).sum() for way in ways) < 256, "a level here and there"
    assert max(np.abs(here - way).max() for way in ways) == 1

    (after,) = with_scales(model)
    assert_alike(after)
    np.testing.assert_array_equal(by_onnxruntime(model, after), after.in_whole_numbers())
    assert after.zeros == before.zeros
    assert after.scales[0] == before.scales[0]
    for old, new in zip(before.scales[1:], after.scales[1:], strict=True):
        assert 1 <= new / old <= 1 + 1 / 32, "no range shrinks"


def test_a_chain_of_sums_is_settled_in_its_order() -> None:
    found = with_scales(quantized(((0.07, 0.14, 0.09), (0, 141, 0)), ((0.09, 0.19, 0.11), (0, 142, 120))))
    assert len(found) == 2 and found[1].scales[0] == found[0].scales[2]
    for each in found:
        assert_alike(each)


@pytest.mark.parametrize("first", [0.001, 3.0])
def test_a_sum_of_very_unlike_scales_keeps_them(first: float) -> None:
    scales = (first, 0.2, 0.19)
    (found,) = with_scales(quantized((scales, (0, 131, 0))))
    assert found.scales == tuple(np.float32(scale) for scale in scales)
    assert apart(quantized((scales, (0, 131, 0)))) == (1, 1)


def test_what_is_left_is_counted_and_told() -> None:
    """A sum of two settled ones keeps its scales: the manifest says that processors may part there."""
    model = quantized(*MEASURED)
    assert apart(model) == (2, 2)
    with_scales(model)
    assert apart(model) == (0, 2)
    assert gates.delegation(model.SerializeToString(), "x") == ("onnxruntime CPU",)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float32(0.07), model.graph.initializer[0].name))
    told = ("onnxruntime CPU", "1 of 2 residual sums may be rounded otherwise by another processor")
    assert gates.delegation(model.SerializeToString(), "x") == told


def test_the_exported_file_has_such_sums_alone(world: World) -> None:
    described = next(path for path in world.written if path.stem.endswith("int8-onnx"))
    found = sums(onnx.load(described.parent / manifest.read(described).file))
    assert len(found) == 5 and manifest.read(described).targets == ("onnxruntime CPU",)
    for each in found:
        assert_alike(each)


def assert_alike(one: Sum) -> None:
    """All 65,536 sums, by every formula."""
    first, *others = one.by_every_processor()
    for other in others:
        np.testing.assert_array_equal(other, first)
