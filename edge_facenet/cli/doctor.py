"""`doctor`: what this machine can do, and how to mend what it cannot."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from ..errors import SetupError
from . import checks

_MARKS = {"ok": "ok    ", "warn": "warn  ", "fail": "FAIL  ", "absent": "absent"}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say what this machine can do: interpreters, versions, processors, face models, and what clashes.

    Each interpreter really runs a model, in a process of its own. Leaves with 0 when crops can be embedded here, with 6
    when they cannot. Example: edge-facenet doctor
    """
    found = checks.run()
    good = checks.usable(found)
    if as_json:
        typer.echo(json.dumps({"usable": good, "checks": [dataclasses.asdict(check) for check in found]}))
    else:
        typer.echo(as_text(found, good))
    if not good:
        raise typer.Exit(SetupError.exit_code)


def as_text(found: list[checks.Check], usable: bool) -> str:
    """One line per check, its cure below."""
    width = max(len(check.name) for check in found)
    lines = []
    for check in found:
        lines.append(f"{_MARKS[check.status]}  {check.name:{width}}  {check.found}")
        if check.cure and check.status != "ok":
            lines.append(f"{'':{width + 10}}-> {check.cure}")
    working = [check.name for check in found if check.name in checks.ENGINES and check.status == "ok"]
    if usable:
        lines.append(f"\nThis machine can embed faces, with {', '.join(working)}.")
    else:
        lines.append("\nThis machine cannot embed faces yet: mend what says FAIL, and install one of the engines.")
    return "\n".join(lines)
