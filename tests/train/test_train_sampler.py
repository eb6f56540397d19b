"""P identities x K images, a function of (seed, step); augmentation is too."""

from __future__ import annotations

import numpy as np
import pytest

from edge_facenet.errors import InputError
from edge_facenet.train.jitter import JitterConfig, jitter
from edge_facenet.train.sampler import IdentitySampler

ROWS = [np.arange(first, first + count) for first, count in ((0, 5), (5, 2), (7, 9), (16, 4))]


def test_batch_is_p_times_k_of_different_people() -> None:
    rows, labels, _ = IdentitySampler(ROWS, people=3, images=4, seed=1).draw(17)
    assert rows.shape == labels.shape == (12,) and labels.dtype == np.int32
    assert len(set(labels[::4])) == 3 and (labels.reshape(3, 4) == labels[::4, None]).all()
    assert all(row in ROWS[label] for row, label in zip(rows, labels, strict=True))


def test_images_of_a_person_repeat_only_when_they_must() -> None:
    for step in range(20):
        rows, labels, _ = IdentitySampler(ROWS, people=4, images=4, seed=2).draw(step)
        for label in range(4):
            counts = np.unique(rows[labels == label], return_counts=True)[1]
            assert counts.max() == (2 if label == 1 else 1)


def test_steps_are_independent_of_what_was_drawn_before() -> None:
    one, two = (IdentitySampler(ROWS, 2, 2, seed=3) for _ in range(2))
    for step in range(5):
        one.draw(step)
    assert (one.draw(9)[0] == two.draw(9)[0]).all()
    assert any((one.draw(a)[0] != one.draw(a + 1)[0]).any() for a in range(5))
    assert (IdentitySampler(ROWS, 2, 2, seed=4).draw(9)[0] != one.draw(9)[0]).any()


def test_too_few_people_for_a_batch() -> None:
    with pytest.raises(InputError, match=r"12 people .* found 4.*batch.people=4"):
        IdentitySampler(ROWS, people=12, images=4, seed=0)


def _crop(size: int = 128) -> np.ndarray:
    ramp = np.linspace(0, 255, size)
    return np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.full((size, size), 90)), -1).astype(np.uint8)


def test_jitter_is_a_function_of_its_generator() -> None:
    a, b, c = (jitter(_crop(), np.random.default_rng(seed), JitterConfig(), 64, 8) for seed in (1, 1, 2))
    assert a.shape == (64, 64, 3) and a.dtype == np.uint8
    assert (a == b).all() and (a != c).any()


def test_jitter_without_any_is_the_template_resized() -> None:
    still = JitterConfig(*[0.0] * 10)
    found = jitter(_crop(), np.random.default_rng(0), still, 112, 8)
    assert (found == _crop()[8:120, 8:120]).all()
    mirrored = jitter(_crop(), np.random.default_rng(0), JitterConfig(1.0, *[0.0] * 9), 112, 8)
    assert (mirrored == _crop()[8:120, 8:120][:, ::-1]).all()


def test_jitter_hides_and_lights_only_when_asked() -> None:
    rng = np.random.default_rng
    grey = np.full((128, 128, 3), 128, np.uint8)
    assert (jitter(grey, rng(3), JitterConfig(*[0.0] * 10), 64, 8) == 128).all()
    hidden = jitter(grey, rng(3), JitterConfig(*[0.0] * 9, 1.0, (0.4, 0.4)), 64, 8)
    share = (hidden != 128).any(-1).mean()
    assert 0 < share <= 0.16  # a square of 0.4 x 0.4 at most
