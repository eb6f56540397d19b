"""What `export` and `muladds` print."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_facenet import manifest
from edge_facenet.budget import RULE, LayerCost, millions
from edge_facenet.embedder import only_manifest
from edge_facenet.errors import ConfigError, MissingExtra
from edge_facenet.manifest import Manifest
from edge_facenet.schema import to_json

from .count import count

_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}
FAR = 1e-2
"""The false accept rate whose threshold is shown."""


@dataclass(frozen=True)
class CountTable:
    """Costs of a file or a backbone."""

    title: str
    layers: tuple[LayerCost, ...]
    parameters: int
    parameters_of: str  # what the figure counts, in words

    @property
    def muladds(self) -> int:
        """Per face."""
        return sum(layer.muladds for layer in self.layers)


def amount(text: str) -> int | None:
    """A limit as people write it; None for no limit.

    >>> amount("1.5G"), amount("250_000_000"), amount("0")
    (1500000000, 250000000, None)

    Raises:
        ConfigError: not a number, or one between 0 and 1.
    """
    bare = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text.replace("_", "").strip())  # 1,500,000; but 1,5G is not 15G
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)", bare, re.IGNORECASE)
    if not found:
        raise ConfigError(f'A limit is a number with or without K, M, G, as in "250M" or "1.5G"; found {text!r}.')
    value = float(found[1]) * _UNITS[found[2].upper()]
    if 0 < value < 1:
        raise ConfigError(f'A limit is at least 1, as in "250M", or 0 for none; found {text!r}.')
    return round(value) or None


def count_table(what: str, width: float = 1.0, dimension: int = 128) -> CountTable:
    """Count a model file, the one artifact of a folder, or a backbone by its name ("mobilenetv2@160").

    A backbone's name means the backbone, whatever folder has it, too; "./mobile" is the folder.

    Raises:
        InputError, ManifestError: the file cannot be counted, or the folder holds none or several.
        ConfigError: no such backbone or size.
        MissingExtra: a backbone's name without Keras installed.
    """
    from edge_facenet.train import backbones

    path = Path(what)
    if path.is_dir() and what.partition("@")[0] not in backbones.BACKBONES:
        path = only_manifest(path)
    if path.suffix in (".tflite", ".onnx", ".json") or path.is_file() or len(path.parts) > 1:
        layers = tuple(count(path))
        held = sum(layer.parameters for layer in layers)
        return CountTable(path.name, layers, held, "held by these layers in the file, batch normalisation folded in")
    name, _, size = what.partition("@")
    return _backbone_table(name, size, width, dimension)


def _backbone_table(name: str, size: str, width: float, dimension: int) -> CountTable:
    from edge_facenet.train import backbones
    from edge_facenet.train.backend import keras
    from edge_facenet.train.costs import layer_costs

    if size and not size.isdigit():
        raise ConfigError(f"{name}@{size}: the size behind @ is a whole number of px, as in {name}@160.")
    entry = backbones.find(name)
    keras(f"Counting the backbone {name} by its name")
    try:
        model = backbones.build(name, size=int(size) if size else entry.size, width=width, dimension=dimension)
    except ImportError as error:
        raise MissingExtra(error.name or "keras", "train", f"Counting the backbone {name} by its name") from error
    what = f"{name}@{int(size) if size else entry.size}" + ("" if width == 1 else f", width {width:g}")
    return CountTable(
        f"{what}, {dimension}-D",
        tuple(layer_costs(model)),
        int(model.count_params()),
        "of the Keras network, moving averages of batch normalisation included",
    )


def table_text(table: CountTable) -> str:
    """One line per layer, the sums in both units, the rule."""
    rows = [("layer", "operator", "output", "MUL-ADDs", "share", "parameters")]
    for layer in table.layers:
        share = f"{layer.muladds / table.muladds:.1%}"
        shape = "x".join(map(str, layer.output))
        rows.append((_short(layer.name), layer.kind, shape, f"{layer.muladds:,}", share, f"{layer.parameters:,}"))
    lines = _aligned(rows, right=3) if table.layers else ["No convolution and no dense layer in this graph."]
    total = table.muladds
    return "\n".join(
        [
            table.title,
            *lines,
            f"MUL-ADDs per face: {total:,} ({millions(total)}); FLOPs: {2 * total:,} ({millions(2 * total)}).",
            f"Parameters: {table.parameters:,} {table.parameters_of}.",
            f"Rule: {RULE}. A matrix product counts as a dense layer.",
        ]
    )


def table_json(table: CountTable, limit: int | None) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "what": table.title,
        "muladds": table.muladds,
        "flops": 2 * table.muladds,
        "parameters": table.parameters,
        "parameters_of": table.parameters_of,
        "budget": limit,
        "within_budget": limit is None or table.muladds <= limit,
        "rule": RULE,
        "layers": to_json(table.layers),
    }


def artifacts_text(paths: Sequence[Path]) -> str:
    """What was written: file, size, MUL-ADDs, parity, threshold."""
    rows = [
        (
            "artifact",
            "size",
            "MUL-ADDs",
            "cosine to float",
            "worst face",
            "accuracy change",
            f"threshold at FAR {FAR:g}",
        )
    ]
    for path in paths:
        read = manifest.read(path)
        cost, parity = read.cost, read.parity
        if cost is None or parity is None:  # export always writes both
            continue
        rows.append(
            (
                path.stem,
                _size(cost.bytes),
                millions(cost.muladds),
                _cosine(parity.cosine_mean),
                _cosine(parity.cosine_min),
                f"{parity.accuracy_difference:+.2f} points",
                _threshold(read),
            )
        )
    return "\n".join([*_aligned(rows, right=1), f"Written to {paths[0].parent}, each with its manifest beside it."])


def artifacts_json(paths: Sequence[Path]) -> dict[str, Any]:
    """The manifests, by path."""
    return {"artifacts": [{"manifest": str(path), **to_json(manifest.read(path))} for path in paths]}


def _threshold(read: Manifest) -> str:
    points = read.thresholds.at if read.thresholds else ()
    point = next((p for p in points if math.isclose(p.far, FAR)), None)
    if point is None or point.cosine is None:
        return "not measurable"
    span = f" ({point.interval[0]:.2f} to {point.interval[1]:.2f})" if point.interval else ""
    return f"cosine {point.cosine:.3f}{span}"


def _cosine(value: float) -> str:
    """Enough digits to see how far from 1 it is."""
    return f"{value:.4f}" if value < 0.9999 else f"{value:.7f}"


def _size(size: int) -> str:
    return f"{size / 1e6:.2f} MB"


def _short(name: str, width: int = 40) -> str:
    return name if len(name) <= width else "…" + name[1 - width :]


def _aligned(rows: Sequence[tuple[str, ...]], right: int) -> list[str]:
    """Columns padded to their widest cell; from column `right` on to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(w) if k < right else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
