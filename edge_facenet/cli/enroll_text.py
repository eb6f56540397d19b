"""What `enroll` says of each person, in plain text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edge_facenet.recognise import Enrolment
from edge_facenet.schema import to_json


@dataclass(frozen=True)
class Outcome:
    """What became of one person."""

    name: str
    enrolment: Enrolment | None = None
    unchanged: int = 0
    """Photos that were known by path and hash, and not looked at."""
    gone: tuple[str, ...] = ()
    """Enrolled photos of the folder that are no longer there."""
    pruned: int = 0
    forgotten: bool = False
    """Nothing was left of the person."""
    error: str | None = None
    left_out: tuple[str, ...] = ()
    """Files that are no pictures."""


def values(outcome: Outcome) -> dict[str, Any]:
    """For `--json`."""
    done = outcome.enrolment
    return {
        "name": outcome.name if done is None else done.name,
        "person": None if done is None else done.person,
        "created": done is not None and done.created,
        "added": 0 if done is None else done.added,
        "unchanged": outcome.unchanged + (0 if done is None else done.known),
        "replaced": 0 if done is None else done.replaced,
        "pictures": 0 if done is None else done.pictures,
        "embeddings": None if done is None else done.embeddings - outcome.pruned,
        "refused": [] if done is None else to_json(done.refused),
        "gone": list(outcome.gone),
        "pruned": outcome.pruned,
        "forgotten": outcome.forgotten,
        "left_out": list(outcome.left_out),
        "error": outcome.error,
    }


def lines(outcome: Outcome) -> Iterator[str]:
    """For people."""
    done = outcome.enrolment
    if outcome.error is not None:
        yield outcome.error
    if done is not None and (outcome.error is None or outcome.pruned):
        found = values(outcome)
        counts = {
            "added": done.added,
            "unchanged": found["unchanged"],
            "replaced": done.replaced,
            "given a picture": done.pictures,
            "pruned": outcome.pruned,
        }
        listed = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "nothing added"
        total = found["embeddings"]
        rest = "forgotten" if outcome.forgotten else f"{_photos_text(total)} in all"
        yield f"{done.name} (id {done.person}{', new' if done.created else ''}): {listed}; {rest}"
        for refusal in done.refused:
            yield f"  left out: {f'{refusal.source}: ' if refusal.source else ''}{refusal.reason}"
    if outcome.gone:
        yield f"  {_photos_text(len(outcome.gone))} enrolled before, no longer in the folder (--prune forgets them): {some(outcome.gone)}"
    if outcome.left_out:
        yield f"  not pictures: {some(outcome.left_out)}"


def _photos_text(count: int) -> str:
    return f"{count} photo{'s' * (count != 1)}"


def some(paths: Sequence[str]) -> str:
    """The first three, and how many more."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
