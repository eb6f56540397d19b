"""What an engine is: arrays in, arrays out. It knows nothing of faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a graph."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: tuple[float, int] | None = None
    """Scale and zero point of an integer tensor."""


class Engine(Protocol):
    """A loaded graph. Safe to call from several threads; returned arrays own their memory.

    `name` is the engine's ("litert", "tflite-runtime", "onnxruntime", "litert-gpu"); `ran_on` says what did the work
    ("CPU, XNNPACK 42 of 42 nodes", "SwiftShader Device (Subzero), software").
    """

    name: str
    ran_on: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One call of the graph.

        Raises:
            InputError: a shape or type other than `inputs` says.
        """
        ...
