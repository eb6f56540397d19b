"""From a folder of records to its pages."""

from __future__ import annotations

from pathlib import Path

from edge_facenet import files

from . import markdown, page
from . import report as reports
from .record import encoded
from .report import Report


def publish(folder: Path, readme: Path | None = None) -> Report:
    """Write report.json, report.md and report.html of the records in `folder`.

    Args:
        readme: a Markdown file whose results table, between its marks, is renewed too.
    Raises:
        InputError: no records, or a damaged one.
        OutputError: a page cannot be written.
    """
    report = reports.build(*reports.load(folder))
    reports.write_json(folder / "report.json", report)
    files.write_bytes(folder / "report.md", encoded(markdown.render(report)))
    files.write_bytes(folder / "report.html", encoded(page.render(report)))
    if readme is not None:
        markdown.into(readme, report)
    return report


rebuild = publish
