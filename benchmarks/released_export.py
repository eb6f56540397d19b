"""The files of a release out of a training's newest checkpoint: artifacts, weights, and where they come from.

    python benchmarks/released_export.py RUN CROPS [--name mobile]

Runs `edge-facenet export` and `edge-facenet train pack` into models/edge_facenet_models/NAME/, and puts the provenance of
released_provenance.json into the manifests: what a run's folder cannot know, such as the terms of the photos. Edit that file
first. A gate that refuses leaves the release before as it was. Then `released.py run` measures and `released.py report` writes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import edge_facenet_models
import typer

from edge_facenet import files, manifest

PROVENANCE = Path(__file__).parent / "released_provenance.json"
TUNE_STEPS = 100
"""For int8, which then loses a fifth to a half less (export/README.md)."""
RELEASED = Path(edge_facenet_models.__file__).parent


def main() -> None:
    """Export, pack, say where it comes from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the training")
    parser.add_argument("crops", type=Path, help="crop set with the run's people")
    parser.add_argument("--name", default="mobile")
    parser.add_argument("--out", type=Path, help="default: the released network's folder")
    options = parser.parse_args()
    about = json.loads(PROVENANCE.read_text(encoding="utf-8"))[options.name]
    out = options.out or RELEASED / options.name
    export(options.run, options.crops, out, options.name, about)


def export(run: Path, crops: Path, out: Path, name: str, about: dict[str, Any]) -> None:
    """All files of one network, moved into `out` when every one has passed its gates."""
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        made = Path(folder)
        wanted = [word for recipe in about["recipes"] for word in ("--recipe", recipe)]
        limits = ["--budget-muladds", about["budget_muladds"], "--budget-bytes", "0"]
        tuned = ["--tune", str(TUNE_STEPS)]
        form = ["--format", about["format"]] if about.get("format") else []
        command("export", str(run), str(crops), str(made), "--name", name, *wanted, *form, *limits, *tuned)
        check_size(made / f"{name}-int8.json", about["int8_bytes"])
        command("train", "pack", str(run), str(made / f"{name}-weights.npz"))
        out.mkdir(parents=True, exist_ok=True)
        for path in sorted(made.glob("*.json")):
            typer.echo(f"Released: {place(path, out, about['provenance'])}")
        files.write_bytes(out / f"{name}-weights.npz", (made / f"{name}-weights.npz").read_bytes())


def check_size(path: Path, most: int) -> None:
    """Leave when the int8 file is larger than a release may be."""
    size = (path.parent / manifest.read(path).file).stat().st_size
    if size > most:
        sys.exit(f"{path.stem} has {size:,} bytes, at most {most:,} are released.")


def place(path: Path, out: Path, provenance: dict[str, Any]) -> Path:
    """Copy one artifact into the release and remove the model file it replaces. The manifest comes last: that is the commit."""
    held = json.loads(path.read_text(encoding="utf-8"))
    step = held["provenance"].get("preset", "")
    told = {**held["provenance"], **provenance}
    told["preset"] = provenance["preset"].replace("{run}", step)
    target = out / path.name
    before = json.loads(target.read_text(encoding="utf-8"))["file"] if target.exists() else None
    files.write_bytes(out / held["file"], (path.parent / held["file"]).read_bytes())
    files.write_json(target, {**held, "provenance": told})
    manifest.open_artifact(target)  # file and manifest belong together, or this raises
    if before and before != held["file"]:
        (out / before).unlink(missing_ok=True)
    return target


def command(*words: str) -> None:
    """A public command; its failure ends this script with its exit code."""
    if code := subprocess.run([sys.executable, "-m", "edge_facenet.cli", *words], check=False).returncode:
        sys.exit(code)


if __name__ == "__main__":
    main()
