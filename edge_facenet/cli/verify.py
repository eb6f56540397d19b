"""`verify`: how well an artifact tells people apart on crops it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import GateError


def command(
    artifact: Annotated[str, typer.Argument(help="NAME.json, a folder with one artifact, or a released model's name.")],
    crops: Annotated[Path, typer.Argument(help="Crop set, as `prepare` writes it.")],
    *,
    split: Annotated[
        Path | None, typer.Option(help="A run's split.json: compare its test people only, and look for leaks.")
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="Pair file: LFW's pairs.txt, or a CSV with a,b,same.")] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Score the pairs found when pictures of the pair file are missing.")
    ] = False,
    far: Annotated[
        list[float] | None,
        typer.Option(help="False accept rate; give it several times. Default: 0.1 0.01 0.001 0.0001."),
    ] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Default: 10, fewer when there are fewer pairs.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds and resampling.")] = 0,
    plots: Annotated[Path | None, typer.Option(help="Folder for roc.svg and scores.svg.")] = None,
    engine: Annotated[str | None, typer.Option(help="litert, tflite-runtime, onnxruntime or litert-gpu.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the engine.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure how well an artifact tells people apart: accuracy, AUC, EER, VAL at false accept rates, its own thresholds.

    Pairs are all pairs of the split's test people (--split), of a pair file (--pairs), or of everybody in the crop set.
    Intervals resample people, not pairs. Leaves with code 5 when the result is INVALID (constant or broken embeddings,
    test people trained on).

    Example: edge-facenet verify models/mobile-int8.json crops --split run/split.json --plots figures
    """
    from .. import embedder as embedders
    from ..photos.cropset import CropSet
    from ..verification import FARS, read_split
    from . import verifying

    cropset = CropSet.open(crops)
    parts = None if split is None else read_split(split)
    if pairs is not None:
        chosen = verifying.select_file(cropset, pairs, allow_missing)
    else:
        chosen = verifying.select_people(cropset, None if parts is None else parts.test, seed)
    network = embedders.load(artifact, engine=engine, threads=threads, self_test=False)  # its failure becomes a reason
    request = verifying.Request(fars=tuple(far or FARS), folds=folds, seed=seed, trained_on=parts, plots=plots)
    report = verifying.measure(network, cropset, chosen, request)
    typer.echo(verifying.as_json(report) if json else verifying.as_text(report))
    if not report.verification.valid:
        raise typer.Exit(GateError.exit_code)
