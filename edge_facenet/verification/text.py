"""Results in plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .protocol import OperatingPoint, Verification
from .thresholds import Transfer
from .wilson import Interval


def describe(result: Verification) -> list[str]:
    """Lines that say what was measured, on what, and what is not measurable."""
    kind = "balanced accuracy" if result.balanced else "accuracy"
    why = " (TAR + TNR) / 2, for the two kinds of pairs differ in number" if result.balanced else ""
    lines = [] if result.valid else [f"INVALID: {'; '.join(result.reasons)}. The figures below mean nothing."]
    lines += [
        f"{result.genuine + result.impostor:,} pairs: {result.genuine:,} of one person, {result.impostor:,} of two; "
        f"{result.identities:,} people",
        f"{kind:18} {result.accuracy:.2f} % ± {result.accuracy_se:.2f} (standard error over {result.folds} folds, "
        f"threshold from the others){_over_people(result.accuracy_interval)}",
    ]
    lines += [f"{'':18}{why}"] if why else []
    lines += [f"{'AUC':18} {100 * result.auc:.2f} %", f"{'EER':18} {100 * result.eer:.2f} %", ""]
    rows = [("FAR", "VAL %", "95 % interval", "cosine above"), *map(_point, result.val)]
    lines += table(rows)
    lines.append(f"The smallest FAR that {result.impostor:,} impostor pairs support is {result.smallest_far:.2g}.")
    return lines


def describe_transfer(transfers: Sequence[Transfer], source: str) -> list[str]:
    """Table of nominal against realised rates."""
    rows = [
        ("nominal FAR", "cosine above", "FAR here", "95 % interval", "nominal TAR %", "TAR % here", "95 % interval")
    ]
    for t in transfers:
        if t.threshold is None or t.far is None or t.tar is None:
            rows.append((f"{t.nominal_far:g}", t.note or "not derived", "", "", "", "", ""))
            continue
        nominal = "" if t.nominal_tar is None else f"{100 * t.nominal_tar:.2f}"
        far_span, tar_span = span(t.far_interval, 1, ".2g"), span(t.tar_interval, 100, ".2f")
        rows.append(
            (
                f"{t.nominal_far:g}",
                f"{t.threshold:.4f}",
                f"{t.far:.2g}",
                far_span,
                nominal,
                f"{100 * t.tar:.2f}",
                tar_span,
            )
        )
    return [f"The artifact's own thresholds, derived on {source}, on these pairs:", *table(rows)]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, columns to the right; a row whose second cell alone is filled is a sentence and widens nothing."""
    sentences = [not any(row[2:]) for row in rows]
    widths = [
        max(len(row[c]) for row, alone in zip(rows, sentences, strict=True) if not (alone and c == 1))
        for c in range(len(rows[0]))
    ]
    lines = []
    for row, alone in zip(rows, sentences, strict=True):
        cells = [row[0].rjust(widths[0]), row[1]] if alone else [c.rjust(w) for c, w in zip(row, widths, strict=True)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def _point(point: OperatingPoint) -> tuple[str, str, str, str]:
    if point.val is None or point.threshold is None:
        return f"{point.far:g}", point.note or "", "", ""
    return (
        f"{point.far:g}",
        f"{100 * point.val:.2f}",
        span(point.interval, 100, ".2f"),
        f"{point.threshold:.4f}",
    )


def span(interval: Interval | None, scale: float, form: str) -> str:
    """ "1.5 to 2.5"; "-" when there is no interval."""
    return "-" if interval is None else f"{scale * interval[0]:{form}} to {scale * interval[1]:{form}}"


def _over_people(interval: Interval | None) -> str:
    return "" if interval is None else f"; 95 % interval over people {span(interval, 1, '.2f')}"
