"""MUL-ADDs and parameters of a model file, layer by layer.

The rule (`edge_facenet.budget.RULE`) in full: a convolution counts output positions x output channels x kernel x input
channels of its group; a transposed one input positions instead; a dense layer inputs x outputs; a matrix product counts
as a dense layer, be its right side constant or computed. Everything is per face: a file with a fixed batch is divided by
it. Parameters are the numbers that the file holds for these layers (weights and biases; batch normalisation has been
folded into them), not scales and zero points.
"""

from __future__ import annotations

from pathlib import Path

from edge_facenet import manifest
from edge_facenet.budget import LayerCost
from edge_facenet.engines import is_tflite
from edge_facenet.errors import ManifestError, SetupError

__all__ = ["count"]


def count(source: Path | bytes) -> list[LayerCost]:
    """Costs of the convolutions and dense layers of a TFLite or ONNX file, in the file's order.

    Args:
        source: a model file, its manifest, or the file's bytes.
    Returns:
        one `LayerCost` per layer; empty when the graph holds no convolution, dense layer or matrix product.
    Raises:
        ManifestError: not there, not a model, or damaged.
        InputError: a shape that is not fixed, an operator without a rule; never a silent 0.
        ManifestError: a manifest whose model file is missing or another.
        MissingExtra: an ONNX file without `onnx` installed.
    """
    model = source if isinstance(source, bytes) else _read(source)
    if is_tflite(model):
        return _tflite(model)
    from .count_onnx import count_onnx

    return count_onnx(model)


def _tflite(model: bytes) -> list[LayerCost]:
    try:
        from .count_tflite import count_tflite
    except ImportError as error:
        raise SetupError(
            f"Counting a TFLite file needs ai-edge-litert ({error}). Type: pip install ai-edge-litert"
        ) from error
    return count_tflite(model)


def _read(path: Path) -> bytes:
    if path.suffix == ".json":
        return manifest.open_artifact(path)[1]
    if not path.exists():
        raise ManifestError(f"There is no model file {path}.")
    return manifest.model_bytes(path)
