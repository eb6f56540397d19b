"""From a layer's cost per call to its cost per face: the one rule both file formats share."""

from __future__ import annotations

from dataclasses import replace

from edge_facenet.budget import LayerCost
from edge_facenet.errors import InputError


def batch_of(shape: tuple[int, ...]) -> int:
    """Faces per call, from the shape of the graph's first input: images (n, h, w, c) or rows (n, c); else 1."""
    return shape[0] if len(shape) in (2, 4) else 1


def per_face(layer: LayerCost, batch: int) -> LayerCost:
    """`layer`, counted for a call with `batch` faces, per face.

    Raises:
        InputError: nothing was counted for a layer that multiplies, or it does not divide; names the layer.
    """
    if layer.muladds <= 0 or layer.muladds % batch:
        raise InputError(
            f"{layer.kind} {layer.name!r} with output {layer.output} counts {layer.muladds} MUL-ADDs for {batch} faces: "
            "the shapes in this file are wrong."
        )
    output = (1, *layer.output[1:]) if layer.output[0] == batch else layer.output
    return replace(layer, output=output, muladds=layer.muladds // batch)
