"""Fixtures of the recognise tests."""

from faces_world import call, opened, recognizer, synthetic

__all__ = ["call", "opened", "recognizer", "synthetic"]
