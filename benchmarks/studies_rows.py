"""The studies' rows: what each changes, and nothing else. A row is a handful of `--set` words of `edge-facenet train`."""

from __future__ import annotations

from dataclasses import dataclass

from edge_facenet.train import presets
from edge_facenet.train.config import TrainConfig, override

SMALL = ("backbone.name=mobile", "backbone.size=64", "backbone.width=0.35")
"""A network small enough that a cap of minutes shows differences: 10.2 M MUL-ADDs."""
LARGER = ("backbone.name=mobile", "backbone.size=64", "backbone.width=0.5")
"""Large enough that a teacher does not cost most of a step, as it does not for the released network."""
INCEPTION = ("backbone.name=googlenet", "backbone.size=64", "backbone.width=0.25")
OWN = ("backbone.name=mobile", "backbone.size=80")
ALL = ("threads=1", "fused_norm=true", "log_every=50", "save_every=1000000")
NOBODY = ("split.test=0", "split.calibrate=0")
"""Nobody is held out by the trainer: it is given the training people alone (`studies_people.View`)."""
OFFLINE_EVERY = 100
"""Steps between minings."""
CELEBA, UNSEEN, JAI, FACES = "celeba", "unseen", "jai", "faces"
"""Where a row's people come from: those the 105 judge; those 105 themselves; the source `jai`; everybody but the 105, most of
them without a name."""


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    name: str
    settings: tuple[str, ...]
    cost: str  # rows of one cost share a calibration: they do the same work a step
    source: str = CELEBA
    people: int = 0  # to train on; 0 = everybody of the source
    as_it_is: bool = False  # no training: the network that `backbone.start_from` names
    teachers: int = 0  # networks whose answers it learns from


@dataclass(frozen=True)
class Study:
    """One table, one plot, one file."""

    name: str
    question: str
    settings: tuple[str, ...]
    rows: tuple[Row, ...]
    preset: str = ""  # what the settings change; empty = the product's defaults, nobody held out

    def config(self, row: Row, seed: int, steps: int) -> TrainConfig:
        """The whole configuration of one training, but for the teachers' paths."""
        base = presets.load(self.preset).config if self.preset else override(TrainConfig(steps), list(NOBODY))
        return override(base, [*ALL, *self.settings, *row.settings, f"seed={seed}", f"steps={steps}"])


def _triplet(mining: str) -> Row:
    return Row(f"triplet, {mining}", ("objective=triplet", f"triplet.mining={mining}"), f"triplet {mining}")


def _margin(kind: str, margin: float) -> tuple[str, ...]:
    plain = ("objective=softmax", "softmax.scale=32", "softmax.smoothing=0")
    return (*plain, f"softmax.margin_kind={kind}", f"softmax.margin={margin}")


MINING = Study(
    "mining",
    "Which triplets should a step compare?",
    SMALL,
    (
        _triplet("random"),
        _triplet("semi-hard"),
        _triplet("batch-hard"),
        Row(
            "triplet, offline",
            ("objective=triplet", "triplet.mining=offline", f"triplet.every={OFFLINE_EVERY}"),
            "triplet offline",
        ),
    ),
)
LOSSES = Study(
    "losses",
    "Which loss teaches most in the same time?",
    SMALL,
    (
        _triplet("semi-hard"),
        Row("softmax", ("objective=softmax",), "softmax"),
        Row("softmax + centre", ("objective=softmax+center",), "softmax+center"),
        Row("ArcFace", _margin("arcface", 0.5), "arcface"),
        Row("CosFace", _margin("cosface", 0.35), "cosface"),
        Row(
            "softmax + centre, then triplet",
            (
                "objective=softmax+center+triplet",
                "softmax.until=0.6",
                "center.until=0.6",
                "triplet.since=0.6",
            ),
            "softmax+center+triplet",
        ),
    ),
)
AUXILIARY = Study(
    "auxiliary",
    "Do GoogLeNet's two auxiliary heads pay for themselves?",
    INCEPTION,
    (
        Row("heads off", ("objective=softmax", "auxiliary.weight=0"), "heads off"),
        Row("heads on, weight 1/3", ("objective=softmax",), "heads on"),
    ),
)
_RELEASED = ("backbone.start_from=mobile",)
_TUNE = (
    *_RELEASED,
    "objective=triplet",
    "optimizer.learning_rate=0.0001",
    "optimizer.weight_decay=0",
)
"""What the preset `orl-finetune` does, for as long as the cap allows."""


def _as_it_is(source: str) -> Row:
    return Row("`mobile` as it is", (*_RELEASED, "objective=triplet"), "", source, as_it_is=True)


def _nothing(source: str, people: int) -> Row:
    return Row(f"from nothing, {people:,} people", ("objective=softmax",), "own softmax", source, people)


def _tuned(source: str, people: int) -> Row:
    return Row(f"fine-tuned, {people:,} people", _TUNE, "own triplet", source, people)


OWN_PEOPLE = Study(
    "own-people",
    "What does fine-tuning `mobile` on one's own people give, against training from nothing?",
    OWN,
    (
        _as_it_is(JAI),
        _nothing(JAI, 20),
        _tuned(JAI, 20),
        _nothing(JAI, 80),
        _tuned(JAI, 80),
        _as_it_is(UNSEEN),
        _tuned(UNSEEN, 20),
        _tuned(UNSEEN, 80),
        _as_it_is(CELEBA),
        _nothing(CELEBA, 20),
        _nothing(CELEBA, 100),
        _nothing(CELEBA, 1000),
    ),
)


def _distilled(name: str, *settings: str, teachers: int = 1, cost: str = "") -> Row:
    return Row(name, settings, f"distil {cost or name}", FACES, teachers=teachers)


RECIPE = "as `mobile-distil`"
RECIPES = Study(
    "recipes",
    "Which changes to the released network's recipe pay at equal cost?",
    (*LARGER, "distil.fill=1024", "look_every=1000000"),
    (
        _distilled(RECIPE),
        _distilled("mixes 35 %", "distil.mix=0.35"),
        _distilled("mixes 70 %", "distil.mix=0.7"),
        _distilled("relational term off", "distil.relational=0", cost=RECIPE),
        _distilled("relational term × 4", "distil.relational=2", cost=RECIPE),
        _distilled("relational term alone", "distil.cosine=0", cost=RECIPE),
        _distilled("views seen 1.5 times", "distil.reuse=1.5"),
        _distilled("views seen 6 times", "distil.reuse=6"),
        _distilled("two teachers", teachers=2),
        _distilled("two teachers, relational term alone", "distil.cosine=0", teachers=2, cost="two teachers"),
    ),
    preset="mobile-distil",
)
STUDIES = {study.name: study for study in (MINING, LOSSES, AUXILIARY, OWN_PEOPLE, RECIPES)}
