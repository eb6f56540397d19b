"""Hard probes: the same faces as a poor camera, a dark room, a tight budget of bytes or a mask would give them.

Each takes crops of the template without margin and gives crops of the same size; equal crops and seed give equal bytes,
one by one or many at once. They are made, not taken: they show where a network breaks, not how often life is like that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..schema import doc
from . import bootstrap
from .bootstrap import OnProgress
from .pairs import Pairs
from .protocol import FARS, evaluate, finite
from .sweep import at_far, measurable, sweep
from .wilson import Interval

Pixels = NDArray[np.uint8]
EYES = 35.24 / 112  # distance of the eyes in the template, in sides of the crop
_MASK = ((10, 68), (36, 66), (56, 60), (76, 66), (102, 68), (99, 94), (84, 113), (28, 113), (13, 94))
_FOLDS = ((18, 78, 94, 78), (16, 88, 96, 88), (20, 98, 92, 98))
_CLOTH, _FOLD = (170, 197, 214), (148, 176, 196)  # a light blue surgical mask, RGB
DARK, DARK_NOISE = 0.15, 3.0  # share of the light, and the noise of a sensor at its limit, grey levels (sd)
BLUR = 2.5  # standard deviation, px at 112


@dataclass(frozen=True)
class ProbePoint:
    """At one false accept rate."""

    far: float = doc("false accept rate, share")
    val: float | None = doc("genuine pairs accepted when the threshold is set on these very pairs", None)
    threshold: float | None = doc("the threshold set on the clean pairs", None)
    tar: float | None = doc("genuine pairs it accepts here", None)
    tar_interval: Interval | None = doc("95 % bootstrap interval over identities", None)
    realised: float | None = doc("impostor pairs it accepts here", None)


@dataclass(frozen=True)
class ProbeResult:
    """What one kind of probe does."""

    kind: str = doc("name of the probe")
    accuracy: float = doc("balanced, held out fold by fold, per cent")
    eer: float = doc("equal error rate, share")
    auc: float = doc("area under the ROC, share")
    at: tuple[ProbePoint, ...] = doc("one per measurable rate")


@dataclass(frozen=True)
class ProbeTable:
    """The same pairs, one side made hard."""

    genuine: int = doc("pairs of one person")
    impostor: int = doc("pairs of two people")
    identities: int = doc("people")
    seed: int = doc("of the noise")
    rows: tuple[ProbeResult, ...] = doc("the clean pairs first")


def harden(kind: str, crops: Pixels, rows: Sequence[int], seed: int = 0) -> Pixels:
    """Crops as one kind of probe.

    Args:
        kind: one of `KINDS`.
        crops: (n, s, s, 3) uint8 RGB, the template without margin.
        rows: (n,) numbers of the crops, for noise that is theirs whatever the batch.
    Returns:
        (n, s, s, 3) uint8 RGB.
    Raises:
        InputError: an unknown kind.
    """
    if kind not in KINDS:
        raise InputError(f"There is no probe {kind!r}; there are {', '.join(KINDS)}.")
    done = [KINDS[kind](crop, np.random.default_rng([seed, row])) for crop, row in zip(crops, rows, strict=True)]
    return np.stack(done) if done else crops


def judge(
    scores: dict[str, ArrayLike], pairs: Pairs, seed: int, on_progress: OnProgress | None = None, folds: int = 10
) -> ProbeTable:
    """Figures per kind.

    Args:
        scores: (n,) cosines by kind; "clean" sets the thresholds.
        folds: of the accuracy, as many as these pairs allow.
    Raises:
        InputError: too few pairs for so many folds.
    """
    clean = sweep(finite(np.asarray(scores["clean"], np.float64)), pairs.same)
    limits = {far: float(clean.thresholds[at_far(clean, far)]) for far in FARS if measurable(pairs.impostor, far)}
    values = {kind: finite(np.asarray(s, np.float64)) for kind, s in scores.items()}
    decided = [v > limit for v in values.values() for limit in limits.values()]
    spans = iter(bootstrap.rates(decided, pairs, seed, on_progress))
    rows = []
    for kind, value in values.items():
        found, own = evaluate(value, pairs, folds=folds, seed=seed, balanced=True), sweep(value, pairs.same)
        points = tuple(
            ProbePoint(
                far=far,
                val=float(own.tar[at_far(own, far)]),
                threshold=limit,
                tar=float((value[pairs.same] > limit).mean()),
                tar_interval=next(spans)[1],
                realised=float((value[~pairs.same] > limit).mean()),
            )
            for far, limit in limits.items()
        )
        rows.append(ProbeResult(kind, found.accuracy, found.eer, found.auc, points))
    return ProbeTable(pairs.genuine, pairs.impostor, pairs.identities, seed, tuple(rows))


def _low(side: int) -> Callable[[Pixels, np.random.Generator], Pixels]:
    def shrunk(crop: Pixels, _: np.random.Generator) -> Pixels:
        import cv2

        if crop.shape[0] <= side:
            return crop
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8)

    return shrunk


def _blurred(crop: Pixels, _: np.random.Generator) -> Pixels:
    import cv2

    return np.asarray(cv2.GaussianBlur(crop, (0, 0), BLUR * crop.shape[0] / 112), np.uint8)


def _dark(crop: Pixels, rng: np.random.Generator) -> Pixels:
    values = crop * DARK + rng.normal(0, DARK_NOISE, crop.shape)
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _jpeg(crop: Pixels, _: np.random.Generator) -> Pixels:
    import cv2

    coded = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def _masked(crop: Pixels, _: np.random.Generator) -> Pixels:
    import cv2

    scale, out = crop.shape[0] / 112, crop.copy()
    cv2.fillPoly(out, [np.round(np.array(_MASK) * scale).astype(np.int32)], _CLOTH)
    for x, y, to_x, to_y in _FOLDS:
        ends = [tuple(round(v * scale) for v in end) for end in ((x, y), (to_x, to_y))]
        cv2.line(out, ends[0], ends[1], _FOLD, max(round(1.5 * scale), 1))
    return out


KINDS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "48 px": _low(48),
    "32 px": _low(32),
    "24 px": _low(24),
    "blurred": _blurred,
    "dark": _dark,
    "JPEG q20": _jpeg,
    "masked": _masked,
}
"""By name: side of the whole crop in px (its eyes are 15, 10 and 8 px apart), then what else may befall it."""
