"""Converters log and warn about their own insides; what goes wrong arrives here as an exception or at a gate."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

from edge_facenet.engines.native_output import caught


@contextlib.contextmanager
def quiet(logger: str = "") -> Iterator[None]:
    """Silence stderr, Python warnings and a logger's messages below ERROR (the root logger's by default)."""
    chosen = logging.getLogger(logger or None)
    before = chosen.level
    chosen.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), caught(1, 2):
            warnings.simplefilter("ignore")
            yield
    finally:
        chosen.setLevel(before)
