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
from .jitter import JitterConfig
from .sections import (
    SEED,
    AuxiliaryConfig,
    BackboneConfig,
    BatchConfig,
    CenterConfig,
    DevicesConfig,
    DistilConfig,
    OptimizerConfig,
    ScheduleConfig,
    SoftmaxConfig,
    SplitConfig,
    TripletConfig,
    check,
)

FREE = (
    "save_every", "log_every", "look_every", "tensorboard", "view_threads", "distil.bank", "distil.teachers",
    "devices.local", "devices.coordinator", "devices.processes", "devices.process", "devices.patience",
)  # fmt: skip
"""Keys that never change what a step computes; a run may go on with other values of these. (Teachers may have moved; whether
they are still the same ones, their bank knows. Another number of devices rounds its sums in another order.)"""


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
        check(self, "", steps="[1, inf)", save_every="[1, inf)", log_every="[1, inf)", look_every="[0, inf)")
        check(self, "", l2="[0, inf)", average="[0, 1)", seed=SEED, threads="[0, inf)", view_threads="[1, inf)")
        check(self, "", budget_muladds="[0, inf)")
        if self.schedule.floor > self.optimizer.learning_rate:
            raise ValueError(
                f"schedule.floor is the rate at the end: at most optimizer.learning_rate ({self.optimizer.learning_rate:g}), "
                f"found {self.schedule.floor:g}."
            )
        self._check_spans()
        if "triplet" in self.objective and min(self.batch.people, self.batch.images) < 2:
            raise ValueError(
                "A triplet needs two photos of a person and one of another: batch.people and batch.images must be at least "
                f"2, found {self.batch.people} and {self.batch.images}."
            )

    @property
    def label_terms(self) -> tuple[SoftmaxConfig | CenterConfig | TripletConfig, ...]:
        """The objective's terms that need names, each at work from `since` to `until`."""
        words = {word.strip() for word in self.objective.split("+")}
        return tuple(getattr(self, word) for word in ("softmax", "center", "triplet") if word in words)

    def _check_spans(self) -> None:
        """Refuse steps that learn from nothing."""
        spans = sorted((term.since, term.until) for term in self.label_terms)
        reached = 1.0 if "distil" in self.objective or not spans else 0.0
        for since, until in spans:
            if since > reached:
                break
            reached = max(reached, until)
        if reached < 1:
            raise ValueError(
                f"no term of the objective {self.objective} is at work from share {reached:g} of the training on; let another "
                "one's since and until close the gap."
            )


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
