"""The report as one self-contained HTML page: no script, no outside file, readable on a phone and in the dark."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files as resources

from . import words
from .comparable import comparable
from .picture import scatter
from .report import Report, Row
from .run import Baseline

_COLUMNS = (
    "Lane",
    "Accuracy, %",
    "Paced p50",
    "Burst p50",
    "p90",
    "p99",
    "Load",
    "First face",
    "Peak memory",
    "Calls",
    "Drift",
)


def render(report: Report) -> str:
    """The page."""
    style = resources("edge_facenet_bench").joinpath("style.css").read_text(encoding="utf-8")
    body = "".join(part for section in _SECTIONS for part in section(report))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def _head(report: Report) -> Iterator[str]:
    where = "; ".join(machine.cpu for machine in report.machines)
    yield f"<h1>{escape(report.title)}</h1>"
    yield f'<p class="sub">{escape(report.date[:16].replace("T", " "))} UTC · {escape(where)}</p>'
    yield f'<p class="lead">{_kept(words.headline(report))}</p>'
    if report.warning:
        yield f'<div class="say">{escape(report.warning)}</div>'


def _picture(report: Report) -> Iterator[str]:
    if wide := scatter(report, 820):
        shown = comparable(report)
        where = f", {shown.machine}" if len(report.machines) > 1 else ""
        yield "<h2>Accuracy, latency, size</h2>"
        yield f'<figure class="card"><div class="wide">{wide}</div><div class="narrow">{scatter(report, 350)}</div>'
        yield (
            "<figcaption>Up and left is better. The area of a circle is the size of the file; filled is TFLite, hollow is "
            "ONNX. Whiskers: 95 % over other people of this kind. Dashed lines are baselines on the same pairs. Median of bursts, "
            f"{escape(shown.kind + where)}.{escape(words.not_compared(report))}</figcaption></figure>"
        )


def _reading(report: Report) -> Iterator[str]:
    yield from (f"<p>{escape(sentence)}</p>" for sentence in report.sentences)


def _lanes(report: Report) -> Iterator[str]:
    yield "<h2>Every lane</h2>"
    head = "".join(f"<th>{escape(name)}</th>" for name in _COLUMNS)
    yield '<p class="sub">Times in milliseconds per face.</p>'
    yield f'<div class="card scroll"><table class="stack"><thead><tr>{head}</tr></thead>'
    absent = words.absent(report.rows)
    for rows in _groups([row for row in report.rows if row not in [one for rows in absent for one in rows]]):
        yield "<tbody>"
        yield _group_head(rows[0], len(report.machines) > 1)
        for row in rows:
            yield from _lane(row)
        yield "</tbody>"
    if absent:
        yield f'<tbody><tr class="group"><th colspan="{len(_COLUMNS)}"><b>Not run</b></th></tr>'
        for rows in absent:
            names = ", ".join(dict.fromkeys(row.artifact for row in rows))
            yield from _lane(dataclasses.replace(rows[0], lane=f"{rows[0].lane}: {names}"))
        yield "</tbody>"
    yield "</table></div>"


def _groups(rows: Sequence[Row]) -> Iterator[list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.machine, row.artifact), []).append(row)
    yield from found.values()


def _group_head(row: Row, with_machine: bool) -> str:
    parts = [f"{words.FORMATS.get(row.format, row.format)}, {row.size} px", words.megabytes(row.bytes)]
    if row.muladds is not None:
        parts.append(f"{words.millions(row.muladds)} MUL-ADDs ({words.millions(2 * row.muladds)} FLOPs)")
    if with_machine:
        parts.append(row.machine)
    facts = escape(" · ".join(parts))
    return (
        f'<tr class="group"><th colspan="{len(_COLUMNS)}"><b>{escape(row.artifact)}</b> <span>{facts}</span></th></tr>'
    )


def _lane(row: Row) -> Iterator[str]:
    bad = "" if row.valid else " bad"
    why = "; ".join(words.remarks(row))
    title = f"<b>{escape(row.lane)}</b>" + "".join(f'<span class="badge">{mark}</span>' for mark in _badges(row))
    if row.status == "timed":
        filled = (
            f'<td data-label="{escape(label)}"{" class=empty" if value == "–" else ""}>{escape(value)}</td>'
            for label, value in zip(_COLUMNS[1:], _cells(row), strict=True)
        )
        cells = f"<td>{title}</td>{''.join(filled)}"
    else:
        cells = f'<td colspan="{len(_COLUMNS)}">{title}</td>'
    yield f'<tr class="lane{bad}{" has-why" if why else ""}">{cells}</tr>'
    if why:
        yield f'<tr class="why{bad}"><td colspan="{len(_COLUMNS)}">{escape(why)}</td></tr>'


def _badges(row: Row) -> list[str]:
    marks = {"parity": ["compared, not timed"], "not run": ["unavailable"]}.get(row.status, [])
    return marks if row.valid or row.status == "not run" else [*marks, "not valid"]


def _cells(row: Row) -> list[str]:
    burst, paced = row.burst, row.paced
    return [
        words.percent(row.accuracy).replace(" %", ""),
        words.ms(paced.p50_ms if paced else None),
        words.ms(burst.p50_ms if burst else None),
        words.ms(burst.p90_ms if burst else None),
        words.ms(burst.p99_ms if burst else None),
        words.ms(row.load_ms),
        words.ms(row.first_ms),
        words.megabytes(row.memory_bytes),
        f"{burst.calls:,}" if burst else "–",
        f"{words.signed(100 * burst.drift)} %" if burst else "–",
    ]


def _recipes(report: Report) -> Iterator[str]:
    rows = words.recipes(report)
    if not rows:
        return
    yield '<h2>Does a smaller recipe pay here?</h2><div class="card scroll"><table class="stack"><thead><tr>'
    yield (
        "".join(f"<th{' class=text' if name == 'Lane' else ''}>{escape(name)}</th>" for name in words.RECIPES)
        + "</tr></thead><tbody>"
    )
    for valid, (name, *cells) in rows:
        filled = (
            f'<td data-label="{escape(k)}">{escape(v)}</td>' for k, v in zip(words.RECIPES[1:], cells, strict=True)
        )
        yield f"<tr{'' if valid else ' class=bad'}><td><b>{escape(name)}</b></td>{''.join(filled)}</tr>"
    yield f'</tbody></table></div><p class="sub">{escape(words.RECIPES_READ)}</p>'


def _accuracy(report: Report) -> Iterator[str]:
    measured: dict[str, Row] = {}
    for row in report.rows:
        if row.accuracy is not None:
            measured.setdefault(row.artifact, row)
    if not measured and not report.baselines:
        return
    yield '<h2>Accuracy beside simple baselines</h2><div class="card scroll"><table class="stack">'
    yield "<thead><tr><th>On the same pairs</th><th>Accuracy</th><th>± folds</th><th>AUC</th><th>EER</th><th>TAR at FAR 1 %</th></tr></thead><tbody>"
    for base in report.baselines:
        yield _accuracy_row(base.name, base.what, base)
    for name, row in measured.items():
        yield _accuracy_row(name, "", Baseline(name, row.lane, row.accuracy))
    yield "</tbody></table></div>"


def _accuracy_row(name: str, what: str, base: Baseline) -> str:
    found = base.accuracy
    title = f"<td><b>{escape(name)}</b>{f'<br><span class=sub>{escape(what)}</span>' if what else ''}</td>"
    if found is None:
        return f'<tr class="bad">{title}<td colspan="5">{escape(base.note or "not computed")}</td></tr>'
    cells = (
        ("accuracy", words.percent(found)),
        ("± folds", words.fold_error(found)),
        ("AUC", f"{found.auc:.1f} %"),
        ("EER", f"{found.eer:.1f} %"),
        ("TAR at FAR 1 %", words.tar(found)),
    )
    filled = "".join(f'<td data-label="{label}">{escape(value)}</td>' for label, value in cells)
    return f"<tr>{title}{filled}</tr>"


def _data(report: Report) -> Iterator[str]:
    data = report.data
    if data is None:
        return
    yield "<h2>Whose faces</h2>"
    yield _list(words.data(data))
    for name, people in (("Trained on", data.train), ("Calibrated with", data.calibrate), ("Tested on", data.test)):
        if people:
            yield f'<p class="names">{name} {len(people)}: {escape(", ".join(people))}</p>'


def _method(report: Report) -> Iterator[str]:
    yield "<h2>How it was measured</h2>"
    yield from (f"<p>{escape(text)}</p>" for text in words.plans(report))
    for machine in report.machines:
        yield _list(words.machine(machine))
    for line in report.provenance:
        yield f'<p class="sub">Weights: {escape(line)}</p>'


def _uses(report: Report) -> Iterator[str]:
    yield "<h2>What these models must not be used for</h2><ul>"
    yield from (f"<li>{escape(line)}</li>" for line in words.MUST_NOT)
    yield "</ul><h2>Words</h2>"
    yield _list(words.WORDS)


def _kept(text: str) -> str:
    """A figure and its unit stay on one line."""
    return escape(text).replace(" ms", "&nbsp;ms").replace(" %", "&nbsp;%").replace(" MB", "&nbsp;MB")


def _list(pairs: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs) + "</dl>"


_SECTIONS = (_head, _picture, _reading, _lanes, _recipes, _accuracy, _data, _method, _uses)
