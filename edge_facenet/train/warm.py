"""Beginning with another network's weights: what fits is taken layer by layer, and a table says what was and was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import files
from ..errors import ConfigError
from ..schema import doc, to_json
from ..verification import Split
from . import checkpoint, packed
from .config import TrainConfig
from .grow import Weights, alike, resized
from .sections import BackboneConfig

TABLE = "init_from.json"
"""Name of the table in the run's folder."""


@dataclass(frozen=True)
class LayerRow:
    """One layer with weights, and where they come from."""

    layer: str = doc("its name in the new network")
    kind: str = doc("Conv2D, BatchNormalization, ...")
    weights: int = doc("numbers in it")
    how: Literal["taken", "resized", "random"] = doc(
        "resized = a kernel as large as the last map, at another input size"
    )
    why: str = doc("what does not fit; empty when taken", "")


@dataclass(frozen=True)
class WarmStart:
    """What a training began with."""

    source: str = doc("as it was named: a run's folder, a packed file or a released network")
    backbone: str = doc("the source's network")
    size: int = doc("its input, px")
    dimension: int = doc("its embedding")
    step: int = doc("updates it has had")
    layers: tuple[LayerRow, ...] = doc("every layer with weights of the new network, from the image on")
    held_out_seen: int | None = doc("people held out here whom the source was trained on; null when it does not say")

    def sentences(self) -> list[str]:
        """The table for people: layers that were taken are counted, the others named."""
        lines = [
            f"Begun with {self.source} ({self.backbone} at {self.size} px, {self.dimension}-D, step {self.step:,}):"
        ]
        for how, word in (("taken", "taken"), ("resized", "resized"), ("random", "left random")):
            rows = [row for row in self.layers if row.how == how]
            lines.append(f"  {word:11} {len(rows):4} layers {sum(row.weights for row in rows):>12,} weights")
            if how != "taken":
                lines += [f"    {row.layer} ({row.kind}): {row.why}" for row in rows]
        if self.held_out_seen:
            lines.append(
                f"  {self.held_out_seen} of the people held out here were trained on there: accuracy on them says too much. "
                "Hold out the same people (split.seed), or others."
            )
        return lines


@dataclass(frozen=True)
class _Origin:
    net: BackboneConfig
    step: int
    weights: Weights
    people: tuple[str, ...] | None  # trained on, where that is known


def begin_with(network: Any, config: TrainConfig, split: Split) -> WarmStart:
    """Give `network` the weights of `config.backbone.start_from`.

    Args:
        network: the new network, random; changed in place.
        split: of the new training.
    Raises:
        InputError: no run, packed file or released network there.
        ConfigError: another backbone; nothing fits; or, unless `backbone.start_partly`, not everything does.
    """
    source = config.backbone.start_from
    origin = _origin(source)
    if origin.net.name != config.backbone.name:
        raise ConfigError(
            f"backbone.start_from={source} is a {origin.net.name} network, this training is of {config.backbone.name}: "
            f"no layer means the same. Give --set backbone.name={origin.net.name}, or other weights."
        )
    rows, weights = _matched(network, origin, source)
    _check(rows, config, source)
    network.set_weights(weights)
    seen = None if origin.people is None else len({*split.calibrate, *split.test} & set(origin.people))
    return WarmStart(source, origin.net.name, origin.net.size, origin.net.dimension, origin.step, tuple(rows), seen)


def write(run: Path, warm: WarmStart) -> None:
    """Keep the table in the run's folder.

    Raises:
        OutputError: not writable.
    """
    files.write_json(run / TABLE, to_json(warm))


def _origin(source: str) -> _Origin:
    path = packed.file_of(source)
    if path is not None:
        about, weights = packed.unpack(path)
        return _Origin(
            BackboneConfig(about.backbone, about.size, about.width, about.dimension), about.step, weights, None
        )
    restored = checkpoint.load_embedder(Path(source))
    net = BackboneConfig(**restored.config["backbone"])
    return _Origin(net, restored.step, restored.model.get_weights(), tuple(restored.split.train))


def _matched(network: Any, origin: _Origin, source: str) -> tuple[list[LayerRow], Weights]:
    """The table, and the new network's weights in its order: the source's where they fit, its own elsewhere."""
    if len(origin.weights) != len(network.weights):
        raise ConfigError(
            f"{source}: {len(origin.weights)} weights, a {origin.net.name} network has {len(network.weights)}: made by "
            "another version. Take weights of this one."
        )
    rows: list[LayerRow] = []
    weights: Weights = []
    for layer in (one for one in network.layers if one.weights):
        own = layer.get_weights()
        row, chosen = _layer(layer, own, origin.weights[len(weights) : len(weights) + len(own)])
        rows.append(row)
        weights += chosen
    return rows, weights


def _layer(layer: Any, own: Weights, given: Weights) -> tuple[LayerRow, Weights]:
    count, kind = sum(int(w.size) for w in own), type(layer).__name__
    here, there = [w.shape for w in own], [w.shape for w in given]
    if here == there:
        return LayerRow(layer.name, kind, count, "taken"), given
    if len(here) == len(there) and all(alike(a, b) for a, b in zip(there, here, strict=True)):
        why = f"{_sides(there)} there, {_sides(here)} here"
        return LayerRow(layer.name, kind, count, "resized", why), [
            resized(w, shape) for w, shape in zip(given, here, strict=True)
        ]
    return LayerRow(layer.name, kind, count, "random", f"{_sides(there)} there, {_sides(here)} here"), own


def _sides(shapes: Sequence[tuple[int, ...]]) -> str:
    return " x ".join(map(str, shapes[0]))


def _check(rows: Sequence[LayerRow], config: TrainConfig, source: str) -> None:
    left = [row for row in rows if row.how == "random"]
    if left and not config.backbone.start_partly:
        raise ConfigError(
            f"backbone.start_from={source}: its network has other shapes ({left[0].layer}: {left[0].why}). Take the same "
            f"backbone, width and dimension, or give --init-from {source}, which takes what fits."
        )
    kernels = [row for row in rows if row.kind != "BatchNormalization"]
    if all(row.how == "random" for row in kernels):
        raise ConfigError(
            f"--init-from {source}: not one layer has the shape of this network's ({kernels[0].layer}: {kernels[0].why}). "
            "Take the same backbone.width."
        )
