"""The Pareto plot of a release as SVG: accuracy against latency, a bubble's area is the file's size; ours and the peers.

It paints its own ground and follows the reader's light or dark scheme, so that it reads well wherever it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from released_tables import point_at

from edge_facenet.verification.wilson import student_t

Network = dict[str, Any]
Box = tuple[float, float, float, float]  # left, top, right, bottom, px
WIDTH, HEIGHT, GAP, TOP, BOTTOM, LEFT = 430.0, 330.0, 16.0, 40.0, 48.0, 46.0
LARGEST = 17.0  # px, radius of the largest file
CHARACTER, LINE = 6.9, 12.0  # px of 12-px type
STYLE = """
.ground{fill:#fff}text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.tick{fill:#57606a}
.name{paint-order:stroke;stroke:#fff;stroke-width:3px}
.grid{stroke:#d8dee4}.ours{fill:#0969da}.peer{fill:#bc4c00}.dot{fill-opacity:.55;stroke-width:1.2}
.dot.ours{stroke:#0969da}.dot.peer{stroke:#bc4c00}.dot.doubt{fill-opacity:0;stroke-dasharray:3 2}.whisker,.leader{stroke:#8c959f}
@media (prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.tick{fill:#9198a1}.grid{stroke:#2a313c}.name{stroke:#0d1117}
.ours{fill:#58a6ff}.peer{fill:#f0883e}.dot.ours{stroke:#58a6ff}.dot.peer{stroke:#f0883e}.whisker,.leader{stroke:#6e7681}}
"""


@dataclass(frozen=True)
class Point:
    """A file in a panel."""

    network: Network
    ms: float
    percent: float
    interval: tuple[float, float] | None  # per cent


@dataclass(frozen=True)
class Panel:
    """One accuracy over the same times."""

    title: str
    points: tuple[Point, ...]
    left: float  # px
    x: tuple[float, float]  # ms
    y: tuple[float, float]  # per cent

    def at(self, ms: float, percent: float) -> tuple[float, float]:
        """Place of a value, px."""
        low, high = (math.log(v) for v in self.x)
        across = (math.log(ms) - low) / (high - low)
        up = (percent - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + LEFT + across * (WIDTH - LEFT - 8), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def draw(networks: Sequence[Network]) -> str:
    """The whole picture; LFW takes the first panel when every file has been run on it."""
    timed = [one for one in networks if one["latency"]["ms"]]
    chosen = [("TAR at FAR 1e-2, held-out people, %", "held_out"), ("TAR at FAR 1e-2, other photos, %", "second")]
    if all(one["lfw"] for one in timed):
        chosen[0] = ("LFW accuracy, %", "lfw")
    times = [one["latency"]["ms"] for one in timed]
    x = (min(times) / 1.6, max(times) * 1.6)
    panels = [_panel(timed, title, key, k, x) for k, (title, key) in enumerate(chosen)]
    wide = len(panels) * WIDTH + (len(panels) - 1) * GAP
    body = "".join(part for panel in panels for part in _drawn(panel))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {HEIGHT:g}" width="{wide:g}" height="{HEIGHT:g}" '
        f'role="img" aria-label="{escape(_spoken(panels[0]))}"><style>{STYLE}</style>'
        f'<rect class="ground" width="{wide:g}" height="{HEIGHT:g}" rx="6"/>{body}</svg>\n'
    )


def _panel(networks: Sequence[Network], title: str, key: str, place: int, x: tuple[float, float]) -> Panel:
    points = tuple(Point(one, one["latency"]["ms"], *_value(one, key)) for one in networks)
    ends = [value for point in points for value in (point.interval or (point.percent,))]
    room = 0.14 * (max(ends) - min(ends) or 1.0)
    y = (min(ends) - room, min(max(ends) + room, 100.0 + room / 2))
    return Panel(title, points, place * (WIDTH + GAP), x, y)


def _value(network: Network, key: str) -> tuple[float, tuple[float, float] | None]:
    if key == "lfw":
        mean, spread = network["lfw"]["accuracy"], network["lfw"]["standard_error"] or 0.0
        reach = student_t(0.975, 9) * spread  # ten folds
        return mean, (mean - reach, mean + reach)
    point = point_at(network[key], 0.01)
    span = point.get("interval")
    return 100 * point["val"], (100 * span[0], 100 * span[1]) if span else None


def _drawn(panel: Panel) -> Iterator[str]:
    yield from _axes(panel)
    circles = [(*panel.at(point.ms, point.percent), _radius(point, panel)) for point in panel.points]
    for point, (x, y, radius) in sorted(zip(panel.points, circles, strict=True), key=lambda pair: -pair[1][2]):
        if point.interval:
            ends = [panel.at(point.ms, value)[1] for value in point.interval]
            yield f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}"/>'
        yield f'<circle class="dot {_kind(point)}{"" if _trusted(point.network) else " doubt"}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
    yield from _labels(panel, circles)


def _axes(panel: Panel) -> Iterator[str]:
    left, bottom = panel.at(panel.x[0], panel.y[0])
    right, top = panel.at(panel.x[1], panel.y[1])
    yield f'<text class="title" x="{panel.left + 12:.1f}" y="22">{escape(panel.title)}</text>'
    for value in _steps(*panel.y):
        y = panel.at(panel.x[0], value)[1]
        yield f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" text-anchor="end" x="{left - 6:.1f}" y="{y + 4:.1f}">{value:g}</text>'
    for value in (lead * 10.0**power for power in range(-3, 4) for lead in (1, 2, 5)):
        if panel.x[0] <= value <= panel.x[1]:
            x = panel.at(value, panel.y[0])[0]
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{top:.1f}"/>'
            yield f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{bottom + 16:.1f}">{value:g}</text>'
    middle = (left + right) / 2
    words = "ms per face, one thread (faster ←); area is file size; bars 95 %"
    if not all(_trusted(point.network) for point in panel.points):
        words = "ms per face, 1 thread; area: size; bars 95 %; dashed: not valid"
    yield f'<text class="tick" text-anchor="middle" x="{middle:.1f}" y="{bottom + 36:.1f}">{words}</text>'


def _labels(panel: Panel, circles: Sequence[tuple[float, float, float]]) -> Iterator[str]:
    """Each name at the first free place around its bubble, with a line when that is not beside it."""
    taken: list[Box] = [(x - r, y - r, x + r, y + r) for x, y, r in circles]
    for point, (x, y, radius) in sorted(zip(panel.points, circles, strict=True), key=lambda pair: pair[1][0]):
        name = _name(point.network)
        box = _free(panel, (x, y, radius), CHARACTER * len(name), taken)
        taken.append(box)
        middle, line = (box[0] + box[2]) / 2, box[3] - 3
        near = box[1] - radius - 8 <= y <= box[3] + radius + 8
        if not near or not box[0] <= x <= box[2]:
            yield f'<line class="leader" x1="{x:.1f}" y1="{y:.1f}" x2="{middle:.1f}" y2="{box[1] if box[1] > y else box[3]:.1f}"/>'
        yield f'<text class="name {_kind(point)}" text-anchor="middle" x="{middle:.1f}" y="{line:.1f}">{escape(name)}</text>'


def _free(panel: Panel, circle: tuple[float, float, float], wide: float, taken: Sequence[Box]) -> Box:
    x, y, radius = circle
    left, right = panel.left + LEFT, panel.left + WIDTH - 6
    places = []
    for away in range(0, 130, 6):
        for down in (1, -1):
            for aside in (0.0, -0.5, 0.5, -0.8, 0.8):
                middle = min(max(x + aside * wide, left + wide / 2), right - wide / 2)
                edge = y + down * (radius + 3 + away)
                high, low = (edge, edge + LINE) if down > 0 else (edge - LINE, edge)
                places.append((middle - wide / 2, high, middle + wide / 2, low))
    inside = [box for box in places if box[1] > TOP - 8 and box[3] < HEIGHT - BOTTOM]
    return min(inside or places, key=lambda box: sum(_overlap(box, other) for other in taken))


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)


def _radius(point: Point, panel: Panel) -> float:
    largest = max(one.network["bytes"] for one in panel.points)
    return max(LARGEST * math.sqrt(point.network["bytes"] / largest), 4.0)


def _steps(low: float, high: float) -> list[float]:
    """Round values, five or so."""
    rough = (high - low) / 5
    step = next(lead * 10.0**power for power in range(-3, 3) for lead in (1, 2, 5) if lead * 10.0**power >= rough)
    first = math.ceil(low / step)
    return [round(k * step, 6) for k in range(first, math.floor(min(high, 100.0) / step) + 1)]


def _kind(point: Point) -> str:
    return "peer" if point.network["peer"] else "ours"


def _trusted(network: Network) -> bool:
    """Whether its time was measured steadily."""
    return bool(network["latency"]["valid"])


def _name(network: Network) -> str:
    return f"{network['name']}, {network['bytes'] / 1e6:.1f} MB"


def _spoken(panel: Panel) -> str:
    figures = "; ".join(f"{p.network['name']} {p.percent:.1f} in {p.ms:.2g} ms" for p in panel.points)
    return f"{panel.title}, against latency, area is file size: {figures}"
