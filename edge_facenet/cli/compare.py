"""`edge-facenet compare`: whether two photos show one person."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer

from . import people


def command(
    a: Annotated[Path, typer.Argument(metavar="A", help="A photo.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another photo.")],
    *,
    far: Annotated[float, typer.Option(help="False accept rate, one that the model's manifest has.")] = 1e-3,
    face_a: Annotated[int | None, typer.Option(min=1, help="Which face of A, where it shows several.")] = None,
    face_b: Annotated[int | None, typer.Option(min=1, help="Which face of B.")] = None,
    largest: Annotated[bool, typer.Option("--largest", help="Take the largest face where there are several.")] = False,
    rule: people.Rules = None,
    model: people.Model = "mobile",
    engine: people.Engine = None,
    threads: people.Threads = 1,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compare two faces: similarity, the threshold at a false accept rate, and what the photos' quality says.

    "Not the same" is a result and leaves with 0. The gallery is not read. On other photos than the model was calibrated on
    (grey, another camera, another population) more strangers pass than the rate says. There is no liveness detection: a
    photograph of a face passes for the face.

    Example: edge-facenet compare passport.jpg selfie.jpg --far 0.0001
    """
    from edge_facenet.recognise import RecognizerOptions

    options = RecognizerOptions(rules=people.rules_of(rule), engine=engine, threads=threads)
    recognizer = people.open_recognizer(model, False, options)
    default: Literal["largest"] | None = "largest" if largest else None
    found = recognizer.compare(a, b, far, faces=(face_a or default, face_b or default))
    if json:
        people.Out().values(**dataclasses.asdict(found))
        return
    verdict, relation = ("The same person", "above") if found.same else ("Not the same person", "not above")
    typer.echo(
        f"{verdict}: similarity {found.similarity:.3f} is {relation} {found.threshold:.3f}, the threshold at FAR {far:g} on the "
        "photos that the model was calibrated on."
    )
    for photo, side in ((a, found.a), (b, found.b)):
        for reason in side.reasons:
            typer.echo(f"  {photo}: {reason}")
