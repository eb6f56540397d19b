"""The MUL-ADD budget: what is counted, the limits, and the sentence when one is exceeded.

MUL-ADDs are the multiply-adds of convolutions and dense layers; biases, normalisation, activations and pooling are not
counted. FLOPs are 2x and shown beside. Source of the default limit: Szegedy et al., "Going Deeper with Convolutions"
(2014), section 1: "a computational budget of 1.5 billion multiply-adds at inference time".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import BudgetExceeded
from .schema import doc

RULE = "multiply-adds of convolutions and dense layers; biases, normalisation, activations and pooling not counted; FLOPs = 2x"
DEFAULT_MULADDS = 1_500_000_000


@dataclass(frozen=True)
class LayerCost:
    """One convolution or dense layer."""

    name: str = doc("layer or tensor name")
    kind: str = doc("CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED …")
    output: tuple[int, ...] = doc("shape of the output, batch 1")
    muladds: int = doc("multiply-adds per face")
    parameters: int = doc("weights and bias")


@dataclass(frozen=True)
class Budget:
    """Upper limits; None means no limit."""

    muladds: int | None = doc("multiply-adds per face", DEFAULT_MULADDS)
    bytes: int | None = doc("size of the model file", None)

    def check_muladds(self, layers: Sequence[LayerCost], what: str) -> int:
        """The sum over `layers`.

        Raises:
            BudgetExceeded: above the limit; names the excess and the three costliest layers.
        """
        total = sum(layer.muladds for layer in layers)
        if self.muladds is not None and total > self.muladds:
            costliest = sorted(layers, key=lambda layer: -layer.muladds)[:3]
            names = "; ".join(f"{layer.name} {millions(layer.muladds)}" for layer in costliest)
            raise BudgetExceeded(
                f"{what} costs {millions(total)} MUL-ADDs per face, {millions(total - self.muladds)} above the budget of "
                f"{millions(self.muladds)}. Costliest layers: {names}. Take a smaller input size or width, or raise the budget."
            )
        return total

    def check_bytes(self, found: int, what: str) -> None:
        """Hold the size of a model file against its limit.

        Raises:
            BudgetExceeded: above the limit.
        """
        if self.bytes is not None and found > self.bytes:
            raise BudgetExceeded(f"{what}: {found:,} bytes, {found - self.bytes:,} above the budget of {self.bytes:,}.")


def millions(count: float) -> str:
    """1416970000 -> '1,417.0 M'."""
    return f"{count / 1e6:,.1f} M"
