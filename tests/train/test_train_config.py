"""Configurations and presets: read strictly, overridden by key, refused with the nearest known key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_facenet import schema
from edge_facenet.errors import ConfigError
from edge_facenet.train import config, presets
from edge_facenet.train.config import TrainConfig


def test_set_reaches_nested_keys_and_keeps_types() -> None:
    changed = config.override(
        TrainConfig(10),
        [
            "steps=20",
            "optimizer.learning_rate=1e-3",
            "objective=triplet",
            "deterministic=true",
            "jitter.cutout_side=[0.1, 0.2]",
        ],
    )
    assert (changed.steps, changed.optimizer.learning_rate, changed.objective) == (20, 1e-3, "triplet")
    assert changed.deterministic and changed.jitter.cutout_side == (0.1, 0.2)


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("optimiser.learning_rate=1", 'did you mean "optimizer"'),
        ("optimizer.learnin_rate=1", 'did you mean "learning_rate"'),
        ("optimizer.learning_rate.x=1", "unknown key"),
        ("steps=many", "a whole number"),
        ("steps=1.5", "integer"),
        ("steps=true", "integer"),
        ("steps=0", "at least 1"),
        ("steps", "key=value"),
        ("optimizer=3", "object"),
        ("precision=float8", "mixed_bfloat16"),
        ("softmax.smoothing=1", "[0, 1)"),
        ("jitter.flip=2", "probability"),
        ("schedule.decay=0", "(0, 1]"),
        ("l2=-1", "at least 0"),
        ("seed=-1", "[0, 4294967295]"),
        ("seed=99999999999", "[0, 4294967295]"),
        ("split.seed=-1", "split.seed must be in"),
        ("softmax.weight=-1", "softmax.weight must be at least 0"),
        ("softmax.scale=0", "softmax.scale must be above 0"),
        ("softmax.margin=30", "softmax.margin must be in [0, 3.14"),
        ("triplet.margin=9", "triplet.margin must be in (0, 4)"),
        ("triplet.subset_images=1", "triplet.subset_images must be at least 2"),
        ("triplet.until=0", "triplet.since and until"),
        ("schedule.floor=-1", "schedule.floor must be at least 0"),
        ("schedule.floor=0.1", "schedule.floor is the rate at the end: at most optimizer.learning_rate"),
        ("optimizer.momentum=2", "optimizer.momentum must be in [0, 1)"),
        ("optimizer.beta_2=2", "optimizer.beta_2 must be in [0, 1)"),
        ("optimizer.epsilon=-1", "optimizer.epsilon must be above 0"),
        ("jitter.rotation=-5", "rotation must be in [0, 180]"),
        ("jitter.zoom=1000", "zoom must be in [0, 2]"),
        ("backbone.width=0", "backbone.width must be above 0"),
        ("devices.process=1", "devices.process must be in 0..processes-1"),
        ("l2=NaN", "a number"),
    ],
)
def test_what_set_refuses(assignment: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config.override(TrainConfig(10), [assignment])
    assert says in str(refused.value)


def test_json_and_back() -> None:
    one = config.override(TrainConfig(10), ["backbone.name=mobile", "batch.people=5"])
    assert schema.from_json(TrainConfig, json.loads(json.dumps(schema.to_json(one))), "x") == one


def test_difference_names_the_key_and_leaves_free_ones_out() -> None:
    one = TrainConfig(10)
    two = config.override(one, ["optimizer.weight_decay=0.1", "save_every=7", "log_every=3"])
    assert config.difference(one, two) == [("optimizer.weight_decay", 0.05, 0.1)]


@pytest.mark.parametrize("name", presets.names())
def test_preset_is_a_lab_note(name: str) -> None:
    preset = presets.load(name)
    note = preset.note
    assert f"--preset {name}" in note.command
    year, month, day = map(int, note.date.split("-"))
    assert year >= 2026 and 1 <= month <= 12 and 1 <= day <= 31
    assert note.summary and note.hardware and note.time
    assert all(e.runs >= 1 and 0 <= e.mean <= 100 and e.spread >= 0 for e in note.expected)
    assert note.expected or note.remark, "a preset without measured accuracy says why"


def test_presets_that_must_be_there() -> None:
    assert {
        "orl-demo",
        "facenet-triplet",
        "inception-resnet-softmax-center",
        "mobilenet-arcface",
        "googlenet-softmax",
    } <= set(presets.names())


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match='did you mean "orl-demo"'):
        presets.load("orl_demo")


def test_preset_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    value = json.loads((presets.FOLDER / "orl-demo.json").read_text())
    value["config"]["steps"] = 5
    path.write_text(json.dumps(value))
    assert presets.load(str(path)).config.steps == 5
    value["config"]["stepz"] = 5
    path.write_text(json.dumps(value))
    with pytest.raises(ConfigError, match='unknown key "stepz"'):
        presets.load(str(path))
    path.write_text("{")
    with pytest.raises(ConfigError, match="Cannot read preset"):
        presets.load(str(path))


def test_preset_based_on_another_says_only_what_differs(tmp_path: Path) -> None:
    base = json.loads((presets.FOLDER / "orl-demo.json").read_text())
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps({"based_on": "orl-demo", "note": base["note"], "config": {"batch": {"people": 5}}}))
    second.write_text(json.dumps({"based_on": "first.json", "note": base["note"], "config": {"steps": 7}}))
    shipped, got = presets.load("orl-demo").config, presets.load(str(second)).config
    assert (got.batch.people, got.steps) == (5, 7)
    assert {row[0] for row in config.difference(shipped, got)} == {"batch.people", "steps"}


@pytest.mark.parametrize(
    "below, problem", [("second.json", "in a circle"), ("orl_demo", 'mean "orl-demo"'), ("none.json", "Cannot read")]
)
def test_preset_based_on_what_is_not_there(tmp_path: Path, below: str, problem: str) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps({"based_on": below, "config": {}}))
    second.write_text(json.dumps({"based_on": "first.json", "config": {}}))
    with pytest.raises(ConfigError, match=problem):
        presets.load(str(second))


def test_presets_by_one_road_hold_out_the_same_people() -> None:
    distil = [
        presets.load(name).config for name in presets.names() if name.endswith(("-distil", "-distil-96", "-distil-112"))
    ]
    assert len(distil) >= 5
    assert len({json.dumps(schema.to_json(one.split)) for one in distil}) == 1


@pytest.mark.parametrize("batch", ["batch.people=1", "batch.images=1"])
def test_triplets_need_two_of_one_and_one_of_another(batch: str) -> None:
    config.override(TrainConfig(10), [batch])
    for objective in ("triplet", "softmax+triplet"):
        with pytest.raises(ConfigError, match="must be at least 2"):
            config.override(TrainConfig(10), [f"objective={objective}", batch])


@pytest.mark.parametrize(
    ("words", "gap"),
    [
        (["objective=softmax+triplet", "softmax.until=0.3", "triplet.since=0.7"], 0.3),
        (["objective=softmax", "softmax.until=0.5"], 0.5),
        (["objective=triplet", "triplet.since=0.1"], 0.0),
        (["objective=softmax+triplet", "softmax.until=0.7", "triplet.since=0.3"], None),
        (["objective=softmax+triplet", "softmax.until=0.5", "triplet.since=0.5"], None),
        (["objective=distil+triplet", "triplet.since=0.7"], None),
    ],
)
def test_no_step_learns_from_nothing(words: list[str], gap: float | None) -> None:
    if gap is None:
        config.override(TrainConfig(10), words)
    else:
        with pytest.raises(ConfigError, match=f"no term of the objective .* from share {gap:g} "):
            config.override(TrainConfig(10), words)
