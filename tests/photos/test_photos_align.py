"""What lies outside a photo, counted by hand, and the part of a large photo that is enough for a crop."""

from __future__ import annotations

import numpy as np
import pytest

from edge_facenet.photos import align

SIDE = 112


def shifted(x: float, y: float = 0.0) -> np.ndarray:
    """Crop pixel (i, j) shows the photo at (i + x, j + y)."""
    return np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])


@pytest.mark.parametrize(
    ("shift", "columns", "rows"),
    [
        # a pixel reaches half a px to each side of its centre: the photo begins at -0.5 and ends at 111.5
        ((-0.25, 0), 0, 0),
        ((-0.5, 0), 0, 0),
        ((-0.75, 0), 1, 0),
        ((-1.5, 0), 1, 0),
        ((0.5, 0), 0, 0),
        ((0.75, 0), 1, 0),
        ((0, -0.5), 0, 0),
        ((0, -0.75), 0, 1),
        ((0, 0.5), 0, 0),
        ((0, 0.75), 0, 1),
        ((0, 2.75), 0, 3),
        ((-0.75, 0.75), 1, 1),
    ],
)
def test_outside_begins_half_a_pixel_beyond_the_last_centre(
    shift: tuple[float, float], columns: int, rows: int
) -> None:
    whole, inner = align.outside(shifted(*shift), (SIDE, SIDE, 3), SIDE, 0)
    assert whole == pytest.approx(1 - (SIDE - columns) * (SIDE - rows) / SIDE**2, abs=1e-12)
    assert inner == 0.0


def test_outside_counts_width_and_height_each_by_its_own() -> None:
    """A photo 60 wide and 100 high; the inner part of a crop is 28 to 84 across and 40 to 104 down."""
    whole, inner = align.outside(shifted(0), (100, 60, 3), SIDE, 0)
    assert whole == pytest.approx(1 - 100 * 60 / SIDE**2)
    assert inner == pytest.approx(1 - (60 - 28) * (100 - 40) / (56 * 64))
    wide, inner = align.outside(shifted(0), (100, 60, 3), SIDE + 16, 8)  # the same face 8 px further in
    assert wide == pytest.approx(1 - 100 * 60 / (SIDE + 16) ** 2)
    assert inner == pytest.approx(1 - (60 - 36) * (100 - 48) / (56 * 64))


@pytest.mark.parametrize("factor", [2, 3, 5])
@pytest.mark.parametrize("turn", [0.0, 0.4, 2.5])
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.45, 0.6), (0.02, 0.97), (-0.05, 0.5)])
def test_a_crop_of_a_part_of_the_photo_is_that_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, factor: int, turn: float, place: tuple[float, float]
) -> None:
    """Noise, so that a pixel from elsewhere shows. Blocks of the whole are counted from where the part's are."""
    photo = np.random.default_rng(factor).integers(0, 256, (570, 643, 3), np.uint8)
    size, middle, scale = 48, (643 * place[0], 570 * place[1]), 1 / (factor + 0.3)
    turned = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.column_stack([turned, (size - 1) / 2 - turned @ middle])
    part, found = align._region(photo, matrix, size, factor), align.warp(photo, matrix, size)
    assert part[0].size < photo.size / 2
    x, y = (start % factor for start in part[1])
    monkeypatch.setattr(align, "_region", lambda *_: (photo[y:, x:], (x, y)))
    apart = np.abs(align.warp(photo, matrix, size).astype(int) - found)
    assert apart.max() <= 1  # positions in another photo are other numbers, and rounded to 1/32 px by OpenCV
