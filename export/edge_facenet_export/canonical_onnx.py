"""An ONNX graph rewritten so that equal networks give equal bytes.

tf2onnx numbers its names by counters of the process and orders nodes by set iteration; neither is the network's. Here the
order is that of a walk from the outputs, names come from layer and place, attributes are sorted, and nothing is kept that
does not change a result.
"""

from __future__ import annotations

from typing import Any

import onnx

from .names import INPUT, OUTPUT, layer_name

_ROLES = {1: "weights", 2: "bias"}


def canonical_onnx(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` in canonical form: input "image", output "embedding".

    Raises:
        onnx.checker.ValidationError: the graph is not valid.
    """
    graph = model.graph
    constants = {initializer.name: initializer for initializer in graph.initializer}
    nodes = _ordered(graph, constants)
    names = {graph.input[0].name: INPUT, graph.output[0].name: OUTPUT}
    used: list[str] = []
    for at, node in enumerate(nodes):
        learned = [name for name in node.input if name in constants]
        used += [name for name in learned if name not in used]
        _name_node(at, node, learned, names)
    out = onnx.ModelProto(ir_version=model.ir_version, producer_name="edge-facenet")
    domains = {node.domain for node in nodes}
    out.opset_import.extend(sorted((o for o in model.opset_import if o.domain in domains), key=lambda o: str(o.domain)))
    out.graph.name = "network"
    out.graph.input.append(_renamed(graph.input[0], names))
    out.graph.output.append(_renamed(graph.output[0], names))
    out.graph.initializer.extend(_renamed(constants[name], names) for name in used)
    out.graph.node.extend(_rewritten(node, names) for node in nodes)
    onnx.checker.check_model(out)
    return out


def _ordered(graph: Any, constants: dict[str, Any]) -> list[Any]:
    """Nodes that the outputs need, each behind those it reads, in the order of a walk from the outputs."""
    makers = {name: node for node in graph.node for name in node.output}
    order: list[Any] = []
    done: set[int] = set()
    stack = [makers[value.name] for value in reversed(graph.output)]
    while stack:
        node = stack[-1]
        waiting = [makers[n] for n in node.input if n in makers and n not in constants and id(makers[n]) not in done]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        stack.pop()
        if id(node) not in done:
            done.add(id(node))
            order.append(node)
    return order


def _name_node(at: int, node: Any, learned: list[str], names: dict[str, str]) -> None:
    """Names for the outputs of node `at`, and for the constants that it is the first to use."""
    own = f"{layer_name(';'.join([node.name or node.output[0], *learned]))}.{at}"
    for place, name in enumerate(node.output):
        names.setdefault(name, own if place == 0 else f"{own}:{place}")
    for place, name in enumerate(node.input):
        if name in learned:
            names.setdefault(name, f"{own}/{_ROLES.get(place, place)}")


def _renamed(value: Any, names: dict[str, str]) -> Any:
    copy = type(value)()
    copy.CopyFrom(value)
    copy.name = names[value.name]
    copy.doc_string = ""
    return copy


def _rewritten(node: Any, names: dict[str, str]) -> Any:
    copy = onnx.NodeProto(op_type=node.op_type, domain=node.domain, name=f"{names[node.output[0]]}")
    copy.input.extend(names.get(name, name) for name in node.input)
    copy.output.extend(names.get(name, name) for name in node.output)
    copy.attribute.extend(sorted(node.attribute, key=lambda attribute: attribute.name))
    return copy
