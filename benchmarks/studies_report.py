"""Tables and plots of docs/studies.md out of benchmarks/results/study-*.json. What was not run is said to be missing."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import typer
from studies_rows import CELEBA, FACES, JAI, STUDIES, UNSEEN, Row, Study

from edge_facenet import files
from edge_facenet.errors import InputError

FIGURES = {"accuracy": "accuracy, %", "tar_at_1e-2": "TAR at FAR 1e-2, %", "tar_at_1e-3": "TAR at FAR 1e-3, %"}
SEEDS = 3
"""Runs that a row needs to be complete."""
SOURCES = {
    JAI: "photos of another kind (jai), 11 people judge, drawn anew for each seed",
    UNSEEN: "CelebA people whom `mobile` never saw, 25 of them judge, drawn anew for each seed",
    CELEBA: "CelebA, the 105 held-out people judge",
    FACES: "all sources, most faces without a name; the 105 held-out people judge",
}
ORDER = list(SOURCES)

Results = list[dict[str, Any]]


def write(results: Path, page: Path) -> None:
    """Bring the page's generated blocks and all plots up to date.

    Raises:
        InputError: the page lacks a study's markers.
    """
    text = page.read_text(encoding="utf-8")
    for study in STUDIES.values():
        path = results / f"study-{study.name}.json"
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        text = _replaced(text, study.name, block(study, record, page))
        if record and record["results"]:
            plot(study, record["results"], path.with_suffix(".svg"))
    files.write_bytes(page, text.encode())
    typer.echo(f"Written: {page}, {results}/study-*.svg")


def block(study: Study, record: dict[str, Any] | None, page: Path) -> str:
    """A study's plot, tables and footnote in Markdown."""
    if record is None or not record["results"]:
        return "**This study has not been run yet.**"
    sources = [s for s in ORDER if any(row.source == s for row in study.rows)]
    parts = [f"![{study.question}](../benchmarks/results/study-{study.name}.svg)"]
    for source in sources:
        rows = [row for row in study.rows if row.source == source]
        title = f"On {SOURCES[source]}:\n\n" if len(sources) > 1 else ""
        parts.append(title + table(rows, record["results"]))
        if said := paired(rows, record["results"]) or ahead(rows, record["results"]):
            parts.append(said)
    missing = sum(max(0, wanted(row) - len(_of(row, record["results"]))) for row in study.rows)
    late = f" **Not run yet: {missing} training{'s' * (missing > 1)}.**" if missing else ""
    cap = record["cap_cpu_minutes"]
    parts.append(
        f"{cap:g} CPU minute{'' if cap == 1 else 's'} each, ± is the standard deviation over seeds, {record['date']}, {record['machine']['cpu']}.{late}\n"
        f"`{record['command']}`"
    )
    return "\n\n".join(parts)


def table(rows: list[Row], results: Results) -> str:
    """One line per row: what it was given, and mean and spread of what it reached."""
    head = ["row", "people", "photos", "steps", "CPU s", "runs", *FIGURES.values()]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for row in rows:
        found = _of(row, results)
        cells = [row.name, *_given(row, found), *(_mean(found, key) for key in FIGURES)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def paired(rows: list[Row], results: Results) -> str:
    """Differences to the network as it is, judged by the same people seed by seed; empty where no row is such a network."""
    bases = {r["seed"]: r["accuracy"] for row in rows if row.as_it_is for r in _of(row, results)}
    said = []
    for row in (row for row in rows if not row.as_it_is):
        found = sorted(_of(row, results), key=lambda r: r["seed"])
        seeds = [(r, r["seed"] if r["seed"] in bases else min(bases, default=None)) for r in found]
        changes = [f"{r['accuracy'] - bases[seed]:+.1f}" for r, seed in seeds if seed is not None]
        said += [f"{row.name}: {', '.join(changes)}"] if changes else []
    if not said:
        return ""
    return f"Accuracy minus that of `mobile` as it is, judged by the same people, seed by seed: {'; '.join(said)}."


def ahead(rows: list[Row], results: Results) -> str:
    """Which row is ahead, and whether by more than seeds differ; empty before two rows are complete."""
    complete = {row.name: _of(row, results) for row in rows if len(_of(row, results)) >= max(2, wanted(row))}
    if len(complete) < 2:
        return ""
    by_name = {name: [r["accuracy"] for r in found] for name, found in complete.items()}
    first, second, *_ = sorted(by_name, key=lambda name: -statistics.fmean(by_name[name]))
    gap = statistics.fmean(by_name[first]) - statistics.fmean(by_name[second])
    spread = max(statistics.stdev(by_name[first]), statistics.stdev(by_name[second]))
    verdict = "more than" if gap > 2 * spread else "no more than"
    return (
        f"Ahead in accuracy: **{first}**, then {second}, {gap:.1f} points behind: {verdict} twice the larger spread "
        f"over seeds ({spread:.1f})."
    )


def wanted(row: Row) -> int:
    """Runs that a row needs: a network that is not trained, judged by the same people, has one result."""
    return 1 if row.as_it_is and row.source == CELEBA else SEEDS


def _given(row: Row, found: Results) -> list[str]:
    if not found:
        return ["", "", "", "", "**not run yet**"]
    runs = str(len(found)) if len(found) >= wanted(row) else f"**{len(found)} of {wanted(row)}**"
    if row.as_it_is:
        return ["0", "0", "0", "0", runs]
    photos = sorted({r["photos"] for r in found})
    many = f"{photos[0]:,}" if len(photos) == 1 else f"{photos[0]:,}–{photos[-1]:,}"
    seconds = [r["cpu_seconds"] for r in found]
    return [f"{found[0]['people']:,}", many, f"{found[0]['steps']:,}", f"{statistics.fmean(seconds):.0f}", runs]


def _mean(found: Results, key: str) -> str:
    values = [r[key] for r in found if r[key] is not None]
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.1f}{spread}"


def _of(row: Row, results: Results) -> Results:
    return [r for r in results if (r["row"], r["source"]) == (row.name, row.source)]


def _replaced(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- study {name}: written by studies.py report -->", f"<!-- end {name} -->"
    if begin not in text or end not in text:
        raise InputError(f"The page lacks the markers of the study {name}: put {begin} and {end} into it.")
    return re.sub(
        re.escape(begin) + ".*?" + re.escape(end), lambda _: f"{begin}\n{content}\n{end}", text, flags=re.DOTALL
    )


def plot(study: Study, results: Results, path: Path) -> None:
    """Each run a dot, each row's mean a bar of the same height, for every figure."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    rows = [row for source in ORDER for row in study.rows if row.source == source and _of(row, results)]
    several = len({row.source for row in rows}) > 1
    names = [f"{row.name} · {row.source}".replace("`", "") if several else row.name for row in rows]
    height = 1.2 + 0.34 * len(rows)
    with plt.rc_context({"svg.hashsalt": study.name, "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(1, len(FIGURES), figsize=(10, height), sharey=True, layout="constrained")
        for axis, (key, label) in zip(axes, FIGURES.items(), strict=True):
            for place, row in enumerate(rows):
                values = [r[key] for r in _of(row, results) if r[key] is not None]
                axis.scatter(values, [place] * len(values), s=22, color="#3a6ea5", zorder=3)
                if values:
                    axis.plot([statistics.fmean(values)] * 2, [place - 0.3, place + 0.3], color="#c0392b", lw=2)
            axis.set(xlabel=label, yticks=range(len(rows)), yticklabels=names, ylim=(len(rows) - 0.5, -0.5))
            axis.grid(axis="x", alpha=0.3)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
