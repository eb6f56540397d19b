"""The sections of a training's configuration, each with the ranges its numbers must lie in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ..schema import doc
from .holdout import Quota

SEED = "[0, 4294967295]"
"""What Keras takes."""


def check(section: Any, name: str, **ranges: str) -> None:
    """Refuse a number outside of its range, as written in mathematics: "(0, 1]", "[0, inf)".

    Args:
        name: of the section, for the message; empty = of the whole configuration.
    Raises:
        ValueError: the first such number, by its dotted key.
    """
    for key, written in ranges.items():
        value, (least, most) = getattr(section, key), (float(end) for end in written[1:-1].split(","))
        low = value >= least if written[0] == "[" else value > least
        high = value <= most if written[-1] == "]" else value < most
        if not (low and high):
            from_on = f"{'at least' if written[0] == '[' else 'above'} {least:g}"
            wanted = from_on if most == math.inf else f"in {written}"
            raise ValueError(f"{f'{name}.' if name else ''}{key} must be {wanted}, found {value:g}.")


def _check_span(section: Any, name: str) -> None:
    if not 0 <= section.since < section.until <= 1:
        raise ValueError(
            f"{name}.since and until are shares of the training, 0 <= since < until <= 1; "
            f"found {section.since:g} and {section.until:g}."
        )


@dataclass(frozen=True)
class BackboneConfig:
    """The network."""

    name: str = doc("a key of the registry of backbones", "mobilenetv2")
    size: int = doc("height and width of the input, px", 160)
    width: float = doc("multiplier of the channel counts", 1.0)
    dimension: int = doc("length of the embedding", 128)
    start_from: str = doc(
        "weights to begin with: a run's folder (./NAME), a packed .npz, or a released network's name; empty = random",
        "",
    )
    start_partly: bool = doc(
        "take of start_from what fits and leave the rest random; false = refuse what does not", False
    )

    def __post_init__(self) -> None:
        check(self, "backbone", size="[1, inf)", width="(0, inf)", dimension="[1, inf)")


@dataclass(frozen=True)
class SplitConfig:
    """Who is held out, by person. At least 1 is a number of people, below 1 a share of them."""

    seed: int = doc("seed of the permutation of the people", 0)
    test: float = doc("people (or share) that only results come from", 0.1)
    calibrate: float = doc("people (or share) that parity and thresholds come from", 0.1)
    quotas: tuple[Quota, ...] = doc("instead of both: people to calibrate on, so many of each source", ())

    def __post_init__(self) -> None:
        check(self, "split", seed=SEED, test="[0, inf)", calibrate="[0, inf)")


@dataclass(frozen=True)
class BatchConfig:
    """P identities x K images a step."""

    people: int = doc("identities a step, P", 12)
    images: int = doc("images per identity, K; repeated, in other views, where a person has fewer", 4)
    least_photos: int = doc("refuse the set when a person to train on has fewer photos", 2)

    def __post_init__(self) -> None:
        check(self, "batch", people="[1, inf)", images="[1, inf)", least_photos="[1, inf)")


@dataclass(frozen=True)
class SoftmaxConfig:
    """Cosine softmax cross-entropy over the training identities."""

    weight: float = doc("factor of this term", 1.0)
    scale: float = doc("factor on the cosines", 16.0)
    smoothing: float = doc("label smoothing, 0..1", 0.1)
    margin_kind: Literal["none", "arcface", "cosface"] = doc("how the own class is made harder", "none")
    margin: float = doc("radians for arcface (its paper: 0.5), a cosine for cosface (its paper: 0.35)", 0.5)
    margin_warmup: float = doc("share of the training in which the margin rises from 0", 0.1)
    since: float = doc("share of the training at which this term begins", 0.0)
    until: float = doc("share of the training at which it ends", 1.0)

    def __post_init__(self) -> None:
        check(self, "softmax", weight="[0, inf)", scale="(0, inf)", smoothing="[0, 1)", margin_warmup="[0, 1)")
        check(self, "softmax", margin="[0, 2]" if self.margin_kind == "cosface" else f"[0, {math.pi})")
        _check_span(self, "softmax")


@dataclass(frozen=True)
class CenterConfig:
    """Centre loss: embeddings are drawn to the running centre of their identity. Used beside softmax."""

    weight: float = doc("factor of half the mean squared distance, unit embeddings", 0.5)
    rate: float = doc("how fast a centre follows its photos, 0..1", 0.5)
    since: float = doc("share of the training at which this term begins", 0.0)
    until: float = doc("share of the training at which it ends", 1.0)

    def __post_init__(self) -> None:
        check(self, "center", weight="[0, inf)", rate="(0, 1]")
        _check_span(self, "center")


@dataclass(frozen=True)
class AuxiliaryConfig:
    """Heads on inner maps of backbones that have them (googlenet), while training only."""

    weight: float = doc("factor of each head's losses; 0 = no heads", 1 / 3)
    channels: int = doc("of the 1x1 convolution", 128)
    hidden: int = doc("of the dense layer", 1024)

    def __post_init__(self) -> None:
        check(self, "auxiliary", weight="[0, inf)", channels="[1, inf)", hidden="[1, inf)")


@dataclass(frozen=True)
class TripletConfig:
    """Triplet loss with negatives mined within the batch."""

    weight: float = doc("factor of this term", 1.0)
    margin: float = doc("in squared distance of unit embeddings", 0.2)
    mining: Literal["random", "semi-hard", "hardest", "batch-hard", "offline"] = doc(
        "which triplets; offline = over a subset, every so many steps, with the newest weights", "semi-hard"
    )
    every: int = doc("offline: steps between minings", 500)
    subset_people: int = doc("offline: people of the subset that is embedded", 200)
    subset_images: int = doc("offline: photos of each of them", 10)
    since: float = doc("share of the training at which this term begins", 0.0)
    until: float = doc("share of the training at which it ends", 1.0)

    def __post_init__(self) -> None:
        check(self, "triplet", weight="[0, inf)", margin="(0, 4)", every="[1, inf)")
        check(self, "triplet", subset_people="[2, inf)", subset_images="[2, inf)")
        _check_span(self, "triplet")


@dataclass(frozen=True)
class DistilConfig:
    """Learning from the outputs of other networks."""

    teachers: tuple[str, ...] = doc("manifests of the teachers, their paths; several are put side by side", ())
    batch: int = doc("views a step", 64)
    cosine: float = doc("factor of 1 - cosine to the teacher", 1.0)
    relational: float = doc("factor of the difference between the batch's cosines", 0.5)
    mix: float = doc("share of views that are mixes of two faces, 0..1", 0.0)
    reuse: float = doc("how often a view is seen on average; each costs the teacher once", 3.0)
    fill: int = doc("the training begins with new views alone, until there are this many", 4096)
    ring: int = doc("past views are drawn from this many newest ones, kept in a file of the run's folder", 100_000)
    bank: str = doc("folder of the teachers' answers, to share them between runs; empty = in the run's folder", "")

    def __post_init__(self) -> None:
        check(
            self, "distil", batch="[2, inf)", reuse="[1, inf)", mix="[0, 1]", cosine="[0, inf)", relational="[0, inf)"
        )
        if self.fill < self.batch or self.ring < self.batch:
            raise ValueError(f"distil.fill and ring hold at least a batch, found {self.fill} and {self.ring}.")
        if not self.cosine + self.relational:
            raise ValueError("distil.cosine and relational must not both be 0.")


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become steps. Weight decay never touches normalisation's gamma and beta."""

    name: Literal["adamw", "sgd", "muon"] = doc("muon = Muon on convolution kernels, AdamW on the rest", "adamw")
    learning_rate: float = doc("at its highest", 3e-3)
    weight_decay: float = doc("decoupled, times the learning rate", 0.05)
    momentum: float = doc("of sgd (Nesterov)", 0.9)
    beta_2: float = doc("of adamw", 0.999)
    epsilon: float = doc("of adamw", 1e-7)
    clip_norm: float = doc("limit of the norm over all gradients (muon: of each AdamW gradient); 0 = none", 5.0)

    def __post_init__(self) -> None:
        check(self, "optimizer", learning_rate="(0, inf)", weight_decay="[0, inf)", clip_norm="[0, inf)")
        check(self, "optimizer", momentum="[0, 1)", beta_2="[0, 1)", epsilon="(0, inf)")


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over the steps."""

    shape: Literal["cosine", "constant-linear"] = doc("cosine to the floor, or constant then linear to it", "cosine")
    warmup: float = doc("share of the steps in which it rises from 0", 0.05)
    warmup_least: int = doc("but at least this many steps", 20)
    decay: float = doc("constant-linear: share of the steps in which it falls, at the end", 0.3)
    floor: float = doc("learning rate at the end", 1e-6)

    def __post_init__(self) -> None:
        check(self, "schedule", warmup="[0, 1)", warmup_least="[0, inf)", decay="(0, 1]", floor="[0, inf)")


@dataclass(frozen=True)
class DevicesConfig:
    """What is trained on. More than one device needs JAX; all processes see one run folder, and process 0 writes."""

    local: int = doc("devices of each process; 0 = all it has", 1)
    processes: int = doc("processes that train together, on one machine or several", 1)
    process: int = doc("number of this one, from 0; EDGE_FACENET_PROCESS wins over it", 0)
    coordinator: str = doc("HOST:PORT where process 0 listens for the others", "")
    patience: int = doc("seconds to wait for the others at the start", 120)

    def __post_init__(self) -> None:
        check(self, "devices", local="[0, inf)", processes="[1, inf)", patience="[1, inf)")
        if not 0 <= self.process < self.processes:
            raise ValueError(f"devices.process must be in 0..processes-1, found {self.process} of {self.processes}.")
        if self.processes > 1 and ":" not in self.coordinator:
            raise ValueError(
                f'devices.coordinator must be HOST:PORT with several processes, found "{self.coordinator}".'
            )
