"""The budget, and the sentence when it is exceeded."""

from __future__ import annotations

import pytest

from edge_facenet.budget import DEFAULT_MULADDS, Budget, LayerCost, millions
from edge_facenet.errors import BudgetExceeded, GateError

LAYERS = [
    LayerCost(f"conv{k}", "CONV_2D", (1, 8, 8, 8), muladds, 100)
    for k, muladds in enumerate([500_000_000, 20_000_000, 900_000_000, 130_000_000])
]


def test_the_default_is_googlenets() -> None:
    assert Budget().muladds == DEFAULT_MULADDS == 1_500_000_000


def test_within_the_budget_the_sum_is_returned() -> None:
    assert Budget().check_muladds(LAYERS[:2], "net") == 520_000_000
    assert Budget(muladds=1_550_000_000).check_muladds(LAYERS, "net") == 1_550_000_000  # the limit itself is allowed
    assert Budget(muladds=None).check_muladds(LAYERS * 10, "net") == 15_500_000_000


def test_over_budget_names_excess_and_the_three_costliest_layers() -> None:
    with pytest.raises(BudgetExceeded) as caught:
        Budget().check_muladds(LAYERS, "inception-resnet-v1@224")
    assert str(caught.value) == (
        "inception-resnet-v1@224 costs 1,550.0 M MUL-ADDs per face, 50.0 M above the budget of 1,500.0 M. Costliest "
        "layers: conv2 900.0 M; conv0 500.0 M; conv3 130.0 M. Take a smaller input size or width, or raise the budget."
    )
    assert isinstance(caught.value, GateError)


def test_the_size_of_a_file() -> None:
    Budget().check_bytes(10**12, "x")  # no limit
    Budget(bytes=100).check_bytes(100, "x")
    with pytest.raises(BudgetExceeded, match="x: 101 bytes, 1 above the budget of 100"):
        Budget(bytes=100).check_bytes(101, "x")


def test_large_figures_keep_their_digits() -> None:
    with pytest.raises(BudgetExceeded, match=r"x: 7,030,001 bytes, 30,001 above the budget of 7,000,000\."):
        Budget(bytes=7_000_000).check_bytes(7_030_001, "x")


def test_millions() -> None:
    assert millions(1_416_970_000) == "1,417.0 M"
