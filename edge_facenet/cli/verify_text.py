"""The report of `verify`, for a terminal and for programs."""

from __future__ import annotations

from collections.abc import Sequence

from ..manifest import Thresholds
from ..schema import to_json
from ..verification import Identification, OpenSetPoint, ProbeTable, Transfer
from ..verification.probes import EYES
from ..verification.text import describe, describe_transfer, span, table
from .plain import json_text, plain
from .verifying import Elsewhere, Report

PROBE_FAR = 1e-3  # a phone's own; lower ones hang on single pairs in small sets


def as_json(report: Report) -> str:
    """One JSON object."""
    return json_text(to_json(report), indent=2)


def as_text(report: Report, carried: Thresholds | None = None) -> str:
    """The report for a terminal.

    Args:
        carried: the thresholds behind `report.elsewhere`.
    """
    lines = [f"{report.artifact} on {report.engine}", f"{report.pairs[0].upper()}{report.pairs[1:]}", ""]
    lines += [f"WARNING: {warning}" for warning in report.warnings]
    lines += describe(report.verification)
    if report.raw_pixels is not None:
        lines.append(f"Raw pixels reach {report.raw_pixels:.2f} % on the same pairs.")
    if report.transfer:
        lines += ["", *describe_transfer(report.transfer, report.thresholds_source or "unknown data")]
    if report.elsewhere and carried is not None:
        lines += ["", *describe_elsewhere(carried, report.elsewhere)]
    if report.open_set is not None:
        lines += ["", *describe_open_set(report.open_set)]
    if report.probes is not None:
        lines += ["", *describe_probes(report.probes)]
    lines += ["", *(f"Note: {note}." for note in report.notes)] if report.notes else []
    lines += [f"Written: {path}" for path in report.written]
    return "\n".join(map(plain, lines))


def describe_open_set(found: Identification) -> list[str]:
    """FPIR and FNIR, and what they were counted over."""
    rows: list[tuple[str, ...]] = [
        ("threshold by", "cosine above", "FPIR %", "95 % interval", "FNIR %", "95 % interval")
    ]
    rows += [_open_set_row(point) for point in found.at]
    first = span(found.rank_one_interval, 100, ".2f")
    return [
        f"Open set: {found.enrolled} people enrolled with {found.photos} photos each, {found.strangers} strangers; "
        f"{found.draws} draws with seed {found.seed}",
        f"{found.mate_probes:,} probes of enrolled people, {found.stranger_probes:,} of strangers; nearest person right "
        f"(closed set) {100 * found.rank_one:.2f} %{first and '; 95 % interval ' + first}",
        *table(rows),
        f"FPIR: strangers named. FNIR: enrolled people missed or named wrongly. Smallest FPIR: {found.smallest_fpir:.2g}.",
    ]


def describe_probes(found: ProbeTable) -> list[str]:
    """One row per kind of probe, at PROBE_FAR, or the lowest rate that the pairs support."""
    if not found.rows[0].at:
        return [f"Hard probes: not measurable, {found.impostor:,} impostor pairs support no rate."]
    far = max(min(point.far for point in found.rows[0].at), PROBE_FAR)
    rows = [("second side", "accuracy %", "EER %", "VAL %", "TAR %", "95 % interval", "FAR")]
    for row in found.rows:
        point = next(p for p in row.at if p.far == far)
        rows.append(
            (
                row.kind,
                f"{row.accuracy:.2f}",
                f"{100 * row.eer:.2f}",
                _percent(point.val),
                _percent(point.tar),
                span(point.tar_interval, 100, ".1f"),
                "" if point.realised is None else f"{point.realised:.2g}",
            )
        )
    sides = ", ".join(f"{EYES * side:.0f}" for side in (48, 32, 24))
    return [
        f"Hard probes: {found.genuine:,} + {found.impostor:,} pairs of {found.identities} people, the second face of each made hard",
        *table(rows),
        f"VAL at FAR {far:g} with a threshold for these very pairs; TAR and FAR with the threshold of the clean pairs. "
        f"48, 32, 24 px: side of the crop (eyes {sides} px apart).",
    ]


def describe_elsewhere(thresholds: Thresholds, sources: Sequence[Elsewhere]) -> list[str]:
    """Nominal and realised rates of every source in one table, and a sentence where a promise is not kept."""
    rows: list[tuple[str, ...]] = [
        ("nominal FAR", "cosine above", "source", "FAR there", "95 % interval", "times", "TAR %", "95 % interval")
    ]
    for place, nominal in enumerate(thresholds.at):
        if nominal.cosine is None:
            rows.append((f"{nominal.far:g}", nominal.note or "not derived", "", "", "", "", "", ""))
            continue
        tar = "" if nominal.tar is None else f"{100 * nominal.tar:.2f}"
        rows.append((f"{nominal.far:g}", f"{nominal.cosine:.4f}", "nominal", f"{nominal.far:g}", "", "1", tar, ""))
        for source in sources:
            rows.append(_elsewhere_row(source.source, source.points[place]))
    head = f"Thresholds derived on {thresholds.source} ({thresholds.identities} people), carried to other photos:"
    counts = [
        f"  {s.source}: {s.people:,} people, {s.genuine:,} genuine and {s.impostor:,} impostor pairs" for s in sources
    ]
    return [head, *counts, *table(rows), *(line for s in sources for line in _broken_promises(s))]


def _elsewhere_row(name: str, t: Transfer) -> tuple[str, ...]:
    if t.far is None or t.tar is None:
        return ("", "", name, t.note or "", "", "", "", "")
    times = f"{t.far / t.nominal_far:.2g}"
    return (
        "",
        "",
        name,
        f"{t.far:.2g}",
        span(t.far_interval, 1, ".2g"),
        times,
        _percent(t.tar),
        span(t.tar_interval, 100, ".2f"),
    )


def _broken_promises(source: Elsewhere) -> list[str]:
    """Where the interval excludes the nominal rate, from above."""
    broken = [
        t.far / t.nominal_far
        for t in source.points
        if t.far is not None and t.far_interval is not None and t.far_interval[0] > t.nominal_far
    ]
    if not broken:
        return []
    least, most = f"{min(broken):.1f}", f"{max(broken):.1f}"
    times = least if least == most else f"{least} to {most}"
    return [
        f"On {source.source} strangers pass {times} times as often as promised: for photos of that kind derive thresholds on "
        "such photos (--thresholds), or take a stricter one."
    ]


def _open_set_row(point: OpenSetPoint) -> tuple[str, ...]:
    if point.threshold is None:
        return (point.rule, point.note or "", "", "", "", "")
    return (
        point.rule,
        f"{point.threshold:.4f}",
        _percent(point.fpir),
        span(point.fpir_interval, 100, ".2f"),
        _percent(point.fnir),
        span(point.fnir_interval, 100, ".2f"),
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"
