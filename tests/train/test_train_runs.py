"""A run's folder: one configuration, one split by name, one process; who may be trained on."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from edge_facenet.errors import ConfigError, InputError, OutputError
from edge_facenet.train import config, runs
from edge_facenet.train.config import TrainConfig

PEOPLE = dict.fromkeys(("9", "10", "Beta", "alpha", "zeta", "a", "b", "c", "d", "e"), 4)


def _begin(run: Path, one: TrainConfig, photos: dict[str, int] = PEOPLE, begun: bool = False) -> object:
    run.mkdir(exist_ok=True)
    return runs.settle(run, one, photos, begun=begun)


def test_a_run_goes_on_only_as_it_was_begun(run: Path) -> None:
    one = TrainConfig(10)
    _begin(run, one)
    assert _begin(run, config.override(one, ["log_every=1"]), begun=True)
    with pytest.raises(ConfigError, match=r"batch\.people was 12, now 5"):
        _begin(run, config.override(one, ["batch.people=5"]), begun=True)
    assert config.read(run / "config.json") == config.override(one, ["log_every=1"])  # `train resume` goes on with it


def test_without_a_checkpoint_a_run_is_begun_anew(run: Path) -> None:
    _begin(run, TrainConfig(10))
    for name in ("projection.npy", "triplets-00003.npz"):
        (run / name).write_bytes(b"of other teachers and people")
    _begin(run, TrainConfig(20))
    assert config.read(run / "config.json").steps == 20
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "split.json"]


def test_a_refused_training_leaves_its_folder_free_for_the_next(run: Path) -> None:
    """The teachers' answers may stay; what is large and soon made again goes."""
    with runs.opened(run):
        _begin(run, TrainConfig(10))
        for name in ("ring-80-0123456789ab.bin", "projection.npy", "triplets-00000.npz"):
            (run / name).write_bytes(b"x")
        (run / "bank").mkdir()
        runs.take_back(run)
    assert [path.name for path in run.iterdir()] == ["bank"]
    with runs.opened(run):
        _begin(run, TrainConfig(10))


def test_c022_labels_go_by_name(run: Path) -> None:
    """C022: people added later, and another order of the folder, change no label."""
    one = TrainConfig(10)
    split = _begin(run, one)
    grown = {"aaa": 2, **dict(reversed(PEOPLE.items()))}
    assert _begin(run, one, grown, begun=True) == split
    assert json.loads((run / "split.json").read_text())["train"] == list(split.train)  # type: ignore[attr-defined]


def test_what_may_change_is_kept_for_the_next_time(run: Path) -> None:
    """Teachers that moved, another save_every: `train resume` reads config.json. Devices belong to a process, not to the run."""
    one = TrainConfig(10)
    _begin(run, one)
    now = config.override(one, ["save_every=7", 'distil.teachers=["moved.json"]', "devices.patience=5"])
    _begin(run, now, begun=True)
    assert config.read(run / "config.json") == config.override(now, ["devices.patience=120"])


def test_people_that_have_gone_are_named(run: Path) -> None:
    one = TrainConfig(10)
    _begin(run, one)
    left = {name: count for name, count in PEOPLE.items() if name != "Beta"}
    with pytest.raises(InputError, match="1 people this crop set lacks: Beta"):
        _begin(run, one, left, begun=True)


def test_split_must_leave_people_to_train_on(run: Path) -> None:
    with pytest.raises(InputError, match="Cannot split 10 people"):
        _begin(run, config.override(TrainConfig(10), ["split.test=9"]))
    with pytest.raises(ConfigError, match="whole"):
        _begin(run, config.override(TrainConfig(10), ["split.test=2.5"]))


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ({}, "names nobody"),
        ({"Ann": 9}, 'Only one identity \\("Ann"\\)'),
    ],
)
def test_sets_nobody_can_learn_from(people: dict[str, int], says: str) -> None:
    with pytest.raises(InputError, match=says):
        runs.check_people(people)
    runs.check_people({"Ann": 2, "Bob": 2})


def test_people_with_too_few_photos() -> None:
    with pytest.raises(InputError, match='1 of 3 people have fewer than 2 photos: "Bob" has 1'):
        runs.check_photos({"Ann": 9, "Bob": 1, "Eve": 3}, least=2)
    runs.check_photos({"Ann": 2, "Bob": 2}, least=2)


def test_one_process_at_a_time(run: Path) -> None:
    with runs.opened(run), pytest.raises(OutputError, match="Another process is training"), runs.opened(run):
        pass
    with runs.opened(run):
        pass


def test_a_file_system_without_locks_is_no_other_process(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", refuses)
    with runs.opened(run):
        assert runs.holder(run) is None, "who trains there cannot be known"
        assert (run / ".lock").read_text() == str(os.getpid())


def test_a_lock_that_cannot_be_opened_tells_nothing(run: Path) -> None:
    (run / ".lock").mkdir(parents=True)
    assert runs.holder(run) is None


def test_folders_that_are_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "bert"}')  # so many programs call their own
    for name, says in (
        ("file", "is a file"),
        ("full", "not a run"),
        ("other", "not a run"),
        ("file/below", "Cannot write"),
    ):
        with pytest.raises(OutputError, match=says), runs.opened(tmp_path / name):
            pass
    assert (tmp_path / "full" / "thesis.txt").read_text() == (tmp_path / "file").read_text() == "mine"


def test_what_a_killed_process_left_is_cleared(run: Path) -> None:
    (run / ".writing-step-0000004").mkdir(parents=True)
    (run / ".writing-step-0000004" / "weights.weights.h5").write_bytes(b"half")
    with runs.opened(run):
        assert not (run / ".writing-step-0000004").exists()


def test_the_configuration_of_a_run_is_known_with_or_without_what_comes_after_it(run: Path) -> None:
    """Killed between two files, or with a key of another version: a run all the same, whose fault is then told."""
    _begin(run, TrainConfig(10))
    (run / "split.json").rename(run / "later")
    (run / "later").unlink()
    assert not runs.is_strange(run)
    _begin(run, TrainConfig(10))
    (run / "config.json").write_text('{"steps": 10, "of_another_version": 1}')
    assert not runs.is_strange(run)


CONSTANT = ("schedule.shape=constant-linear", "schedule.warmup=0", "schedule.warmup_least=1")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (("softmax.margin_kind=arcface", "softmax.margin_warmup=0.2"), "Margin warm-up, since and until are shares"),
        (("objective=softmax+triplet", "triplet.since=0.5"), "Margin warm-up, since and until are shares"),
        (("schedule.warmup=0.2",), "The warm-up is a share of the steps"),
        (("schedule.shape=cosine",), "every step's learning rate depends"),
    ],
)
def test_another_number_of_steps_is_refused_where_it_changes_steps_done(
    run: Path, settings: tuple[str, ...], says: str
) -> None:
    one = config.override(TrainConfig(100), [*CONSTANT, *settings])
    _begin(run, one)
    with pytest.raises(ConfigError, match=says):
        runs.settle(run, config.override(one, ["steps=200"]), PEOPLE, begun=True, done=6)


def test_another_number_of_steps_is_taken_where_it_changes_none(run: Path) -> None:
    one = config.override(TrainConfig(100), [*CONSTANT, "softmax.margin_kind=arcface", "softmax.margin_warmup=0"])
    _begin(run, one)
    runs.settle(run, config.override(one, ["steps=200"]), PEOPLE, begun=True, done=6)
    assert config.read(run / "config.json").steps == 200
