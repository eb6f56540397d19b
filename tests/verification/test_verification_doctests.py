"""The examples in the docstrings say what the code does."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module", ["bootstrap", "leaks", "pairfile", "pairs", "shares", "sweep", "thresholds", "wilson"]
)
def test_docstring_examples(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"edge_facenet.verification.{module}"))
    assert result.attempted and not result.failed
