"""Pictures of a verification result: ROC on a log axis, and the two score distributions with the thresholds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import files
from ..errors import InputError, MissingExtra
from .sweep import MIN_EVENTS, Sweep

_COLOURS = (
    "#0b6e99",
    "#d1495b",
    "#3a7d44",
    "#8a5a00",
    "#6a4c93",
    "#444444",
)  # dark enough on white, told apart when colour-blind
_POINTS = 400  # per curve: more cannot be seen, and an SVG stays below 200 kB with ten of them
_SIZE = (5.4, 4.2)  # inches; with 11-pt type readable 360 px wide


def roc(curves: Mapping[str, Sweep], path: Path) -> Path:
    """Draw TAR over FAR, one step line per model; the part with fewer than 3 false accepts is thin: it proves nothing.

    Args:
        curves: sweep by model name.
        path: .svg or .png.
    Raises:
        MissingExtra: matplotlib is not installed.
        InputError: another suffix, or nothing to draw.
    """
    if not curves:
        raise InputError("There is no model to draw a ROC of.")
    figure, axes = _figure("plotting a ROC")
    lowest = min(1 / max(int(s.impostor[-1]), 1) for s in curves.values())
    for place, (name, swept) in enumerate(curves.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        far, tar = _thinned(swept)
        proven = swept.impostor[-1] * far >= MIN_EVENTS
        first = int(np.argmax(proven)) if proven.any() else len(far) - 1
        axes.step(far[: first + 1], tar[: first + 1], where="post", color=colour, lw=1.2, ls=":")
        axes.step(far[first:], tar[first:], where="post", color=colour, lw=1.8, label=name)
    axes.set(xscale="log", xlim=(lowest, 1), ylim=(0, 1.01), xlabel="false accept rate", ylabel="true accept rate")
    axes.grid(True, which="major", color="#dddddd", lw=0.7)
    axes.legend(loc="lower right", frameon=False)
    return _save(figure, path)


def histogram(scores: ArrayLike, same: ArrayLike, path: Path, thresholds: Mapping[str, float] | None = None) -> Path:
    """Draw both score distributions, each with area 1, and thresholds as lines.

    Args:
        scores: (n,) cosine; what is not finite is left out.
        same: (n,) bool.
        path: .svg or .png.
        thresholds: cosine by label.
    Raises:
        MissingExtra: matplotlib is not installed.
        InputError: another suffix, or no finite score.
    """
    values, is_same = np.asarray(scores, np.float64), np.asarray(same, bool)
    good = np.isfinite(values)
    if not good.any():
        raise InputError("There is no finite score to draw.")
    figure, axes = _figure("plotting scores")
    edges = np.linspace(float(values[good].min()) - 1e-9, float(values[good].max()) + 1e-9, 61)
    for kind, colour, name in ((~is_same, _COLOURS[1], "two people"), (is_same, _COLOURS[0], "one person")):
        part = values[good & kind]
        weight = np.full(len(part), 1 / max(len(part) * (edges[1] - edges[0]), 1e-12))
        axes.hist(part, edges, weights=weight, histtype="stepfilled", color=colour, alpha=0.35)
        axes.hist(
            part, edges, weights=weight, histtype="step", color=colour, lw=1.3, label=f"{name} ({len(part):,} pairs)"
        )
    room = max([edges[-1], *(t + 0.3 * (edges[-1] - edges[0]) for t in (thresholds or {}).values())])  # for the text
    axes.set(xlabel="cosine similarity", ylabel="density", xlim=(edges[0], room))
    _lines(axes, dict(thresholds or {}))
    axes.set_yticks([])
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return _save(figure, path)


def _lines(axes: Any, thresholds: dict[str, float]) -> None:
    top = axes.get_ylim()[1]
    axes.set_ylim(0, top * (1 + 0.09 * len(thresholds)))
    for place, (label, value) in enumerate(sorted(thresholds.items(), key=lambda item: -item[1])):
        height = top * (1 + 0.09 * (place + 0.35))  # a line of text each, the leftmost on top: no line crosses a text
        axes.plot([value, value], [0, height], color="#222222", lw=1, ls="--")
        axes.text(value, height, f" {label}: {value:.3f}", va="center", fontsize=9)


def _figure(purpose: str) -> tuple[Any, Any]:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "bench", purpose) from error
    settings = {"font.size": 11, "svg.fonttype": "none", "svg.hashsalt": "edge-facenet", "axes.spines.top": False}
    with mpl.rc_context({**settings, "axes.spines.right": False}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        return figure, figure.subplots()


def _save(figure: Any, path: Path) -> Path:
    """Write beside and rename; equal input gives equal bytes."""
    import matplotlib as mpl

    kind = path.suffix.lower().lstrip(".")
    if kind not in {"svg", "png"}:
        raise InputError(f"Cannot draw into {path.name}: give a name that ends in .svg or .png.")
    stream = io.BytesIO()
    stable = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "edge-facenet"}):
        figure.savefig(stream, format=kind, dpi=150, metadata=stable)
    files.write_bytes(path, stream.getvalue())
    return path


def _thinned(swept: Sweep) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each FAR its highest TAR, at most _POINTS of them, evenly spread over the log axis."""
    impostor, first = np.unique(swept.impostor[::-1], return_index=True)  # reversed: the first is the lowest threshold
    far, tar = impostor / max(int(swept.impostor[-1]), 1), swept.tar[::-1][first]
    if len(far) <= _POINTS:
        return far, tar
    wanted = np.geomspace(far[1], 1, _POINTS)
    chosen = np.unique(np.concatenate([[0], np.searchsorted(far, wanted, "right") - 1]))
    return far[chosen], tar[chosen]
