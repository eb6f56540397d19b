"""Losses and miners against loops in NumPy; finite gradients where formulas have none.

Tolerance 1e-5: sums of at most a few hundred float32 numbers of size 1, each exact to 6e-8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from keras import ops  # noqa: E402

from edge_facenet.train import losses, miners, offline  # noqa: E402
from edge_facenet.train.heads import Centres, CosineHead  # noqa: E402

TOLERANCE = 1e-5


def _unit_rows(seed: int, rows: int = 24, dimension: int = 16) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return e / np.linalg.norm(e, axis=1, keepdims=True)


def _labels(seed: int, rows: int = 24, people: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, people, rows).astype(np.int32)


def _value(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_the_textbook_sum(smoothing: float) -> None:
    logits = np.random.default_rng(0).normal(0, 4, (10, 7)).astype(np.float32)
    labels = _labels(1, 10, 7)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    wanted = np.full((10, 7), smoothing / 7)
    wanted[np.arange(10), labels] += 1 - smoothing
    found = _value(losses.smoothed_cross_entropy(logits, labels, smoothing))
    assert found == pytest.approx(-(wanted * log_p).sum(1).mean(), abs=TOLERANCE)


def test_squared_distances() -> None:
    e = _unit_rows(2)
    wanted = ((e[:, None] - e[None]) ** 2).sum(-1)
    assert np.abs(_value(losses.squared_distances(e)) - wanted).max() < TOLERANCE


def _semi_hard(d: np.ndarray, labels: np.ndarray, a: int, p: int) -> float:
    negatives = d[a][labels != labels[a]]
    beyond = negatives[negatives > d[a, p]]
    return float(beyond.min() if len(beyond) else negatives.max())


def _hardest(d: np.ndarray, labels: np.ndarray, a: int, p: int) -> float:
    return float(d[a][labels != labels[a]].min())


@pytest.mark.parametrize(("name", "oracle"), [("semi-hard", _semi_hard), ("hardest", _hardest)])
@pytest.mark.parametrize("seed", range(3))
def test_miners_and_triplet_loss(name: str, oracle: Any, seed: int) -> None:
    e, labels, margin = _unit_rows(seed), _labels(seed + 9), 0.2
    d = np.maximum(2 - 2 * e @ e.T, 0)
    pairs = [(a, p) for a in range(24) for p in range(24) if a != p and labels[a] == labels[p]]
    hinges = [max(0.0, d[a, p] - oracle(d, labels, a, p) + margin) for a, p in pairs]
    distances = losses.squared_distances(e)
    tensor = ops.convert_to_tensor(labels)
    negatives, counted = miners.MINERS[name](distances, tensor)
    loss, active = losses.triplet(distances, negatives, counted, margin)
    assert _value(loss) == pytest.approx(np.mean(hinges), abs=TOLERANCE)
    assert _value(active) == pytest.approx(np.mean(np.array(hinges) > 0), abs=TOLERANCE)


@pytest.mark.parametrize("seed", range(3))
def test_batch_hard_is_one_triplet_an_anchor(seed: int) -> None:
    e, labels = _unit_rows(seed), _labels(seed + 9)
    d = np.maximum(2 - 2 * e @ e.T, 0)
    tensor = ops.convert_to_tensor(labels)
    negatives, counted = (_value(x) for x in miners.MINERS["batch-hard"](losses.squared_distances(e), tensor))
    for a in range(24):
        positives = [p for p in range(24) if p != a and labels[p] == labels[a]]
        wanted = [max(positives, key=lambda p: d[a, p])] if positives else []
        assert np.flatnonzero(counted[a]).tolist() == wanted
        assert negatives[a, 0] == pytest.approx(_hardest(d, labels, a, 0), abs=TOLERANCE)


ANGLES, PEOPLE = (0, 50, 20, 120, 86, 210, 330), np.array([0, 0, 1, 1, 2, 2, 0], np.int32)
"""A batch drawn on a circle, in degrees: one person at 330, 0 and 50, one at 20 and 120, one at 86 and 210. The triplets below
are read off the drawing: (anchor, positive, negative), places in the batch."""
HARD = {(0, 1, 2), (1, 6, 2), (2, 3, 0), (3, 2, 4), (4, 5, 3), (5, 4, 3), (6, 1, 2)}
SETS = {
    # (4, 5): nobody is further than 124 degrees, so the furthest stranger, 6, it is
    "semi-hard": {(0, 1, 4), (0, 6, 4), (1, 0, 3), (1, 6, 5), (2, 3, 5), (3, 2, 0), (4, 5, 6), (5, 4, 0), (6, 0, 2), (6, 1, 4)},
    "hardest": {(0, 1, 2), (0, 6, 2), (1, 0, 2), (1, 6, 2), (2, 3, 0), (3, 2, 4), (4, 5, 3), (5, 4, 3), (6, 0, 2), (6, 1, 2)},
    "batch-hard": HARD,
    # chance of stranger n for anchor a: (3 n + a) mod 7
    "random": {(0, 1, 2), (0, 6, 2), (1, 0, 4), (1, 6, 4), (2, 3, 6), (3, 2, 1), (4, 5, 3), (5, 4, 0), (6, 0, 2), (6, 1, 2)},
}  # fmt: skip


def _circle() -> np.ndarray:
    turned = np.deg2rad(ANGLES)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


@pytest.mark.parametrize("name", sorted(miners.MINERS))
def test_mining_sets_of_a_hand_made_batch(name: str) -> None:
    distances = losses.squared_distances(_circle())
    chance = np.add.outer(np.arange(7), 3 * np.arange(7)) % 7 / np.float32(7)
    negatives, counted = miners.MINERS[name](distances, ops.convert_to_tensor(PEOPLE), ops.convert_to_tensor(chance))
    from_anchor, chosen = _value(distances), _value(negatives)
    found = {
        (a, p, int(n))
        for a, p in np.argwhere(_value(counted))
        for n in np.flatnonzero((from_anchor[a] == chosen[a, p]) & (PEOPLE[a] != PEOPLE))
    }
    assert found == SETS[name]


def test_offline_mining_set_of_a_hand_made_batch() -> None:
    assert {tuple(triplet) for triplet in offline.hardest_triplets(_circle(), PEOPLE).tolist()} == HARD


def test_random_negatives_follow_the_numbers_of_chance() -> None:
    e, labels = _unit_rows(1), _labels(2)
    chance = np.random.default_rng(3).random((24, 24)).astype(np.float32)
    distances = losses.squared_distances(e)
    negatives, counted = miners.MINERS["random"](distances, ops.convert_to_tensor(labels), chance)
    others = np.where(labels[:, None] == labels[None], -1, chance).argmax(1)
    assert np.array_equal(_value(negatives)[:, 0], _value(distances)[np.arange(24), others])
    assert np.array_equal(_value(counted), (labels[:, None] == labels[None]) & ~np.eye(24, dtype=bool))


def test_offline_triplets_are_argmax_and_argmin() -> None:
    e, labels = _unit_rows(5), _labels(6)
    labels[0] = 99  # nobody else: no anchor
    d = 2 - 2 * e @ e.T
    found = offline.hardest_triplets(e, labels)
    assert found[:, 0].tolist() == [a for a in range(24) if (labels == labels[a]).sum() > 1]
    for a, p, n in found:
        assert p == max((q for q in range(24) if q != a and labels[q] == labels[a]), key=lambda q: d[a, q])
        assert n == min((q for q in range(24) if labels[q] != labels[a]), key=lambda q: d[a, q])
    triples = [e[found[:, k]] for k in range(3)]
    hinges = np.maximum(0, d[found[:, 0], found[:, 1]] - d[found[:, 0], found[:, 2]] + 0.2)
    loss, active = losses.mined_triplet(*(ops.convert_to_tensor(t) for t in triples), 0.2)
    assert _value(loss) == pytest.approx(hinges.mean(), abs=TOLERANCE)
    assert _value(active) == pytest.approx((hinges > 0).mean(), abs=TOLERANCE)


@pytest.mark.parametrize("kind", ["arcface", "cosface"])
def test_margins_against_angles(kind: str) -> None:
    cosines = np.random.default_rng(4).uniform(-1, 1, (40, 6)).astype(np.float32)
    labels, margin = _labels(5, 40, 6), 0.5
    wanted = cosines.astype(np.float64)
    for row, label in enumerate(labels):
        cosine = wanted[row, label]
        if kind == "cosface":
            wanted[row, label] = cosine - margin
        else:
            angle = np.arccos(cosine) + margin
            wanted[row, label] = np.cos(angle) if angle < np.pi else cosine - margin * np.sin(margin)
    found = _value(losses.with_margin(ops.convert_to_tensor(cosines), labels, kind, margin))
    assert np.abs(found - wanted).max() < TOLERANCE
    assert np.array_equal(_value(losses.with_margin(ops.convert_to_tensor(cosines), labels, "none", 9.0)), cosines)


def test_arcface_keeps_falling_with_the_angle() -> None:
    """Beyond angle + margin = pi the cosine would rise again; the loss must not reward a face for turning away."""
    angles = np.linspace(0, np.pi, 500)
    cosines = np.cos(angles).astype(np.float32)[:, None]
    found = _value(losses.with_margin(ops.convert_to_tensor(cosines), np.zeros(500, np.int32), "arcface", 0.5))[:, 0]
    assert (np.diff(found) < TOLERANCE).all()


def test_center_loss_and_running_centres() -> None:
    e, labels = _unit_rows(7), _labels(8)
    centres = Centres(16, 5, rate=0.5)
    positions = np.random.default_rng(9).normal(size=(5, 16)).astype(np.float32)
    centres.positions.assign(positions)
    loss = losses.center(ops.convert_to_tensor(e), centres.of(ops.convert_to_tensor(labels)))
    assert _value(loss) == pytest.approx(0.5 * ((e - positions[labels]) ** 2).sum(1).mean(), abs=TOLERANCE)
    drift = centres.move(ops.convert_to_tensor(e), ops.convert_to_tensor(labels))
    assert _value(drift) == pytest.approx(np.linalg.norm(e - positions[labels], axis=1).mean(), abs=TOLERANCE)
    for c in range(5):
        members = e[labels == c]
        wanted = positions[c] - 0.5 * (positions[c] - members).sum(0) / (1 + len(members))
        assert np.abs(_value(centres.positions)[c] - wanted).max() < TOLERANCE


def test_running_centres_arrive_at_the_means() -> None:
    """Photos that stand still: after many moves each centre is its identity's mean, and drift is the spread about it."""
    e, labels = _unit_rows(10), _labels(11)
    centres = Centres(16, 5, rate=0.5)
    for _ in range(200):
        drift = centres.move(ops.convert_to_tensor(e), ops.convert_to_tensor(labels))
    means = np.stack([e[labels == c].mean(0) for c in range(5)])
    assert np.abs(_value(centres.positions) - means).max() < TOLERANCE
    assert _value(drift) == pytest.approx(np.linalg.norm(e - means[labels], axis=1).mean(), abs=TOLERANCE)


def test_semi_hard_falls_back_to_the_furthest_negative() -> None:
    """Anchor 0 with its positive at distance 3 and negatives at 1 and 2: none is beyond, so 2 it is."""
    d = np.array([[0, 3, 1, 2], [3, 0, 1, 1], [1, 1, 0, 1], [2, 1, 1, 0]], np.float32)
    chosen = miners.semi_hard(ops.convert_to_tensor(d), ops.convert_to_tensor(np.array([0, 0, 1, 2], np.int32)))
    assert _value(chosen)[0, 1] == 2


def test_triplets_of_one_identity_or_of_strangers_give_zero_not_nan() -> None:
    e = _unit_rows(4, rows=4)
    for labels in (np.zeros(4, np.int32), np.arange(4, dtype=np.int32)):
        tensor = ops.convert_to_tensor(labels)
        distances = losses.squared_distances(e)
        loss, _ = losses.triplet(
            distances, miners.semi_hard(distances, tensor), miners.same_and_positive(tensor)[1], 0.2
        )
        assert np.isfinite(_value(loss))
    assert _value(loss) == 0


def test_l2_is_half_the_sum_of_squares() -> None:
    kernels = [np.full((2, 3), 2.0, np.float32), np.full((4,), 1.0, np.float32)]
    assert _value(losses.l2(kernels)) == pytest.approx(0.5 * (6 * 4 + 4))


def test_mean_cosine() -> None:
    e = _unit_rows(5)
    cosines = e @ e.T
    wanted = cosines[~np.eye(24, dtype=bool)].mean()
    assert _value(losses.mean_cosine(ops.convert_to_tensor(e))) == pytest.approx(wanted, abs=TOLERANCE)
    assert _value(losses.mean_cosine(ops.ones((5, 1)))) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["none", "arcface", "cosface"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("case", ["own class", "its negative", "zero"])
def test_c046_gradient_is_finite_at_the_ends(dtype: str, case: str, kind: str) -> None:
    """C046: cos = 1, cos = -1 and a zero embedding, in full and in half precision."""
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow here")
    head = CosineHead(16, 10, scale=16.0)
    own = _value(head.directions)[:, 3]
    vector = tf.Variable(({"own class": 1, "its negative": -1, "zero": 0}[case] * own)[None].astype(dtype))
    labels = np.array([3], np.int32)
    with tf.GradientTape() as tape:
        cosines = losses.with_margin(head.cosines(losses.unit(vector)), labels, kind, 0.5)
        loss = losses.smoothed_cross_entropy(16.0 * cosines, labels, 0.1)
        distances = losses.squared_distances(losses.unit(ops.concatenate([vector, vector, -vector])))
        tensor = ops.convert_to_tensor(np.array([0, 0, 1], np.int32))
        positive = miners.same_and_positive(tensor)[1]
        loss += losses.triplet(distances, miners.semi_hard(distances, tensor), positive, 0.2)[0]
    gradients = tape.gradient(loss, [vector, head.directions.value])
    assert np.isfinite(loss.numpy())
    assert all(np.isfinite(g.numpy()).all() for g in gradients)


def test_c047_labels_beyond_half_precision() -> None:
    """C047: 80,000 classes, labels 79,997 and 79,998, half-precision embeddings: learnt in 50 steps."""
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow here")
    head = CosineHead(8, 80_000, scale=30.0)
    e = ops.cast(_unit_rows(6, rows=2, dimension=8), "float16")
    labels = np.array([79_997, 79_998], np.int32)
    for _ in range(50):
        with tf.GradientTape() as tape:
            loss = losses.smoothed_cross_entropy(head(losses.unit(e)), labels, 0.0)
        head.directions.assign_sub(0.01 * tape.gradient(loss, head.directions.value))
        assert np.isfinite(loss.numpy())
    assert _value(ops.argmax(head(losses.unit(e)), axis=-1)).tolist() == labels.tolist()


def _gradient(loss: Any, values: np.ndarray) -> np.ndarray:
    """By the backend in use."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(loss)(values))
    tf = pytest.importorskip("tensorflow")
    variable = tf.Variable(values)
    with tf.GradientTape() as tape:
        value = loss(variable)
    return np.asarray(tape.gradient(value, variable, unconnected_gradients="zero"))


def test_the_gradient_of_a_unit_row_is_across_it_and_that_of_a_zero_row_is_zero() -> None:
    rows, along = 2 * _unit_rows(12, 3, 4), np.array([1, -2, 3, 0.5], np.float32)
    rows[1] = 0
    found = _gradient(lambda r: ops.sum(losses.unit(r) * along), rows)
    for row in (0, 2):
        direction = rows[row] / 2
        assert np.abs(found[row] - (along - (along @ direction) * direction) / 2).max() < TOLERANCE
    assert found[1].tolist() == [0, 0, 0, 0]


def test_centres_are_constants_of_the_center_loss() -> None:
    e, centres = _unit_rows(13, 6), np.random.default_rng(14).normal(size=(6, 16)).astype(np.float32)
    assert np.abs(_gradient(lambda rows: losses.center(rows, centres), e) - (e - centres) / 6).max() < TOLERANCE
    assert not _gradient(lambda places: losses.center(ops.convert_to_tensor(e), places), centres).any()


def test_arcface_turns_small_angles_too_and_has_a_gradient_at_the_ends() -> None:
    """From 0.1 degrees on: a float32 cosine there has 2 % of its sine right, 2e-5 after the margin."""
    angles, margin = np.deg2rad([0.1, 0.2, 0.5, 1, 1.5, 3]), 0.5

    def turned(cosines: Any) -> Any:
        return losses.with_margin(cosines, np.zeros(cosines.shape[0], np.int32), "arcface", margin)[:, 0]

    found = _value(turned(ops.convert_to_tensor(np.cos(angles).astype(np.float32)[:, None])))
    assert np.abs(found - np.cos(angles + margin)).max() < 1e-4
    slopes = _gradient(lambda c: ops.sum(turned(c)), np.array([[1], [0.3], [-1]], np.float32))[:, 0]
    inside = np.cos(margin) + 0.3 / np.sqrt(1 - 0.3**2) * np.sin(margin)
    assert slopes == pytest.approx([np.cos(margin), inside, 1], abs=TOLERANCE)


def test_a_negative_as_far_as_the_positive_is_not_beyond_it() -> None:
    """Equation 4 is strict: from anchor 0 the positive is at 1, strangers at 1 and 2."""
    d = np.array([[0, 1, 1, 2], [1, 0, 3, 3], [1, 3, 0, 1], [2, 3, 1, 0]], np.float32)
    chosen = miners.semi_hard(ops.convert_to_tensor(d), ops.convert_to_tensor(np.array([0, 0, 1, 2], np.int32)))
    assert _value(chosen)[0, 1] == 2


def test_squared_distances_are_never_below_zero() -> None:
    """Rows a hair too long, as rounding leaves them: 2 - 2 cos would be -0.0004 from a row to itself."""
    found = _value(losses.squared_distances(1.0001 * _unit_rows(3)))
    assert np.diag(found).tolist() == [0.0] * 24 and found.min() == 0
