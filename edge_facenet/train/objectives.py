"""What a training minimises, by name: terms put together with "+". The next one is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from .course import Batch, Course, Objective, Terms, labelled, words


class Sum:
    """Two objectives side by side: each brings its own pictures, and the losses are added."""

    def __init__(self, first: Objective, second: Objective) -> None:
        self.parts = (first, second)
        self.names: tuple[str, ...] = (*first.names, *second.names)
        self.look_names: tuple[str, ...] = (*first.look_names, *second.look_names)
        self.heads: Sequence[Any] = [*first.heads, *second.heads]
        self.in_any_order = first.in_any_order and second.in_any_order
        self._first = 0

    def batch(self, step: int) -> Batch:
        """Arrays of both; the first one's pictures stand first."""
        first, second = (part.batch(step) for part in self.parts)
        self._first = len(first["image"])
        return {**first, **second, "image": np.concatenate([first["image"], second["image"]])}

    def terms(self, embeddings: Any, batch: dict[str, Any], maps: Sequence[Any] = ()) -> Terms:
        """Terms of both, each of its own pictures' embeddings."""
        (first, second), n = self.parts, self._first
        a = first.terms(embeddings[:n], batch, [m[:n] for m in maps])
        b = second.terms(embeddings[n:], batch, [m[n:] for m in maps])
        return Terms({**a.losses, **b.losses}, {**a.figures, **b.figures})

    def look(self, network: Any) -> dict[str, float]:
        """Figures of both."""
        first, second = self.parts
        return {**first.look(network), **second.look(network)}

    def ready(self, step: int, network: Callable[[], Any]) -> None:
        """Tell both."""
        for part in self.parts:
            part.ready(step, network)

    def stop(self) -> None:
        """Stop both."""
        for part in self.parts:
            part.stop()

    def close(self) -> None:
        """Close both."""
        for part in self.parts:
            part.close()


def build(course: Course) -> Objective:
    """The objective named in the configuration.

    Raises:
        ConfigError: an unknown name.
        InputError: the crops cannot serve it.
    """
    terms = words(course.config.objective)
    parts: list[Callable[[Course], Objective]] = []
    if "distil" in terms:
        parts.append(import_module(".distil", __package__).objective)
    if labelled(course.config.objective):
        parts.append(import_module(".labels", __package__).LabelObjective)
    made = [part(course) for part in parts]
    return made[0] if len(made) == 1 else Sum(*made)
