"""What is said after people were enrolled: whether one of them may be known already under another name."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge_facenet.errors import ThresholdError
from edge_facenet.gallery.decide import threshold

if TYPE_CHECKING:
    from edge_facenet.gallery import Templates
    from edge_facenet.recognise import FaceRecognizer


def remarks(recognizer: FaceRecognizer, created: Sequence[int]) -> Iterator[str]:
    """One line for each new person who would be taken for another one, or one when this model cannot name anybody.

    Args:
        created: ids of the new people.
    """
    templates = recognizer.gallery.templates()
    try:
        limit = threshold(recognizer.embedder.manifest.thresholds, templates, recognizer.options.fpir).cosine
    except ThresholdError as error:
        yield f"Enrolled, but this model cannot say who somebody is: {error}"
        return
    forget = f"edge-facenet gallery forget --gallery {shlex.quote(str(recognizer.gallery.path))} --id"
    said = set[frozenset[int]]()
    for person in created:
        row, other, cosine = _nearest(templates, person)
        pair = frozenset({row, other})
        if cosine > limit and pair not in said:
            said.add(pair)
            one, two = (f"{templates.names[k]} (id {templates.ids[k]})" for k in (row, other))
            yield (
                f"{one} and {two} look alike ({cosine:.3f}). If they are one person, forget one of the two ({forget} {person}): "
                "two ids of one person are not told apart."
            )


def _nearest(templates: Templates, person: int) -> tuple[int, int, float]:
    """(row, row of the nearest other person, cosine); a cosine of -1 when there is nobody else."""
    row = int(np.searchsorted(templates.ids, person))
    if row == len(templates) or templates.ids[row] != person or len(templates) < 2:
        return row, row, -1.0
    scores = templates.matrix @ templates.matrix[row]
    scores[row] = -np.inf
    other = int(scores.argmax())
    return row, other, float(scores[other])
