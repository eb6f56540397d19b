"""Which artifacts a command means, and what their manifests say of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from edge_facenet import files, manifest
from edge_facenet.errors import ConfigError, ManifestError

from .lanes import lanes_of
from .measure import Entry
from .record import Artifact


def entries(paths: Iterable[Path], lanes: tuple[str, ...] = ()) -> list[Entry]:
    """Every lane of every artifact, in the order given; a folder stands for all its manifests.

    Raises:
        ManifestError: damaged, foreign, or nothing found.
        ConfigError: two of one name, whose records would be one file.
    """
    found: list[Entry] = []
    places = list(dict.fromkeys(one for given in paths for one in find(given)))
    by_name: dict[str, Path] = {}
    for path in places:
        if (other := by_name.setdefault(path.stem, path)) is not path:
            raise ConfigError(
                f"{other} and {path} have one name, and records go by name. Measure one after the other into two folders "
                "(--out), or copy one folder and give its manifest another name."
            )
    for path in places:
        described, suffix = describe(path)
        found.extend(Entry(path, described, lane) for lane in lanes_of(Path(f"model{suffix}"), lanes))
    return found


def find(path: Path) -> list[Path]:
    """The artifacts that `path` means: itself, or all manifests of a folder in the order of their names.

    Raises:
        ManifestError: a folder without a manifest.
    """
    if not path.is_dir():
        return [path]
    found = [one for one in sorted(path.glob("*.json")) if _looks_like_manifest(one)]
    if not found:
        raise ManifestError(
            f"Folder {path} holds no artifact (no manifest NAME.json). Give the folder that export wrote."
        )
    return found


def describe(path: Path) -> tuple[Artifact, str]:
    """An artifact's description, and the suffix of its model file.

    Raises:
        ManifestError: as `edge_facenet.manifest.open_artifact`.
    """
    found, model = manifest.open_artifact(path)
    suffix = Path(found.file).suffix
    made = found.provenance
    return (
        Artifact(
            name=path.stem,
            network=found.name or re.sub(r"-(fp32|fp16|int8|dynamic|int16x8|mixed)(-onnx)?$", "", path.stem),
            format=suffix.lstrip("."),
            recipe=found.recipe or "foreign",
            sha256=files.sha256(model),
            bytes=len(model),
            size=found.pixels.size,
            dimension=found.dimension,
            family=found.family,
            muladds=found.cost.muladds if found.cost else None,
            parameters=found.cost.parameters if found.cost else None,
            provenance=f"{'; '.join(made.data)} · {made.initialisation} · {made.licence}" if made else None,
        ),
        suffix,
    )


def _looks_like_manifest(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and {"file", "pixels", "dimension"} <= value.keys()
