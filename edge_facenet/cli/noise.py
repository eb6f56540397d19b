"""`noise`: pictures under a wrong name, and one person under two names, as a table and a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import people


def command(
    crops: Annotated[Path, typer.Argument(help="Crop set, as `prepare` writes it.")],
    *,
    model: Annotated[
        str,
        typer.Option(help="NAME.json, a folder with one artifact, or a released model's name. Not trained on these."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for noise.csv, two-names.csv and noise.html.")] = Path("noise"),
    shown: Annotated[int, typer.Option(min=1, max=1000, help="Pictures on the page.")] = 60,
    min_photos: Annotated[int, typer.Option(min=3, help="Leave out people with fewer pictures.")] = 3,
    engine: people.Engine = None,
    threads: people.Threads = 1,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Find wrong names: pictures unlike their person's others, and one face under two names.

    Every picture is ranked by how much more it resembles its own person's other pictures than anybody else; the page
    shows the first ones beside both. Most of what stands at the top of a clean set is not wrong but hard: profiles,
    sunglasses, a face half hidden. Nothing is deleted: look, and mend the folders yourself.

    The page holds pictures of the people in the crop set. Keep it as you keep the photos.

    Example: edge-facenet noise crops --model mobile --out noise
    """
    from .. import embedder as embedders
    from ..photos.cropset import CropSet
    from . import noise_report, verifying

    cropset = CropSet.open(crops)
    network = embedders.load(model, engine=engine, threads=threads)
    verifying.check_template(network, cropset)
    report = noise_report.examine(network, cropset, min_photos)
    written = noise_report.write(report, cropset, out, shown)
    typer.echo(noise_report.as_json(report, written) if json else noise_report.as_text(report, written))
