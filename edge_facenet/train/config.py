"""What a training is: one frozen dataclass, read strictly, written into the run's folder.

Everything random follows from (`seed`, step). Lists of what may be changed when a run goes on: `FREE`.
"""

from __future__ import annotations

import json
import types
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..budget import DEFAULT_MULADDS
from ..errors import ConfigError
from ..schema import doc, from_json, nearest, to_json
from .holdout import Quota
from .jitter import JitterConfig

FREE = (
    "save_every", "log_every", "look_every", "tensorboard", "view_threads", "distil.bank", "distil.teachers",
    "devices.local", "devices.coordinator", "devices.processes", "devices.process", "devices.patience",
)  # fmt: skip
"""Keys that never change what a step computes; a run may go on with other values of these. (Teachers may have moved; whether
they are still the same ones, their bank knows. Another number of devices rounds its sums in another order.)"""


@dataclass(frozen=True)
class BackboneConfig:
    """The network."""

    name: str = doc("a key of the registry of backbones", "mobilenetv2")
    size: int = doc("height and width of the input, px", 160)
    width: float = doc("multiplier of the channel counts", 1.0)
    dimension: int = doc("length of the embedding", 128)
    start_from: str = doc(
        "weights to begin with: a run's folder, a packed .npz, or a released network's name; empty = random", ""
    )
    start_partly: bool = doc(
        "take of start_from what fits and leave the rest random; false = refuse what does not", False
    )


@dataclass(frozen=True)
class SplitConfig:
    """Who is held out, by person. At least 1 is a number of people, below 1 a share of them."""

    seed: int = doc("seed of the permutation of the people", 0)
    test: float = doc("people (or share) that only results come from", 0.1)
    calibrate: float = doc("people (or share) that parity and thresholds come from", 0.1)
    quotas: tuple[Quota, ...] = doc("instead of both: people to calibrate on, so many of each source", ())


@dataclass(frozen=True)
class BatchConfig:
    """P identities x K images a step."""

    people: int = doc("identities a step, P", 12)
    images: int = doc("images per identity, K; repeated, in other views, where a person has fewer", 4)
    least_photos: int = doc("refuse the set when a person to train on has fewer photos", 2)


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


@dataclass(frozen=True)
class CenterConfig:
    """Centre loss: embeddings are drawn to the running centre of their identity. Used beside softmax."""

    weight: float = doc("factor of half the mean squared distance, unit embeddings", 0.5)
    rate: float = doc("how fast a centre follows its photos, 0..1", 0.5)
    since: float = doc("share of the training at which this term begins", 0.0)
    until: float = doc("share of the training at which it ends", 1.0)


@dataclass(frozen=True)
class AuxiliaryConfig:
    """Heads on inner maps of backbones that have them (googlenet), while training only."""

    weight: float = doc("factor of each head's losses; 0 = no heads", 1 / 3)
    channels: int = doc("of the 1x1 convolution", 128)
    hidden: int = doc("of the dense layer", 1024)


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
        if self.batch < 2 or self.reuse < 1 or not 0 <= self.mix <= 1:
            raise ValueError(
                f"distil.batch is at least 2, reuse at least 1, mix in [0, 1]; found {self.batch}, {self.reuse:g}, {self.mix:g}."
            )
        if self.fill < self.batch or self.ring < self.batch:
            raise ValueError(f"distil.fill and ring hold at least a batch, found {self.fill} and {self.ring}.")
        if self.cosine < 0 or self.relational < 0 or not self.cosine + self.relational:
            raise ValueError("distil.cosine and relational must not be negative, nor both 0.")


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


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over the steps."""

    shape: Literal["cosine", "constant-linear"] = doc("cosine to the floor, or constant then linear to it", "cosine")
    warmup: float = doc("share of the steps in which it rises from 0", 0.05)
    warmup_least: int = doc("but at least this many steps", 20)
    decay: float = doc("constant-linear: share of the steps in which it falls, at the end", 0.3)
    floor: float = doc("learning rate at the end", 1e-6)


@dataclass(frozen=True)
class DevicesConfig:
    """What is trained on. More than one device needs JAX; all processes see one run folder, and process 0 writes."""

    local: int = doc("devices of each process; 0 = all it has", 1)
    processes: int = doc("processes that train together, on one machine or several", 1)
    process: int = doc("number of this one, from 0; EDGE_FACENET_PROCESS wins over it", 0)
    coordinator: str = doc("HOST:PORT where process 0 listens for the others", "")
    patience: int = doc("seconds to wait for the others at the start", 120)

    def __post_init__(self) -> None:
        if self.local < 0 or self.patience < 1 or not 0 <= self.process < self.processes:
            raise ValueError(
                f"devices.local is at least 0, devices.process in 0..processes-1; found {self.local}, {self.process} of {self.processes}."
            )
        if self.processes > 1 and ":" not in self.coordinator:
            raise ValueError(
                f'devices.coordinator must be HOST:PORT with several processes, found "{self.coordinator}".'
            )


@dataclass(frozen=True)
class TrainConfig:
    """A whole training."""

    steps: int = doc("updates of the weights")
    backbone: BackboneConfig = doc("the network", BackboneConfig())
    objective: str = doc("softmax, center, triplet, distil, or a sum of them (softmax+center)", "softmax")
    split: SplitConfig = doc("who is held out", SplitConfig())
    batch: BatchConfig = doc("what a step sees", BatchConfig())
    jitter: JitterConfig = doc("augmentation", JitterConfig())
    softmax: SoftmaxConfig = doc("the softmax term", SoftmaxConfig())
    center: CenterConfig = doc("the centre loss term", CenterConfig())
    triplet: TripletConfig = doc("the triplet term", TripletConfig())
    auxiliary: AuxiliaryConfig = doc("auxiliary heads", AuxiliaryConfig())
    distil: DistilConfig = doc("learning from teachers", DistilConfig())
    l2: float = doc("factor of half the sum of squared kernels, as a loss term; 0 = none", 0.0)
    optimizer: OptimizerConfig = doc("the optimiser", OptimizerConfig())
    schedule: ScheduleConfig = doc("the learning rate over the steps", ScheduleConfig())
    average: float = doc("averaged weights: the most of the old average that a step keeps; 0 = none are kept", 0.0)
    seed: int = doc("of weights, order and augmentation", 0)
    devices: DevicesConfig = doc("one device or several", DevicesConfig())
    threads: int = doc("threads of the backend; 0 = all cores", 0)
    view_threads: int = doc("threads that make views; more than one pays above some 5,000 images/s (a GPU)", 1)
    precision: Literal["float32", "mixed_bfloat16", "auto"] = doc(
        "of the arithmetic; weights stay float32; auto: bfloat16 where the processor calculates in it", "float32"
    )
    fused_norm: bool = doc("TensorFlow's fused batch normalisation while training", False)
    deterministic: bool = doc("the same bits from every run on one machine (TensorFlow)", False)
    budget_muladds: int = doc("refuse a network above this many MUL-ADDs per face; 0 = no limit", DEFAULT_MULADDS)
    save_every: int = doc("steps between checkpoints", 200)
    log_every: int = doc("steps between rows of log.csv", 20)
    look_every: int = doc("steps between verifications on the calibrate people; 0 = never", 0)
    tensorboard: bool = doc("curves and histograms of distances for TensorBoard, in the run's folder", False)

    def __post_init__(self) -> None:
        for name, value in _counts(self).items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, found {value}.")
        shares = {
            "average": self.average,
            "schedule.warmup": self.schedule.warmup,
            "softmax.smoothing": self.softmax.smoothing,
            "softmax.margin_warmup": self.softmax.margin_warmup,
        }
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} must be in [0, 1), found {share:g}.")
        for name, since, until in _spans(self):
            if not 0 <= since < until <= 1:
                raise ValueError(
                    f"{name}.since and until are shares of the training, 0 <= since < until <= 1; found {since:g} and {until:g}."
                )
        if not 0 < self.center.rate <= 1 or self.softmax.margin < 0 or self.auxiliary.weight < 0:
            raise ValueError("center.rate must be in (0, 1], softmax.margin and auxiliary.weight not negative.")
        if not 0 < self.schedule.decay <= 1 or self.optimizer.learning_rate <= 0 or self.triplet.margin <= 0:
            raise ValueError("schedule.decay must be in (0, 1], optimizer.learning_rate and triplet.margin above 0.")
        if min(self.l2, self.optimizer.weight_decay, self.optimizer.clip_norm, self.threads, self.look_every) < 0:
            raise ValueError(
                "l2, optimizer.weight_decay, optimizer.clip_norm, threads and look_every must not be negative."
            )


def _spans(config: TrainConfig) -> list[tuple[str, float, float]]:
    softmax, center, triplet = config.softmax, config.center, config.triplet
    return [
        ("softmax", softmax.since, softmax.until),
        ("center", center.since, center.until),
        ("triplet", triplet.since, triplet.until),
    ]


def _counts(config: TrainConfig) -> dict[str, int]:
    batch = config.batch
    return {
        "steps": config.steps,
        "save_every": config.save_every,
        "log_every": config.log_every,
        "view_threads": config.view_threads,
        "batch.people": batch.people,
        "batch.images": batch.images,
        "batch.least_photos": batch.least_photos,
        "triplet.every": config.triplet.every,
        "triplet.subset_people": config.triplet.subset_people,
        "triplet.subset_images": config.triplet.subset_images,
        "auxiliary.channels": config.auxiliary.channels,
        "auxiliary.hidden": config.auxiliary.hidden,
    }


def read(path: Path) -> TrainConfig:
    """The configuration of a run's folder or a file.

    Raises:
        ConfigError: missing, not JSON, an unknown key, a wrong type.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read the training configuration {path}: {error}.") from error
    return from_json(TrainConfig, value, f"configuration {path}")


def override(config: TrainConfig, assignments: list[str]) -> TrainConfig:
    """`config` with "key=value" texts applied; nested keys with dots ("optimizer.learning_rate=1e-3").

    Raises:
        ConfigError: not key=value, an unknown key (the nearest is named), a value of another type.
    """
    value = to_json(config)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f'--set {assignment}: write key=value, as in "optimizer.learning_rate=1e-3".')
        *sections, leaf = key.split(".")
        place, kind = value, TrainConfig
        for section in sections:
            kind = _plain(_hint(kind, section, assignment))
            place = place.setdefault(section, {}) if is_dataclass(kind) else place
        place[leaf] = _value(_plain(_hint(kind, leaf, assignment)), text, assignment)
    return from_json(TrainConfig, value, "configuration")


def difference(old: TrainConfig, new: TrainConfig) -> list[tuple[str, Any, Any]]:
    """(dotted key, old, new) of every value that differs and is not `FREE`."""
    return [row for row in _difference(old, new, "") if row[0] not in FREE]


def _difference(old: Any, new: Any, prefix: str) -> list[tuple[str, Any, Any]]:
    rows: list[tuple[str, Any, Any]] = []
    for field in fields(old):
        a, b = getattr(old, field.name), getattr(new, field.name)
        if is_dataclass(a) and is_dataclass(b):
            rows += _difference(a, b, f"{prefix}{field.name}.")
        elif a != b:
            rows.append((f"{prefix}{field.name}", a, b))
    return rows


def _hint(kind: Any, name: str, assignment: str) -> Any:
    """Type of a section's field."""
    hints = get_type_hints(kind) if is_dataclass(kind) else {}
    if name not in hints:
        known = nearest(name, hints) if hints else "nothing is nested there"
        raise ConfigError(f'--set {assignment}: unknown key "{name}" ({known})')
    return hints[name]


def _plain(kind: Any) -> Any:
    """The type itself of `X | None`."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(a for a in get_args(kind) if a is not type(None))
    return kind


def _value(kind: Any, text: str, assignment: str) -> Any:
    if kind is str or get_origin(kind) is Literal:
        return text
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "JSON")
        raise ConfigError(f"--set {assignment}: expected {wanted}, found {text!r}.") from None


def _no_number(text: str) -> Any:
    """NaN and Infinity, which Python's reader would take."""
    raise ValueError(text)
