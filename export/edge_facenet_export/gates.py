"""Gates that look at the converted file alone."""

from __future__ import annotations

from collections.abc import Sequence

from edge_facenet.budget import LayerCost
from edge_facenet.engines import is_tflite
from edge_facenet.engines.litert import delegation as delegated_to
from edge_facenet.errors import GateError

from .count import count


def same_count(graph: bytes, costs: Sequence[LayerCost], what: str) -> None:
    """The file multiplies exactly as often as the Keras network.

    Raises:
        GateError: another sum; gives both, and the first layer at which they part.
    """
    found = count(graph)
    here, there = (sum(layer.muladds for layer in layers) for layers in (found, costs))
    if here == there:
        return
    # Converters may order parallel branches otherwise, so layers are compared by size.
    a, b = (sorted(layers, key=lambda layer: -layer.muladds) for layers in (found, costs))
    parted = next(
        (
            f"{x.name} {x.muladds:,}, {y.name} {y.muladds:,}"
            for x, y in zip(a, b, strict=False)
            if x.muladds != y.muladds
        ),
        "",
    )
    raise GateError(
        f"{what} counts {here:,} MUL-ADDs in {len(found)} layers, the Keras network {there:,} in {len(costs)}"
        f"{f' (largest that differ: {parted})' if parted else ''}. Nothing was written: the conversion changed the network."
    )


def delegation(graph: bytes, what: str) -> tuple[str, ...]:
    """A TFLite file must run wholly in one XNNPACK partition: an operator left over costs a copy and a slow kernel.

    Returns:
        what the file was proven to run on, for the manifest.
    Raises:
        GateError: names the operators left.
    """
    if not is_tflite(graph):
        return ("onnxruntime CPU", *_rounding(graph))
    found = delegated_to(graph)
    if found.left or found.partitions != 1:
        raise GateError(
            f"{what} does not run wholly on the CPU's delegate: {found}. Nothing was written; replace these operators (ReLU-family "
            "activations, mean instead of average pooling), or leave this recipe out."
        )
    return (f"litert CPU, {found}",)


def _rounding(graph: bytes) -> tuple[str, ...]:
    """Told where another processor may give other numbers than this one."""
    import onnx

    from .sums import apart

    left, all_of_them = apart(onnx.ModelProto.FromString(graph))
    return (f"{left} of {all_of_them} residual sums may be rounded otherwise by another processor",) if left else ()
