"""Fill the app's assets: embedders, face models and the self-test's faces, with the sha256 of each in assets.json.

    python tools/assets.py OUT [--model NAME-int8.json ...]

Needs edge-facenet and edge-facenet-models installed, and `edge-facenet setup` run once. OUT keeps nothing but what is
written here; when all is in place already, nothing is touched.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.resources import files as resources
from pathlib import Path

from edge_facenet import files
from edge_facenet.errors import EdgeFacenetError, ManifestError
from edge_facenet.photos import models
from edge_facenet.photos.align import TEMPLATE_NAME

SCHEMA = 1
EMBEDDERS = ("int8", "fp16")
FACES = "selftest_faces.png"


def collect(embedders: list[Path]) -> dict[str, bytes]:
    """Content of every asset, by its path below the assets folder; assets.json comes last.

    Raises:
        ManifestError: a model is not what its manifest says, two have one name, or the first one, with which the app recognises,
            takes faces that are cut otherwise.
        ModelsMissing: the face models are not there.
    """
    content = {FACES: resources("edge_facenet").joinpath(FACES).read_bytes()}
    face_models = models.require()
    manifests = [*embedders, *(face_models / model.manifest for model in models.CATALOGUE)]
    for manifest in manifests:
        pair = _pair(manifest)
        if f"models/{manifest.name}" in content or any(content.get(name, data) != data for name, data in pair.items()):
            raise ManifestError(
                f"{manifest} or its model file is called like another one of this app. Export one of them with another --name."
            )
        content.update(pair)
    template = json.loads(content[f"models/{embedders[0].name}"]).get("template")
    if template != TEMPLATE_NAME:
        raise ManifestError(
            f"{embedders[0].name} takes faces cut to template {template}; the app cuts to {TEMPLATE_NAME}. Give another model."
        )
    for model in models.CATALOGUE:
        if files.sha256(content[f"models/{model.file}"]) != model.sha256:
            raise ManifestError(f"{face_models / model.file} is not the file that is known. {models.CURE}")
    index = {
        "schema": SCHEMA,
        "embedders": [f"models/{manifest.name}" for manifest in embedders],
        "detector": f"models/{models.DETECTOR.manifest}",
        "mesh": f"models/{models.MESH.manifest}",
        "faces": FACES,
        "files": {name: {"sha256": files.sha256(data), "bytes": len(data)} for name, data in sorted(content.items())},
    }
    return {**content, "assets.json": files.canonical_json(index).encode()}


def _pair(manifest: Path) -> dict[str, bytes]:
    """A manifest and its model file."""
    try:
        described = manifest.read_bytes()
        value = json.loads(described)
        model = manifest.parent / str(value["file"])
        data = model.read_bytes()
    except OSError as error:
        raise ManifestError(f"Cannot read {error.filename}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(f"{manifest} is no manifest of a model: {error}.") from error
    if (found := files.sha256(data)) != value.get("sha256"):
        raise ManifestError(f"{model} has sha256 {found[:12]}…, {manifest.name} says {str(value.get('sha256'))[:12]}….")
    return {f"models/{manifest.name}": described, f"models/{model.name}": data}


def write(content: dict[str, bytes], out: Path) -> bool:
    """Make `out` hold exactly `content`; whether anything had to be done."""
    there = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    if set(there) == set(content) and all(there[name].read_bytes() == data for name, data in content.items()):
        return False
    for name in set(there) - set(content):
        there[name].unlink()
    for name, data in content.items():
        files.write_bytes(out / name, data)
    return True


def released() -> list[Path]:
    """Manifests of the released network that a phone takes."""
    from edge_facenet_models import path

    return [path("mobile", recipe) for recipe in EMBEDDERS]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the assets folder")
    parser.add_argument("--model", type=Path, action="append", help="manifest of an embedder (default: mobile)")
    asked = parser.parse_args()
    try:
        content = collect(asked.model or released())
        write(content, asked.out)
    except EdgeFacenetError as error:
        sys.stderr.write(f"assets.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
