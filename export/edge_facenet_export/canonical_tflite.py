"""A TFLite file rewritten with names that depend on the graph alone."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as tfl
from flatbuffers import Builder

from .names import INPUT, OUTPUT, layer_name

_ROLES = {0: "input", 1: "weights", 2: "bias"}


def canonical_tflite(model: bytes) -> bytes:
    """`model` with its tensors renamed; operators, weights and their order stay.

    Equal graphs give equal bytes, whatever else the process had built before. The single input is "image", the single
    output "embedding", in the signature too.
    """
    parsed = tfl.ModelT.InitFromPackedBuf(model, 0)
    main = parsed.subgraphs[0]
    names: dict[int, str] = {}
    for at, operator in enumerate(main.operators):
        _name_operator(at, operator, main, names)
    names |= {main.inputs[0]: INPUT, main.outputs[0]: OUTPUT}
    for index, tensor in enumerate(main.tensors):
        tensor.name = names.get(index, f"unused.{index}").encode()
    for signature in parsed.signatureDefs or ():
        signature.inputs[0].name, signature.outputs[0].name = INPUT.encode(), OUTPUT.encode()
    builder = Builder(len(model) + (1 << 16))
    builder.Finish(parsed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _name_operator(at: int, operator: Any, main: Any, names: dict[int, str]) -> None:
    """Names for the outputs of operator `at`, and for the constants that it is the first to use."""
    first = f"{layer_name(main.tensors[operator.outputs[0]].name.decode())}.{at}"
    for place, tensor in enumerate(operator.outputs):
        names[int(tensor)] = first if place == 0 else f"{first}:{place}"
    for place, tensor in enumerate(operator.inputs):
        if tensor >= 0:
            names.setdefault(int(tensor), f"{first}/{_ROLES.get(place, place)}")
