"""`verify`: how well an artifact tells people apart on crops it was not trained on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import EdgeFacenetError, GateError
from . import people


class Part(StrEnum):
    """Which people of a split."""

    test = "test"
    calibrate = "calibrate"


# Options as types, so that the command below can be read at one look.
Split = Annotated[
    Path | None, typer.Option(help="A run's split.json: compare its test people only, and look for leaks.")
]
People = Annotated[Part, typer.Option(help="People of the split to compare; calibrate people have set the thresholds.")]
PairFile = Annotated[Path | None, typer.Option(help="Pair file: LFW's pairs.txt, or a CSV with a,b,same.")]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Score the pairs found when pictures of the pair file are missing.")
]
Fars = Annotated[
    list[float] | None, typer.Option(help="False accept rate; give it several times. Default: 0.1 0.01 0.001 0.0001.")
]
Folds = Annotated[int | None, typer.Option(min=2, help="Default: 10, fewer when there are fewer pairs.")]
PerPerson = Annotated[int | None, typer.Option(min=2, help="At most so many photos of each person, drawn by the seed.")]
OpenSet = Annotated[
    bool, typer.Option("--open-set", help="Also enrol people drawn by the seed and count strangers named (1:N).")
]
Enrolled = Annotated[
    int | None, typer.Option(min=1, help="People enrolled in a draw; default: half of those who can be.")
]
Probes = Annotated[
    bool, typer.Option("--probes", help="Also make one side of the pairs small, blurred, dark, JPEG q20, masked.")
]
Transfer = Annotated[
    list[Path] | None, typer.Option(help="Another crop set: what the thresholds do there. Several times for several.")
]
Thresholds = Annotated[
    Path | None, typer.Option(help="Derive thresholds on these pairs into this JSON file, for a manifest.")
]
Worst = Annotated[
    Path | None, typer.Option(help="HTML page of the 30 worst pairs of each kind. It holds their pictures.")
]


def command(
    artifact: Annotated[str, typer.Argument(help="NAME.json, a folder with one artifact, or a released model's name.")],
    crops: Annotated[Path, typer.Argument(help="Crop set, as `prepare` writes it.")],
    *,
    split: Split = None,
    part: People = Part.test,
    pairs: PairFile = None,
    allow_missing: AllowMissing = False,
    far: Fars = None,
    folds: Folds = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of folds, drawing and resampling.")] = 0,
    per_person: PerPerson = None,
    open_set: OpenSet = False,
    enrolled: Enrolled = None,
    photos: Annotated[int, typer.Option(min=1, help="Photos enrolled of each.")] = 3,
    draws: Annotated[int, typer.Option(min=1, help="Galleries drawn.")] = 10,
    probes: Probes = False,
    transfer: Transfer = None,
    thresholds: Thresholds = None,
    worst: Worst = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for roc.svg and scores.svg.")] = None,
    engine: people.Engine = None,
    threads: people.Threads = 1,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure how well an artifact tells people apart: accuracy, AUC, EER, VAL at false accept rates, its own thresholds.

    Pairs are all pairs of the split's test people (--split), of a pair file (--pairs; LFW's folds are kept as they stand),
    or of everybody in the crop set. Intervals resample people, not pairs. With fewer than 10 people no threshold is
    measurable, and the report says so. Networks of others work by a manifest of five lines, see docs/foreign.md.

    --transfer carries thresholds to other photos: the artifact's own, or, where it has none, those of these pairs.

    Leaves with code 5 when the result is INVALID (constant or broken embeddings, test people trained on).

    Examples: edge-facenet verify models/mobile-int8.json crops --split run/split.json --plots figures

    edge-facenet verify foreign.json lfw-crops --pairs pairs.txt

    edge-facenet verify models/mobile-int8.json crops --split run/split.json --open-set --probes --transfer my-photos
    """
    from .. import embedder as embedders
    from ..photos.cropset import CropSet
    from ..verification import FARS, Plan, read_split
    from . import verify_extras, verify_text, verifying
    from .verify_select import Choice, choose

    extras = verify_extras.Extras(
        open_set=Plan(enrolled, photos, draws, seed) if open_set else None,
        probes=probes,
        transfer=tuple(transfer or ()),
        thresholds=thresholds,
        worst=worst,
        plots=plots,
        per_person=per_person,
        fars=tuple(far or FARS),
        seed=seed,
    )
    cropset = CropSet.open(crops)
    parts = None if split is None else read_split(split)
    chosen = choose(cropset, Choice(pairs, allow_missing, parts, part.value, per_person), seed)
    network = embedders.load(artifact, engine=engine, threads=threads, self_test=False)  # its failure becomes a reason
    request = verifying.Request(fars=extras.fars, folds=folds, seed=seed, trained_on=parts)
    measured = verifying.measure(network, cropset, chosen, request)
    try:
        report, carried = verify_extras.extend(network, cropset, chosen, measured, extras)
    except EdgeFacenetError:  # what was measured is not lost with what was asked for besides
        typer.echo(verify_text.as_json(measured.report) if json else verify_text.as_text(measured.report, None))
        raise
    typer.echo(verify_text.as_json(report) if json else verify_text.as_text(report, carried))
    if not report.verification.valid:
        raise typer.Exit(GateError.exit_code)
