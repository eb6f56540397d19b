"""Learning from names: softmax (with a margin or without), centre loss and triplets, alone or together.

All terms see the same batch of P people x K photos. Each may begin and end at a share of the training (`since`, `until`):
softmax with centres first and triplets after is one configuration. Where the backbone shows inner maps, an auxiliary head
on each gives an embedding of its own, and every term is computed on it too, at the auxiliary weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from . import losses, miners
from .course import Batch, Course, Terms, words
from .heads import AuxiliaryHead, Centres, CosineHead
from .jitter import jitter
from .offline import OfflineMiner
from .sampler import IdentitySampler

FIGURES = {"softmax": "accuracy", "center": "center_drift", "triplet": "active_triplets"}
"""What each term logs beside its loss: share of the batch the head names rightly; mean distance from the batch's photos
to their centres, before these move; share of triplets with a loss."""


class LabelObjective:
    """The terms named in the configuration, over the training identities."""

    in_any_order = True
    look_names: tuple[str, ...] = ()

    def __init__(self, course: Course) -> None:
        self._course, config = course, course.config
        self._terms = [term for term in words(config.objective) if term in FIGURES]
        rows = [course.crops.rows_of([name]) for name in course.split.train]
        self._sampler = IdentitySampler(rows, config.batch.people, config.batch.images, config.seed)
        self._offline = None
        if "triplet" in self._terms and config.triplet.mining == "offline":
            self._offline = OfflineMiner(course, rows)
        maps = course.maps if config.auxiliary.weight else ()
        self._auxiliary = [
            AuxiliaryHead(shape, config.auxiliary, config.backbone.dimension, f"auxiliary{number}")
            for number, shape in enumerate(maps)
        ]
        self._parts = [_Part(course, self._terms, len(rows)) for _ in range(1 + len(maps))]
        self.heads: Sequence[Any] = [*self._auxiliary, *(head for part in self._parts for head in part.heads)]
        self.names: tuple[str, ...] = (
            *self._terms,
            *(("auxiliary",) if self._auxiliary else ()),
            *(FIGURES[term] for term in self._terms),
        )

    def batch(self, step: int) -> Batch:
        """Views of P x K crops, their labels, and how far the training has come (0..1, the same for every row).

        With offline mining: anchors, then their positives, then their negatives.
        """
        rows, labels, rng = self._sampler.draw(step) if self._offline is None else self._offline.draw(step)
        crops, config = self._course.crops, self._course.config
        size = config.backbone.size
        views = [jitter(crop, rng, config.jitter, size, crops.margin) for crop in crops.crops(rows)]
        made: Batch = {"image": np.stack(views), "label": labels}
        made["progress"] = np.full(len(rows), step / config.steps, np.float32)
        if config.triplet.mining == "random":
            made["chance"] = rng.random((len(rows), len(rows)), np.float32)
        return made

    def terms(self, embeddings: Any, batch: dict[str, Any], maps: Sequence[Any] = ()) -> Terms:
        """Named "softmax", "center", "triplet" and "auxiliary" (of all auxiliary heads together)."""
        main = self._parts[0].terms(embeddings, batch)
        if not self._auxiliary:
            return main
        weight, total = self._course.config.auxiliary.weight, ops.zeros(())
        for head, part, inner in zip(self._auxiliary, self._parts[1:], maps, strict=True):
            total = total + weight * sum(part.terms(head(inner), batch).losses.values())
        return Terms({**main.losses, "auxiliary": total}, main.figures)

    def ready(self, step: int, network: Callable[[], Any]) -> None:
        """Mine with these weights when the time has come."""
        if self._offline is not None:
            self._offline.ready(step, network)

    def look(self, network: Any) -> dict[str, float]:
        """Nothing of its own."""
        return {}

    def stop(self) -> None:
        """Let go of a batch that waits for its triplets."""
        if self._offline is not None:
            self._offline.stop()

    def close(self) -> None:
        """Nothing to release."""


class _Part:
    """The terms of one embedding: the network's, or an auxiliary head's."""

    def __init__(self, course: Course, terms: Sequence[str], classes: int) -> None:
        self._config, self._terms = course.config, terms
        dimension = course.config.backbone.dimension
        self._softmax = CosineHead(dimension, classes, course.config.softmax.scale) if "softmax" in terms else None
        self._centres = Centres(dimension, classes, course.config.center.rate) if "center" in terms else None
        self.heads = [head for head in (self._softmax, self._centres) if head is not None]

    def terms(self, embeddings: Any, batch: dict[str, Any]) -> Terms:
        rows, progress = losses.unit(embeddings), ops.max(batch["progress"])
        values = {term: getattr(self, f"_{term}_term")(rows, batch, progress) for term in self._terms}
        weighted = {}
        for term, (loss, _) in values.items():
            settings = getattr(self._config, term)
            on = ops.logical_and(progress >= settings.since, progress < settings.until)
            weighted[term] = ops.where(on, settings.weight * loss, 0.0)
        return Terms(weighted, {FIGURES[term]: figure for term, (_, figure) in values.items()})

    def _softmax_term(self, rows: Any, batch: dict[str, Any], progress: Any) -> tuple[Any, Any]:
        settings, labels = self._config.softmax, batch["label"]
        assert self._softmax is not None
        cosines = self._softmax.cosines(rows)
        right = ops.equal(ops.cast(ops.argmax(cosines, axis=-1), "int32"), ops.cast(labels, "int32"))
        risen = ops.minimum(1.0, (progress - settings.since) / max(settings.margin_warmup, 1e-9))
        margin = settings.margin * ops.maximum(risen, 0.0)
        logits = settings.scale * losses.with_margin(cosines, labels, settings.margin_kind, margin)
        loss = losses.smoothed_cross_entropy(logits, labels, settings.smoothing)
        return loss, ops.mean(ops.cast(right, "float32"))

    def _center_term(self, rows: Any, batch: dict[str, Any], progress: Any) -> tuple[Any, Any]:
        assert self._centres is not None
        loss = losses.center(rows, self._centres.of(batch["label"]))
        return loss, self._centres.move(rows, batch["label"])

    def _triplet_term(self, rows: Any, batch: dict[str, Any], progress: Any) -> tuple[Any, Any]:
        settings = self._config.triplet
        if settings.mining == "offline":
            anchors, positives, negatives = ops.split(rows, 3)
            return losses.mined_triplet(anchors, positives, negatives, settings.margin)
        distances = losses.squared_distances(rows)
        negatives, pairs = miners.MINERS[settings.mining](distances, batch["label"], batch.get("chance"))
        return losses.triplet(distances, negatives, pairs, settings.margin)
