"""Quotas of held-out people, and networks grown to another input size."""

from __future__ import annotations

import numpy as np
import pytest

from edge_facenet.errors import InputError
from edge_facenet.train.backbones import mobile
from edge_facenet.train.grow import alike, resized
from edge_facenet.train.holdout import Quota, hold_out

PHOTOS = {
    **{f"a/p{i}": 3 + i % 7 for i in range(30)},
    **{f"b/p{i}": 4 for i in range(20, 40)},
    **{f"c/q{i}": 9 for i in range(5)},
}


def test_quotas_are_kept_and_namesakes_are_nowhere() -> None:
    split = hold_out(PHOTOS, (Quota("a", 6, 8), Quota("b", 5, 4)), seed=7)
    held = set(split.calibrate)
    assert sum(n.startswith("a/") for n in held) == 6
    assert sum(n.startswith("b/") for n in held) == 5
    assert all(PHOTOS[n] >= 8 for n in held if n.startswith("a/"))
    persons = {n.split("/")[1] for n in held}
    assert not {n for n in split.train if n.split("/")[1] in persons}
    assert {n for n in PHOTOS if n.split("/")[1] not in persons} == set(split.train)
    assert split.test == ()
    assert hold_out(PHOTOS, (Quota("a", 6, 8), Quota("b", 5, 4)), seed=7) == split
    assert hold_out(PHOTOS, (Quota("a", 6, 8), Quota("b", 5, 4)), seed=8) != split


def test_nobody_is_held_out_under_two_names() -> None:
    """Both would be compared as two people."""
    both = {**{f"a/p{i}": 9 for i in range(8)}, **{f"b/p{i}": 9 for i in range(12)}}
    for seed in range(20):
        split = hold_out(both, (Quota("a", 4, 4), Quota("b", 5, 4)), seed)
        assert len({name[2:] for name in split.calibrate}) == len(split.calibrate) == 9
        assert sum(name.startswith("a/") for name in split.calibrate) == 4
    with pytest.raises(InputError, match=r'Source "b" has 4 people .* not held out of another source, 5 are'):
        hold_out(both, (Quota("a", 8, 4), Quota("b", 5, 4)), 0)


def test_impossible_quotas_are_refused() -> None:
    with pytest.raises(InputError, match='source "aa"'):
        hold_out(PHOTOS, (Quota("aa", 1),), seed=0)
    with pytest.raises(InputError, match='"b" has 0 people with at least 5 photos, 2 are to be held out'):
        hold_out(PHOTOS, (Quota("b", 2, 5),), seed=0)
    with pytest.raises(ValueError, match="at least 1"):
        Quota("a", 0)


def test_only_the_depthwise_kernel_changes_with_the_input() -> None:
    small, large = (mobile.build(size=size, width=0.25, dimension=16) for size in (48, 80))
    before = small.get_weights()
    wanted = [tuple(v.shape) for v in large.weights]
    assert all(alike(w.shape, shape) for w, shape in zip(before, wanted, strict=True))
    after = [resized(w, shape) for w, shape in zip(before, wanted, strict=True)]
    changed = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a is not b]
    assert [before[n].shape[:2] for n in changed] == [(3, 3)]
    assert after[changed[0]].shape[:2] == (5, 5)
    assert np.allclose(before[changed[0]].sum((0, 1)), after[changed[0]].sum((0, 1)), atol=1e-5)
    large.set_weights(after)
    # Equal sums: a map of one value per channel gives the same output at both sizes.
    flat = [np.full((1, n, n, 52), 0.7, np.float32) for n in (3, 5)]
    a, b = (np.asarray(m.get_layer("head_places")(x)) for m, x in zip((small, large), flat, strict=True))
    assert np.allclose(a, b, atol=1e-5)  # float32 sums of 9 and 25 products below 1


def test_other_networks_are_not_grown() -> None:
    small, other = mobile.build(size=48, width=0.25, dimension=16), mobile.build(size=48, width=0.5, dimension=16)
    pairs = zip(small.get_weights(), other.get_weights(), strict=True)
    assert not all(alike(a.shape, b.shape) for a, b in pairs)
    assert not alike((3, 3, 8, 1), (5, 5, 9, 1)) and not alike((3, 3, 8, 8), (5, 5, 8, 8)) and not alike((8,), (9,))
