"""MUL-ADDs of an ONNX graph, from shape inference; weights are never decoded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from edge_facenet.budget import LayerCost
from edge_facenet.errors import InputError, ManifestError, MissingExtra

from .per_face import batch_of, per_face

Shape = tuple[int, ...]
# Operators that multiply and add like a convolution or dense layer, but whose count needs more than shapes.
_NO_RULE = {"Attention", "DeformConv", "Einsum", "GRU", "LSTM", "LinearAttention", "RNN"}
_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
# Operators of ONNX Runtime's own domain that hold no weights.
_HARMLESS = {
    "DequantizeLinear",
    "QLinearAdd",
    "QLinearConcat",
    "QLinearGlobalAveragePool",
    "QLinearMul",
    "QuantizeLinear",
}
# A constant passes through these unchanged in number.
_PASSES = {
    "Cast",
    "DequantizeLinear",
    "Flatten",
    "Identity",
    "QuantizeLinear",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}


def count_onnx(model: bytes) -> list[LayerCost]:
    """MUL-ADDs and parameters of every convolution, dense layer and matrix product of an ONNX file, per face.

    Raises:
        ManifestError: not ONNX, or cut short.
        InputError: a size that cannot be inferred, or an operator without a rule; names the node.
        MissingExtra: `onnx` is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise MissingExtra("onnx", "export", "Reading an ONNX file") from error
    try:
        parsed = onnx.ModelProto.FromString(model)
    except DecodeError as error:
        raise ManifestError(f"Neither TFLite nor ONNX, or cut short ({len(model):,} bytes): {error}.") from error
    if not parsed.graph.node:
        raise ManifestError(f"Neither TFLite nor ONNX ({len(model):,} bytes): no graph inside.")
    if parsed.functions:
        parsed = onnx.inliner.inline_local_functions(parsed)
    _refuse_uncountable(parsed.graph.node)
    try:
        graph = _Graph(_with_shapes(onnx, parsed))
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise InputError(f"The shapes of this ONNX graph contradict each other: {error}") from error
    return [graph.cost(node) for node in graph.nodes if node.op_type in _RULES]


def _with_shapes(onnx: Any, model: Any) -> Any:
    """`model` with an open batch set to 1 and shapes inferred."""
    constants = {initializer.name for initializer in model.graph.initializer}
    for value in model.graph.input:
        sizes = value.type.tensor_type.shape.dim
        if value.name not in constants and sizes and sizes[0].dim_value < 1:
            sizes[0].dim_value = 1
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


class _Graph:
    """The main graph: nodes in order, shapes and constants by name."""

    def __init__(self, model: Any) -> None:
        graph = model.graph
        self.nodes = list(graph.node)
        self._names = {id(node): _name(node, at) for at, node in enumerate(self.nodes)}
        self._constants: dict[str, Shape] = {i.name: tuple(i.dims) for i in graph.initializer}
        self._constants |= {
            n.output[0]: tuple(a.t.dims) for n in self.nodes if n.op_type == "Constant" for a in n.attribute
        }
        self._shapes: dict[str, Shape] = {
            v.name: _sizes(v) for v in (*graph.input, *graph.output, *graph.value_info)
        } | self._constants
        self._inputs = [v.name for v in graph.input if v.name not in self._constants]

    def cost(self, node: Any) -> LayerCost:
        """What `node` costs per face."""
        roots = {r for r in (self._constant(n) for n in _learned(node)) if r is not None}
        layer = LayerCost(
            name=self._names[id(node)],
            kind=node.op_type,
            output=self.shape(node.output[0], node),
            muladds=_RULES[node.op_type](self, node),
            parameters=sum(math.prod(self._constants[root]) for root in roots),
        )
        return per_face(layer, self.batch)

    def shape(self, name: str, node: Any) -> Shape:
        """Shape of a tensor.

        Raises:
            InputError: it cannot be inferred, or a size is open; names the node.
        """
        found = self._shapes.get(name, ())
        if not found or any(size < 1 for size in found):
            sizes = "unknown" if not found else "(" + ", ".join(str(s) if s > 0 else "?" for s in found) + ")"
            raise InputError(
                f"Node {self._names[id(node)]} ({node.op_type}): the shape of {name!r} is {sizes}. Export the network with a "
                "static input size and standard operators."
            )
        return found

    @cached_property
    def batch(self) -> int:
        """Faces per call: the first size of the graph's first input."""
        return batch_of(self._shapes.get(self._inputs[0], ()) if self._inputs else ())

    @cached_property
    def _producers(self) -> dict[str, Any]:
        return {name: node for node in self.nodes for name in node.output}

    def _constant(self, name: str) -> str | None:
        """The constant that holds the numbers behind `name` (int8 weights stand behind a DequantizeLinear)."""
        if name in self._constants:
            return name
        node = self._producers.get(name)
        return self._constant(node.input[0]) if node is not None and node.op_type in _PASSES else None


def _refuse_uncountable(nodes: Iterable[Any]) -> None:
    for at, node in enumerate(nodes):
        foreign = node.domain not in _STANDARD and node.op_type not in _HARMLESS
        if foreign or node.op_type in _NO_RULE:
            kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise InputError(f"Node {_name(node, at)} ({kind}) has no counting rule. Export with standard operators.")
        if any(inner.op_type in _RULES.keys() | _NO_RULE for inner in _inner(node)):
            raise InputError(
                f"Node {_name(node, at)} ({node.op_type}) holds convolutions or dense layers inside: how often they run is not "
                "in the file."
            )


def _name(node: Any, at: int) -> str:
    return node.name or f"node {at}"


def _inner(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield inner
                yield from _inner(inner)


def _sizes(value: Any) -> Shape:
    """Sizes of a value; 0 for one that is open."""
    return tuple(d.dim_value for d in value.type.tensor_type.shape.dim)


def _learned(node: Any) -> list[str]:
    """Names of weights and bias; of QLinear operators without scales and zero points."""
    places = {"QLinearConv": (3, 8), "QLinearMatMul": (0, 3), "ConvInteger": (0, 1), "MatMulInteger": (0, 1)}
    chosen = places.get(node.op_type, range(len(node.input)))
    return [node.input[i] for i in chosen if i < len(node.input) and node.input[i]]


def _convolution(weights: int) -> Callable[[_Graph, Any], int]:
    """Every output number is a sum over (in / groups, kernel …); weights are (out, in / groups, kernel …)."""
    return lambda graph, node: (
        math.prod(graph.shape(node.output[0], node)) * math.prod(graph.shape(node.input[weights], node)[1:])
    )


def _transposed(graph: _Graph, node: Any) -> int:
    """Every input number is spread over (out / groups, kernel …); weights are (in, out / groups, kernel …)."""
    return math.prod(graph.shape(node.input[0], node)) * math.prod(graph.shape(node.input[1], node)[1:])


def _product(graph: _Graph, node: Any) -> int:
    """A matrix product, be its right side constant or computed: output times the axis summed over."""
    turned = any(a.name == "transA" and a.i for a in node.attribute)
    return math.prod(graph.shape(node.output[0], node)) * graph.shape(node.input[0], node)[-2 if turned else -1]


_RULES: dict[str, Callable[[_Graph, Any], int]] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed,
    "Gemm": _product,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearMatMul": _product,
}
