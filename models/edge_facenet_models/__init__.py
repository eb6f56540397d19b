"""The released artifacts, by name.

>>> from edge_facenet_models import path
>>> path("mobile").name
'mobile-int8.json'
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["names", "path", "weights"]

_HERE = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Names of the released networks."""
    return tuple(sorted({folder.name for folder in _HERE.iterdir() if any(folder.glob("*-int8.json"))}))


def path(name: str, recipe: str = "int8", format: str = "tflite") -> Path:
    """The manifest of a released artifact.

    Args:
        name: of the network ("mobile"), or of one artifact ("mobile-fp16"), which then says all.
        recipe: "int8", "fp16", "fp32".
        format: "tflite" or "onnx".
    Raises:
        LookupError: there is no such artifact; the message lists what there is.
    """
    artifacts = {file.stem: file for file in _HERE.glob("*/*.json")}
    if name in artifacts:
        return artifacts[name]
    wanted = f"{name}-{recipe}" + ("" if format == "tflite" else f"-{format}")
    if wanted not in artifacts:
        there = ", ".join(sorted(artifacts)) or "none yet"
        raise LookupError(f"No released artifact {wanted}; released: {there}.")
    return artifacts[wanted]


def weights(name: str) -> Path:
    """The float network's weights, float16, for `edge_facenet.train.packed` (to fine-tune).

    Raises:
        LookupError: there are none.
    """
    found = _HERE / name / f"{name}-weights.npz"
    if not found.exists():
        raise LookupError(f"No released weights of {name!r}; there are {', '.join(names()) or 'none yet'}.")
    return found
