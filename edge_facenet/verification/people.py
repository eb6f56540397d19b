"""How many people a figure stands on, and what it is worth when they are few."""

from __future__ import annotations

from dataclasses import replace

from .bootstrap import MIN_IDENTITIES
from .protocol import OperatingPoint, Verification

FEW_PEOPLE = 10
"""Below it a rate hangs on one pair of people who look alike: 9 people make 36 such pairs, 1 of 36 is 3 %."""


def few_people(result: Verification) -> tuple[str, ...]:
    """The warning when too few people were compared; empty otherwise."""
    people = result.identities
    if people >= FEW_PEOPLE:
        return ()
    pairs, unseen = people * (people - 1) // 2, 1 - 0.05 ** (1 / people)
    no_interval = "" if people >= MIN_IDENTITIES else " There is no interval: resampling needs 3 people."
    return (
        f"too few people: {people}, where {FEW_PEOPLE} are needed. {result.accuracy:.2f} % on {people} people says little "
        f"about others: without a single error, up to {100 * unseen:.0f} % of people could still fail (95 %), and {pairs} "
        f"{'pair' if pairs == 1 else 'pairs'} of people cannot show how alike two strangers may be. Thresholds and VAL are "
        f"not measurable with so few.{no_interval}",
    )


def without_rates(result: Verification) -> Verification:
    """The result with every operating point withheld for want of people."""
    note = f"not measurable ({result.identities} people, {FEW_PEOPLE} are needed)"
    return replace(result, val=tuple(OperatingPoint(far=p.far, note=p.note or note) for p in result.val))
