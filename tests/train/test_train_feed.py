"""Batches made ahead: the same ones whatever the number of threads, in order, with errors where they belong."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from train_faces import arrays, tiny

from edge_facenet.photos.cropset import CropSet

pytest.importorskip("keras")

from edge_facenet.train import feed, objectives, trainer
from edge_facenet.train.course import Course
from edge_facenet.verification import Split


def _batches(crops: CropSet, run: Path, threads: int, start: int = 0, *settings: str) -> list[dict[str, Any]]:
    names = crops.identities
    course = Course(tiny(12, *settings), crops, Split(0, names[:6], names[6:], ()), run)
    made = objectives.build(course)
    with feed.ahead(made.batch, start, 12, threads) as batches:
        return [batch for _, batch in batches]


@pytest.mark.parametrize("settings", [(), ("objective=triplet", "triplet.mining=random")])
def test_the_same_batches_from_one_two_and_five_threads(
    eight_people: CropSet, run: Path, settings: tuple[str, ...]
) -> None:
    one = _batches(eight_people, run, 1, 0, *settings)
    for threads, start in ((2, 0), (5, 0), (5, 7)):  # and begun in the middle
        other = _batches(eight_people, run, threads, start, *settings)
        for a, b in zip(one[start:], other, strict=True):
            assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_slow_batches_do_not_overtake_each_other() -> None:
    def make(step: int) -> int:
        time.sleep(0.02 if step % 3 == 0 else 0)
        return step * step

    with feed.ahead(make, 2, 14, 4) as batches:
        assert list(batches) == [(step, step * step) for step in range(2, 14)]


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_comes_at_its_step(threads: int) -> None:
    def make(step: int) -> int:
        if step == 3:
            raise ValueError("photo is gone")
        return step

    seen = []
    with pytest.raises(ValueError, match="photo is gone"), feed.ahead(make, 0, 9, threads) as batches:
        seen += [step for step, _ in batches]
    assert seen in ([], [0, 1, 2]) and threading.active_count() < 20


@pytest.mark.usefixtures("tiny_backbone")
def test_offline_mining_with_several_threads(eight_people: CropSet, run: Path) -> None:
    """Batches of the next interval wait for its triplets in every thread; the weights are those of one thread."""
    offline = ("objective=triplet", "triplet.mining=offline", "triplet.every=3", "triplet.subset_people=4")
    trainer.train(eight_people, run, tiny(7, *offline))
    trainer.train(eight_people, run.with_name("three"), tiny(7, *offline, "view_threads=3"))
    one, three = (arrays(folder / "step-0000007") for folder in (run, run.with_name("three")))
    assert all(np.array_equal(one[name], three[name]) for name in one)
