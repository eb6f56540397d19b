"""Fixtures of the commands that recognise people."""

from faces_world import call, opened, recognizer, synthetic

__all__ = ["call", "opened", "recognizer", "synthetic"]
