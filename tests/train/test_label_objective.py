"""Trainings with every label term: phases, auxiliary heads, offline mining; killed and gone on."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from train_faces import arrays, tiny

from edge_facenet.errors import ConfigError, InputError
from edge_facenet.photos.cropset import CropSet

pytest.importorskip("keras")

from edge_facenet.train import backbones, checkpoint, monitor, trainer
from edge_facenet.train.backbones import Backbone

pytestmark = pytest.mark.usefixtures("tapped_backbone")
OFFLINE = ("objective=triplet", "triplet.mining=offline", "triplet.every=3", "triplet.subset_people=4")


@pytest.fixture
def tapped_backbone(tiny_backbone: None) -> Iterator[None]:
    """ "tiny" shows its first map to auxiliary heads."""
    plain = backbones.BACKBONES["tiny"]
    backbones.BACKBONES["tiny"] = Backbone("tiny", 16, 8, False, "for tests", ("seen",))
    yield
    backbones.BACKBONES["tiny"] = plain


def _rows(run: Path) -> list[dict[str, float]]:
    return [{k: float(v) for k, v in row.items() if v} for row in monitor.read_log(run / "log.csv")]


def test_softmax_and_centres_first_then_triplets(run: Path, eight_people: CropSet) -> None:
    phases = ("softmax.until=0.5", "center.until=0.5", "triplet.since=0.5", "auxiliary.weight=0")
    config = tiny(8, "objective=softmax+center+triplet", *phases, "softmax.margin_kind=arcface")
    trainer.train(eight_people, run, config)
    for row in _rows(run):
        first = row["step"] <= 4
        assert (row["softmax"] > 0, row["center"] > 0) == (first, first)
        assert row["triplet"] == 0 if first else row["triplet"] >= 0
        assert row["loss"] == pytest.approx(row["softmax"] + row["center"] + row["triplet"], rel=1e-4)
        assert row["center_drift"] > 0


@pytest.mark.parametrize("objective", ["softmax", "triplet"])
def test_auxiliary_heads_weigh_a_third_and_never_leave_the_training(
    run: Path, eight_people: CropSet, objective: str
) -> None:
    trainer.train(eight_people, run, tiny(2, f"objective={objective}"))
    trainer.train(eight_people, run.with_name("without"), tiny(2, f"objective={objective}", "auxiliary.weight=0"))
    row, without = _rows(run)[0], _rows(run.with_name("without"))[0]
    assert row["loss"] == pytest.approx(row[objective] + row["auxiliary"], rel=1e-4) and row["auxiliary"] > 0
    assert "auxiliary" not in without
    trainer.train(eight_people, run.with_name("full"), tiny(1, f"objective={objective}", "auxiliary.weight=1"))
    assert _rows(run.with_name("full"))[0]["auxiliary"] == pytest.approx(3 * row["auxiliary"], rel=1e-4)
    assert (
        checkpoint.load_embedder(run).model.count_params()
        == checkpoint.load_embedder(run.with_name("without")).model.count_params()
    )


def test_auxiliary_gradients_reach_the_layers_below_the_tap(run: Path, eight_people: CropSet) -> None:
    """Equal but for the auxiliary heads' weight, the first convolution ends elsewhere."""
    kernels = []
    for weight in ("0.3333", "0"):
        trainer.train(eight_people, run.with_name(weight), tiny(2, f"auxiliary.weight={weight}"))
        kernels.append(arrays(run.with_name(weight) / "step-0000002")["weights.weights.h5:layers/conv2d/vars/0"])
    assert not np.array_equal(*kernels)


def test_offline_mining_in_intervals(run: Path, eight_people: CropSet) -> None:
    trainer.train(eight_people, run, tiny(8, *OFFLINE))
    assert [path.name for path in sorted(run.glob("triplets-*.npz"))] == ["triplets-00001.npz", "triplets-00002.npz"]
    with np.load(run / "triplets-00002.npz") as kept:
        triplets, labels = kept["triplets"], kept["labels"]
    people = np.asarray(eight_people.labels)[triplets]
    assert (people[:, 0] == people[:, 1]).all() and (people[:, 0] != people[:, 2]).all()
    assert (triplets[:, 0] != triplets[:, 1]).all()
    assert len(set(zip(people[:, 0], labels[:, 0], strict=True))) == len(set(people[:, 0]))  # one label per person
    assert [row["step"] for row in _rows(run)] == list(range(1, 9))


def _stopped(crops: CropSet, run: Path, at: int) -> None:
    def stop(done: int, total: int) -> None:
        if done == at:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trainer.train(crops, run, tiny(8, *OFFLINE), trainer.Listeners(on_progress=stop))


def test_offline_mining_goes_on_with_the_same_triplets(run: Path, eight_people: CropSet) -> None:
    """Stopped within an interval (step 5) and before one (step 6): the same bits as left alone."""
    whole = run.with_name("whole")
    trainer.train(eight_people, whole, tiny(8, *OFFLINE))
    for at in (5, 6):
        _stopped(eight_people, run, at)
    trainer.train(eight_people, run, tiny(8, *OFFLINE))
    one, two = arrays(run / "step-0000008"), arrays(whole / "step-0000008")
    assert one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def test_offline_mining_goes_on_where_checkpoints_are_rare(run: Path, eight_people: CropSet) -> None:
    """Killed two minings behind the last checkpoint: what that one needs is there still."""
    settings = tiny(20, *OFFLINE, "triplet.every=3", "save_every=7")

    def die(done: int, total: int) -> None:
        if done == 15:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        trainer.train(eight_people, run, settings, trainer.Listeners(on_progress=die))
    shutil.rmtree(run / "step-0000014")
    trainer.train(eight_people, run, settings)
    assert (run / "step-0000020").is_dir()


def test_triplets_that_are_gone_are_missed(run: Path, eight_people: CropSet) -> None:
    _stopped(eight_people, run, 5)
    for path in run.glob("triplets-*.npz"):
        path.unlink()
    with pytest.raises(InputError, match=r"triplets-00001.npz is gone: step 5 needs the triplets mined at step 3"):
        trainer.train(eight_people, run, tiny(8, *OFFLINE))


def test_offline_mining_goes_on_from_an_older_checkpoint(run: Path, eight_people: CropSet) -> None:
    """The triplets of later steps are there still; the ones just mined are those that stay."""
    settings = (*OFFLINE, "save_every=2")
    whole = run.with_name("whole")
    trainer.train(eight_people, whole, tiny(8, *settings))
    trainer.train(eight_people, run, tiny(8, *settings))
    shutil.rmtree(run / "step-0000008")
    for number in (7, 8):
        shutil.copy(run / "triplets-00001.npz", run / f"triplets-0000{number}.npz")
    (run / "triplets-00002.npz").unlink()
    trainer.train(eight_people, run, tiny(8, *settings))
    assert [path.name for path in sorted(run.glob("triplets-*.npz"))] == ["triplets-00001.npz", "triplets-00002.npz"]
    one, two = arrays(run / "step-0000008"), arrays(whole / "step-0000008")
    assert all(np.array_equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (("objective=softmax+softmax",), "names a term twice"),
        (("objective=softmax+centre",), 'did you mean "center"'),
        (("softmax.since=0.5", "softmax.until=0.4"), "softmax.since"),
        (("center.rate=0",), "center.rate"),
        (("triplet.every=0",), "triplet.every"),
        (("softmax.margin_kind=arkface",), "arcface"),
    ],
)
def test_what_is_refused(run: Path, eight_people: CropSet, settings: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        trainer.train(eight_people, run, tiny(2, *settings))
    assert not run.exists()
