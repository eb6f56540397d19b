"""A TFLite file's operators and tensors, read from its FlatBuffer: no TensorFlow, no interpreter."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as tfl

from edge_facenet.errors import ManifestError

Shape = tuple[int, ...]
_OPERATOR_NAMES = {value: name for name, value in vars(tfl.BuiltinOperator).items() if not name.startswith("_")}
_TYPE_NAMES = {value: name for name, value in vars(tfl.TensorType).items() if not name.startswith("_")}
# What a damaged FlatBuffer raises while it is read: the bindings follow offsets without checking them.
DAMAGE = (struct.error, LookupError, ValueError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Operator:
    """One operator: `at` is its number in the file, -1 in `inputs` an input left out."""

    at: int
    kind: str
    inputs: Shape
    outputs: Shape
    adjoint: tuple[bool, bool] = (False, False)


class TFLiteFile:
    """The main subgraph of a file; tensors by their number.

    Raises:
        ManifestError: damaged or cut short.
    """

    def __init__(self, content: bytes) -> None:
        try:
            self._model = tfl.Model.GetRootAs(content, 0)
            for index in range(self._model.BuffersLength()):
                buffer = self._model.Buffers(index)
                buffer.DataAsNumpy()  # raises where the file ends before its weights do
                if buffer.Offset() > 1 and buffer.Offset() + buffer.Size() > len(
                    content
                ):  # weights behind the FlatBuffer
                    raise ValueError(f"weights end at byte {buffer.Offset() + buffer.Size():,}")
            self._main = self._model.Subgraphs(0)
            self.inputs = _numbers(self._main.InputsAsNumpy())
            self.operators = list(self._operators(self._main))
            others = [self._model.Subgraphs(i) for i in range(1, self._model.SubgraphsLength())]
            self.hidden = [operator for subgraph in others for operator in self._operators(subgraph)]
        except DAMAGE as error:
            raise ManifestError(
                f"This TFLite file is damaged or cut short ({len(content):,} bytes): {error}."
            ) from error

    @cached_property
    def producers(self) -> dict[int, Operator]:
        """The operator that makes a tensor, by tensor."""
        return {tensor: operator for operator in self.operators for tensor in operator.outputs}

    def name(self, tensor: int) -> str:
        """Name of a tensor, the first of those joined when operators were fused."""
        return str((self._main.Tensors(tensor).Name() or b"").decode(errors="replace").split(";")[0])

    def dtype(self, tensor: int) -> str:
        """ "FLOAT32", "INT8" …"""
        return str(_TYPE_NAMES[self._main.Tensors(tensor).Type()])

    def shape(self, tensor: int) -> Shape:
        """Sizes as stored; where the file leaves one open, 1."""
        return _numbers(self._main.Tensors(tensor).ShapeAsNumpy())

    def signature(self, tensor: int) -> Shape:
        """Sizes with -1 where the file leaves one open."""
        return _numbers(self._main.Tensors(tensor).ShapeSignatureAsNumpy()) or self.shape(tensor)

    def is_constant(self, tensor: int) -> bool:
        """Whether the tensor's values are in the file."""
        buffer = self._model.Buffers(self._main.Tensors(tensor).Buffer())
        return bool(buffer.DataLength() > 0) or bool(
            buffer.Offset() > 1
        )  # > 1: behind the FlatBuffer, in files above 2 GB

    def floats(self) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        """Name and values of every float32 constant."""
        for index in range(self._main.TensorsLength()):
            tensor = self._main.Tensors(index)
            data = self._model.Buffers(tensor.Buffer()).DataAsNumpy()
            if self.dtype(index) == "FLOAT32" and not isinstance(data, int):
                yield self.name(index), data.view(np.float32)

    def _operators(self, subgraph: Any) -> Iterator[Operator]:
        for at in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(at)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            # Files of before 2020 hold the code in the deprecated 8-bit field alone.
            kind = _OPERATOR_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs, outputs = (_numbers(v) for v in (operator.InputsAsNumpy(), operator.OutputsAsNumpy()))
            yield Operator(at, kind, inputs, outputs, _adjoint(operator) if kind == "BATCH_MATMUL" else (False, False))


def _adjoint(operator: Any) -> tuple[bool, bool]:
    options = tfl.BatchMatMulOptions()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return bool(options.AdjX()), bool(options.AdjY())


def _numbers(values: Any) -> Shape:
    return () if isinstance(values, int) else tuple(int(v) for v in values)  # an absent vector reads as 0
