"""Figures and sentences for people, the same in every rendering of the report."""

from __future__ import annotations

from collections.abc import Sequence

from .comparable import comparable, one_machine
from .faces import Data
from .machine import Machine
from .record import Accuracy
from .report import Ratio, Report, Row
from .run import Gap
from .timing import Plan

MUST_NOT = (
    "to decide about people: police work, access to rights or money, hiring, exams, borders",
    "to watch people who have not agreed to it",
    "to guess sex, age, origin, health or mood; an embedding does not know them",
    "as the only lock on anything: a photo held up to the camera passes, there is no liveness test",
    "on people unlike those it was measured on (children, other lighting, masks) without measuring there first",
)
WORDS = (
    ("artifact", "a model file and the manifest that says how to feed it, what it costs and what was measured of it"),
    ("recipe", "how the numbers inside are stored: fp32 and fp16 are floating point, int8 is whole numbers of 8 bits"),
    ("lane", "one artifact on one engine with so many threads, measured in a process of its own"),
    (
        "accuracy",
        "share of pairs decided rightly, same person or not; both kinds weigh the same, so guessing gives 50 %",
    ),
    ("(a–b)", "where the accuracy would lie with other people of this kind, 95 % bootstrap over the tested people"),
    (
        "± folds",
        "standard error over the ten folds, as the literature gives it; folds share people, so it is too small",
    ),
    ("EER", "equal error rate: where wrongly accepted and wrongly rejected pairs are equally frequent"),
    ("TAR at FAR 1 %", "share of pairs of one person accepted while 1 % of the pairs of two people are"),
    ("p50, p90, p99", "half, 90 %, 99 % of all calls took at most this long"),
    ("MUL-ADDs", "multiply-adds of convolutions and dense layers for one face; FLOPs are twice this"),
)


def ms(value: float | None) -> str:
    """Three significant digits: '0.184', '13.5', '128'."""
    if value is None:
        return "–"
    return (
        f"{value:,.0f}"
        if value >= 100
        else f"{value:.1f}"
        if value >= 10
        else f"{value:.2f}"
        if value >= 1
        else f"{value:.3f}"
    )


def megabytes(value: int | None) -> str:
    """'0.94 MB', '12.3 MB', '104 MB'; a megabyte is 1,000,000 bytes."""
    if value is None:
        return "–"
    size = value / 1e6
    return f"{size:,.0f} MB" if size >= 100 else f"{size:.1f} MB" if size >= 10 else f"{size:.2f} MB"


def millions(value: int | None) -> str:
    """'153 M', '16.4 M'."""
    if value is None:
        return "–"
    return (
        f"{value / 1e6:,.0f} M" if value >= 1e8 else f"{value / 1e6:.1f} M" if value >= 1e6 else f"{value / 1e6:.2f} M"
    )


def percent(found: Accuracy | None) -> str:
    """'80.6 % (76.0–84.9)', with the interval over people; '80.6 %' without."""
    if found is None:
        return "–"
    span = f" ({found.interval[0]:.1f}–{found.interval[1]:.1f})" if found.interval else ""
    return f"{found.accuracy:.1f} %{span}"


def fold_error(found: Accuracy | None) -> str:
    """'± 0.9', the standard error over folds."""
    return "–" if found is None else f"± {found.accuracy_se:.1f}"


def tar(found: Accuracy | None, far: str = "0.01") -> str:
    """'36.8 %', or why not."""
    if found is None:
        return "–"
    return f"{found.tar[far]:.1f} %" if far in found.tar else f"not measurable with {found.impostor:,} pairs"


def signed(value: float, digits: int = 1) -> str:
    """'+0.1', '−1.3', '0.0'."""
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("−" if value < 0 else "+") + text


def model(row: Row) -> str:
    """'orl int8 TFLite'."""
    return f"{row.network} {row.recipe} {FORMATS.get(row.format, row.format)}"


FORMATS = {"tflite": "TFLite", "onnx": "ONNX"}


def faster(found: Ratio) -> str:
    """'1.33x as fast', 'as fast', or '1.20x the time: slower'."""
    if abs(found.median - 1) < 0.03:  # rounds of one file against itself differ by as much
        return "as fast"
    return f"{1 / found.median:.2f}x as fast" if found.median < 1 else f"{found.median:.2f}x the time: slower"


RECIPES = ("Against fp32", "Lane", "Share of its time", "That is", "Rounds", "Accuracy, points (95 %)")
RECIPES_READ = (
    "Time against the fp32 file of the same network on the same lane: each round's medians are divided, so that what "
    "disturbed the machine hits both; the middle of the rounds, the lowest and the highest. A recipe pays on a device "
    "when it is measured to, never because it is smaller."
)


def recipes(report: Report) -> list[tuple[bool, tuple[str, ...]]]:
    """Rows of the table of recipes against fp32, each with whether both its lanes are valid."""
    gaps = {found.artifact: found for found in report.gaps}
    rows: list[tuple[bool, tuple[str, ...]]] = []
    for found in report.ratios:
        rounds = f"{found.low:.2f} to {found.high:.2f} ({found.rounds})"
        cells = (
            found.artifact,
            f"{found.lane}, {found.machine}" if len(report.machines) > 1 else found.lane,
            f"{found.median:.2f}",
            faster(found),
            rounds,
            gap(gaps.get(found.artifact)),
        )
        rows.append((found.valid, cells))
    return rows


MEASURED = (
    "Every lane runs in a process of its own; those that the Android app measures share the app's. All are opened first; then "
    "they take turns, one at a time, so that drift of the machine hits all alike. Percentiles are nearest ranks of all sorted samples; every sample is kept in records/. "
    "Time is counted from the uint8 pixels to the embedding in hand, on the path that edge_facenet.load gives to everyone."
)


def plans(report: Report) -> list[str]:
    """How it was measured, in paragraphs: what holds for all lanes, then each plan, named where there are several."""
    several = len(report.plans) > 1
    return [
        MEASURED,
        *(f"{'; '.join(one.places) if several else 'All lanes'}: {_numbers(one.plan)}" for one in report.plans),
    ]


def _numbers(p: Plan) -> str:
    paced = (
        f"Paced calls start every {p.period_ms:g} ms, for {p.paced_seconds:.2g} s."
        if p.paced_seconds
        else "No paced calls were made."
    )
    return (
        f"{p.rounds} rounds. A block starts with {p.warmup} calls that are not recorded. A lane ends when it has "
        f"{p.seconds:g} s and {p.min_calls} calls in bursts, or {p.max_calls:,} calls; one that is not done after "
        f"{p.patience:g} s says so. {paced}"
    )


def headline(report: Report) -> str:
    """The one figure to take away: of the valid lanes within one point of the best accuracy, the fastest.

    One point is what a recipe may cost; one-thread lanes of the processor go first. What has none may be the faster
    one: then it is named.
    """
    trusted = [row for row in report.rows if row.valid and row.status == "timed" and row.burst is not None]
    rows = one_machine([row for row in trusted if row.accuracy is not None] or trusted)
    known = [(row, row.accuracy) for row in rows if row.accuracy is not None]
    if not rows:
        return "No lane gave a figure that can be trusted; each row says why."
    if not known:
        best = min(rows, key=_latency)
        return f"Fastest: {model(best)} on {best.lane}{_where(report, best)}, {_pace(best)}, {megabytes(best.bytes)}."
    top = max(found.accuracy for _, found in known)
    equal = [row for row, found in known if found.accuracy >= top - 1]
    single = [row for row in equal if row.threads == 1 and not row.key.endswith("-gpu")]
    best = min(single or equal, key=_latency)
    return (
        f"{model(best)}: {percent(best.accuracy)} of pairs decided rightly on {whom(report)}, "
        f"{_pace(best)} on {best.lane}{_where(report, best)}, {megabytes(best.bytes)}.{not_compared(report)}"
    )


def whom(report: Report) -> str:
    """Whose pairs: without a split nobody knows whether the network was trained on them."""
    if report.data is not None and not report.data.test:
        return "all labelled people (whether it was trained on them is unknown)"
    return "people never seen before"


def _where(report: Report, row: Row) -> str:
    return f" of {row.machine}" if len(report.machines) > 1 else ""


def not_compared(report: Report) -> str:
    """A sentence, a space before it, that names what was timed and has no valid lane of the kind compared; or nothing."""
    shown = comparable(report)
    where = f" on {shown.machine}" if len(report.machines) > 1 else ""
    return (
        f" Left out, because no lane of theirs with {shown.kind}{where} is valid: {', '.join(shown.missing)}."
        if shown.missing
        else ""
    )


def _pace(row: Row) -> str:
    burst = f"{ms(row.burst.p50_ms if row.burst else None)} ms a face"
    return f"{ms(row.paced.p50_ms)} ms a face at a camera's pace ({burst} in a burst)" if row.paced else burst


def _latency(row: Row) -> float:
    chosen = row.paced or row.burst
    return chosen.p50_ms if chosen else float("inf")


def gap(found: Gap | None) -> str:
    """'+0.1 (−0.6 to +0.7)'."""
    if found is None:
        return "–"
    span = "" if found.interval is None else f" ({signed(found.interval[0])} to {signed(found.interval[1])})"
    return signed(found.points) + span


def absent(rows: Sequence[Row]) -> list[list[Row]]:
    """Lanes that did not run, together where lane and reason are the same."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row.status == "not run":
            found.setdefault((row.machine, row.lane, row.reasons), []).append(row)
    return list(found.values())


def remarks(row: Row) -> list[str]:
    """Reasons first, then notes, then how far the lane agrees with the reference where that is the point."""
    said = [*row.reasons, *row.notes]
    if row.agreement is not None and row.status == "parity":
        found = row.agreement
        apart = max(1 - found.cosine_min, 0)
        said.append(f"1 − cosine to {found.reference}: at most {apart:.0e} over {found.faces} faces")
    return said


def data(found: Data) -> list[tuple[str, str]]:
    """Counts and seeds of the faces."""
    pairs = [
        ("crop set", f"{found.source} (sha256 {found.sha256[:12]}…)"),
        ("measured on", f"{found.people} people, {found.photos} photos: {found.part}"),
        ("pairs", f"{found.genuine:,} of one person, {found.impostor:,} of two, {found.folds} folds (seed 0)"),
    ]
    if found.seed is not None:
        pairs.append(("seed of the split", str(found.seed)))
    return pairs


def machine(found: Machine) -> list[tuple[str, str]]:
    """Where it was measured, and in which state."""
    before, after = found.before, found.after
    memory = "" if found.memory_bytes is None else f", {found.memory_bytes / 2**30:.0f} GiB of memory"
    pairs = [
        ("processor", f"{found.cpu}, {found.cores} cores{memory}"),
        ("system", f"{found.system}, {found.architecture}; Python {found.python}"),
        ("governor", found.governor),
        ("load average", f"{_known(before.load_average)} before, {_known(after.load_average)} after"),
        ("temperature", f"{_known(before.temperature)} before, {_known(after.temperature)} after (°C)"),
        ("throttling", after.throttled if after.throttled != "unknown" else _events(found)),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(found.packages.items()))),
    ]
    if found.commit:
        pairs.append(("commit", found.commit))
    return pairs + [("note", text) for text in (*found.reasons, *found.notes)]


def _known(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _events(found: Machine) -> str:
    a, b = found.before.throttle_events, found.after.throttle_events
    return "unknown" if a is None or b is None else f"{b - a} events during the run"


def plain(report: Report) -> list[str]:
    """The report for a terminal: one line per lane, reasons below, the sentences last."""
    width = max((len(row.artifact) for row in report.rows), default=0)
    lane = max((len(row.lane) for row in report.rows), default=0)
    lines = [
        f"{'artifact':{width}}  {'lane':{lane}}  {'accuracy':>18}  {'paced':>8}  {'p50':>8}  {'p90':>8}  {'p99':>8}  {'size':>8}"
    ]
    shown = ""
    for row in report.rows:
        if len(report.machines) > 1 and row.machine != shown:
            lines += [f"on {row.machine}:"]
        shown = row.machine
        start = f"{row.artifact:{width}}  {row.lane:{lane}}"
        if row.status != "timed" or row.burst is None:
            lines.append(f"{start}  {'compared, not timed' if row.status == 'parity' else 'not run'}")
        else:
            times = (row.paced.p50_ms if row.paced else None, row.burst.p50_ms, row.burst.p90_ms, row.burst.p99_ms)
            cells = "  ".join(f"{ms(value):>8}" for value in times)
            lines.append(
                f"{start}  {percent(row.accuracy):>18}  {cells}  {megabytes(row.bytes):>8}{'' if row.valid else '  NOT VALID'}"
            )
            lines.append(f"{'':{width}}  {row.burst.calls:,} calls, drift {signed(100 * row.burst.drift)} %")
        lines += [f"{'':{width}}  {text}" for text in remarks(row)]
    lines.append("times in ms per face; paced = one call per camera frame, the others in a burst")
    for base in report.baselines:
        lines.append(f"baseline {base.name}: {percent(base.accuracy) if base.accuracy else base.note}")
    lines += [
        f"{r.artifact} against {r.reference}, {r.lane}: {r.median:.2f} of the time, {faster(r)}" for r in report.ratios
    ]
    return [*lines, "", headline(report), *([report.warning] if report.warning else [])]
