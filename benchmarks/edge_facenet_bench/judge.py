"""Whether to believe a lane: what was asked against what ran, drift, too few calls. Each refusal is a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .lanes import Lane, Ran
from .record import Agreement, Status
from .timing import DRIFT_LIMIT, SPREAD_LIMIT, Block, Plan, Summary

AGREEMENT_LIMIT = 0.99
"""Lowest cosine between two engines on one face. One artifact on two processors was seen to differ by up to 1e-3 (dynamic
quantization, half-precision GPU); ten times that is no rounding, it is another network."""


def status_of(asked: Lane, ran: Ran) -> tuple[Status, tuple[str, ...]]:
    """Whether the lane may be timed, compared only, or is not the lane asked for; and why.

    A GPU figure is printed only when a GPU ran: an adapter that a CPU imitates is compared and never timed.
    """
    if asked.delegate != "gpu":
        return "timed", ()
    nodes = "" if ran.nodes is None else f" ({ran.nodes} of {ran.nodes_total} operators delegated)"
    if ran.processor in ("software", "unknown"):
        return "parity", ()
    if ran.processor == "CPU" or ran.nodes == 0:
        return "not run", (f"asked for the GPU, ran on {ran.adapter}{nodes}",)
    return "timed", ()


def notes_of(ran: Ran, status: Status) -> tuple[str, ...]:
    """What a reader should know about what ran."""
    notes = []
    if ran.processor == "software":
        notes.append(f"{ran.adapter}: a CPU plays the adapter, so its results are compared and its time says nothing")
    elif status == "parity":
        notes.append(f"{ran.adapter}: nobody can say whose time this would be, so the results are compared alone")
    if ran.partial:
        left = f", left behind: {', '.join(ran.left)}" if ran.left else ""
        notes.append(f"partial: {ran.nodes} of {ran.nodes_total} operators delegated{left}")
    return tuple(notes)


def timing_faults(summary: Summary | None, plan: Plan) -> tuple[str, ...]:
    """Why these samples are not a figure."""
    if summary is None:
        return ("no call was timed",)
    reasons = []
    if summary.calls < plan.min_calls:
        reasons.append(
            f"only {summary.calls} of {plan.min_calls} calls within {plan.patience:g} s: too slow to be measured"
        )
    if abs(summary.drift) > DRIFT_LIMIT:
        reasons.append(_drift(summary))
    elif summary.spread > SPREAD_LIMIT:
        reasons.append(_spread(summary))
    return tuple(reasons)


def paced_faults(summary: Summary | None) -> tuple[str, ...]:
    """Why the paced calls are not a figure; a lane without any is not at fault.

    The limits are those of bursts, but a fall is judged by its spread alone: heat makes nothing faster, and these are few
    calls on a core that sleeps between them. Of the steady lanes in results/released-latency one fell by 20 %, and none
    rose by 2 %.
    """
    if summary is None:
        return ()
    if summary.drift > DRIFT_LIMIT:
        return (f"paced calls: {_drift(summary)}",)
    return (f"paced calls: {_spread(summary)}",) if summary.spread > SPREAD_LIMIT else ()


def _drift(summary: Summary) -> str:
    cure = "let the machine cool, then measure longer" if summary.drift > 0 else "measure again on a machine at rest"
    return (
        f"drift {summary.drift:+.0%} from the first to the last quarter, limit {DRIFT_LIMIT:.0%}: "
        f"steady state {summary.steady_ms:.3g} ms; {cure}"
    )


def _spread(summary: Summary) -> str:
    quarters = ", ".join(f"{value:.3g}" for value in summary.quarters_ms)
    return f"unsteady: medians of the quarters {quarters} ms, limit {SPREAD_LIMIT:.0%} apart; measure again"


def done(blocks: Sequence[Block], plan: Plan) -> bool:
    """The stop rule: all rounds, and both time and count; or one of the upper limits."""
    calls = sum(len(block.samples_ns) for block in blocks)
    seconds = sum(sum(block.samples_ns) for block in blocks) / 1e9
    # A block counts the loop's own microseconds, its samples do not: their sum falls a little short of `seconds`.
    enough = len(blocks) >= plan.rounds and calls >= plan.min_calls and seconds >= 0.9 * plan.seconds
    return enough or calls >= plan.max_calls or seconds >= plan.patience


def agreement_faults(found: Agreement | None) -> tuple[str, ...]:
    """Why this lane computes something else than the reference does."""
    if found is None or found.cosine_min >= AGREEMENT_LIMIT:
        return ()
    return (
        f"disagrees with {found.reference}: lowest cosine {found.cosine_min:.4f} over {found.faces} faces, "
        f"limit {AGREEMENT_LIMIT}",
    )


def agreement(rows: npt.NDArray[np.float32], reference: npt.NDArray[np.float32], name: str) -> Agreement | None:
    """Cosines between two engines' embeddings of the same faces, each (n, dimension); None when either has no direction."""
    n = min(len(rows), len(reference))
    a, b = rows[:n].astype(np.float64), reference[:n].astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    if n == 0 or not np.isfinite(norms).all() or (norms == 0).any():
        return None
    cosines = np.einsum("ij,ij->i", a, b) / norms
    return Agreement(reference=name, faces=n, cosine_min=float(cosines.min()), cosine_mean=float(cosines.mean()))
