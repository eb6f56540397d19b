"""What a look at a training can be had from: people held out, however few or unevenly photographed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import train_faces

from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import looks, monitor, trainer
from edge_facenet.train.looks import Look

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.mark.parametrize(("photos", "possible"), [(3, False), (4, True)])
def test_three_people_need_ten_pairs_of_each_kind(tmp_path: Path, photos: int, possible: bool) -> None:
    """3 x 3 photos are 9 genuine pairs, 3 x 4 are 18."""
    crops = train_faces.crop_set(tmp_path / "crops", people=3, photos=photos)
    look = Look(crops, crops.identities, 16)
    assert look.possible is possible
    assert look.pairs.genuine == 3 * photos * (photos - 1) // 2


def test_too_few_pairs_do_not_end_a_training(tmp_path: Path, run: Path) -> None:
    crops = train_faces.crop_set(tmp_path / "crops", people=8, photos=3)
    trainer.train(crops, run, train_faces.tiny(2, "look_every=1"))  # two people to look at: 6 genuine pairs
    assert [row["step"] for row in monitor.read_log(run / "log.csv")]
    assert not any(row.get("val_accuracy") for row in monitor.read_log(run / "log.csv"))


def test_one_person_with_very_many_photos_leaves_room_for_others(
    eight_people: CropSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "MOST_ROWS", 4)  # four photos a person
    look = Look(eight_people, ["p0", "p1", "p2"], 16)
    assert len(look.pairs) == 6 and look.pairs.genuine == 2
    assert np.unique(look.pairs.same).tolist() == [False, True]
