"""`edge-facenet export` and `edge-facenet muladds`."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

NO_LIMIT = "0"


def export(
    run: Annotated[Path, typer.Argument(help="Folder of the training.", metavar="RUN")],
    crops: Annotated[Path, typer.Argument(help="Crop set that holds the run's people.", metavar="CROPS")],
    out: Annotated[Path, typer.Argument(help="Folder for the artifacts; made when missing.", metavar="OUT")],
    *,
    recipe: Annotated[
        list[str] | None, typer.Option(help="fp32, fp16, int8; give it several times. Default: all of them.")
    ] = None,
    format: Annotated[str | None, typer.Option(help="tflite or onnx. Default: both.")] = None,
    name: Annotated[str, typer.Option(help="First part of the files' names. Default: the backbone's.")] = "",
    budget_muladds: Annotated[
        str, typer.Option(help="Refuse a network above this many MUL-ADDs per face (250M, 1.5G; 0 = no limit).")
    ] = "1.5G",
    budget_bytes: Annotated[str, typer.Option(help="Refuse a file above this size (1.9M; 0 = no limit).")] = NO_LIMIT,
    calibration_faces: Annotated[int, typer.Option(min=1, help="Faces that set the ranges of int8.")] = 100,
    tune: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="STEPS",
            help="Let the network first learn to bear int8: 100 steps take a fifth to a half off what int8 loses, and minutes. 0 = do not.",
        ),
    ] = 0,
    proof_faces: Annotated[
        int, typer.Option(min=4, help="Most faces for parity and thresholds; fewer are quicker with a large network.")
    ] = 1000,
    licence: Annotated[str, typer.Option(help="Terms of the weights, for the manifest.")] = "",
    data: Annotated[
        list[str] | None, typer.Option(help="Training data and its terms, for the manifest; may be repeated.")
    ] = None,
    other_crops: Annotated[
        bool,
        typer.Option(
            "--other-crops",
            help="Go on with a crop set that is not the one trained on: prepared again, of the same people.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Turn a training's newest checkpoint into files for phones and small computers, each proven before it is written.

    Per recipe a model file and NAME-RECIPE.json, its manifest: MUL-ADDs counted on the file, parity with the float network
    on people never trained on, thresholds, self-test. A gate that refuses leaves with code 5 and writes nothing.

    Example: edge-facenet export runs/orl crops models --recipe int8 --format tflite --name orl
    """
    from dataclasses import replace

    from edge_facenet.budget import Budget
    from edge_facenet.cli.progress import bar

    from . import pipeline, recipes, tables

    limits = Budget(tables.amount(budget_muladds), tables.amount(budget_bytes))
    options = pipeline.Options(recipes.chosen(recipe or (), format, tune), name, limits, calibration_faces, proof_faces)
    options = replace(options, data=tuple(data or ()), licence=licence or options.licence, other_crops=other_crops)
    with bar("Exporting") as on_progress:
        written = pipeline.export(run, crops, out, options, on_progress, lambda text: typer.echo(text, err=True))
    typer.echo(jsonlib.dumps(tables.artifacts_json(written), indent=2) if json else tables.artifacts_text(written))


def muladds(
    what: Annotated[str, typer.Argument(help="A .tflite, .onnx or manifest, or a backbone: mobilenetv2@160.")],
    *,
    width: Annotated[float, typer.Option(help="Width multiplier of a backbone.")] = 1.0,
    dimension: Annotated[int, typer.Option(help="Embedding length of a backbone.")] = 128,
    budget: Annotated[str, typer.Option(help="Leave with code 5 above this (250M, 1.5G; 0 = no limit).")] = "1.5G",
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Count the MUL-ADDs and parameters of a model file or a backbone, layer by layer.

    Example: edge-facenet muladds models/orl-int8.tflite

    Example: edge-facenet muladds inception-resnet-v1@160 --dimension 512
    """
    from edge_facenet.budget import Budget

    from . import tables

    table = tables.count_table(what, width=width, dimension=dimension)
    limit = tables.amount(budget)
    typer.echo(jsonlib.dumps(tables.table_json(table, limit), indent=2) if json else tables.table_text(table))
    Budget(muladds=limit).check_muladds(table.layers, table.title)
