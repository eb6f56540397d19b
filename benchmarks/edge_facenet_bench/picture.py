"""The accuracy/latency/size picture as inline SVG. Colours come from the page's CSS, so that dark mode works."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from . import words
from .comparable import comparable
from .report import Report, Row

Circle = tuple[float, float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, px."""
_RECIPES = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class Frame:
    """Where values go: x is latency in ms (logarithmic), y accuracy in percent."""

    width: int
    height: int
    left: int
    right: int
    x: tuple[float, float]
    y: tuple[float, float]
    top: int = 14
    bottom: int = 46

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Coordinates of a value, px of the drawing."""
        low, high = (math.log(v) for v in self.x)
        across = (math.log(x) - low) / (high - low)
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        inner = self.height - self.top - self.bottom
        return self.left + across * (self.width - self.left - self.right), self.height - self.bottom - up * inner


def scatter(report: Report, width: int) -> str:
    """The picture, `width` px of 12-px type; empty when no lane has both a latency and an accuracy."""
    rows = comparable(report).rows
    if not rows:
        return ""
    frame = _frame(report, rows, width)
    circles = _circles(rows, frame)
    parts = [*_axes(frame), *_baselines(report, circles, frame), *_points(rows, circles, frame)]
    return (
        f'<svg viewBox="0 0 {frame.width} {frame.height}" role="img" aria-label="{escape(_spoken(rows))}">'
        f"{''.join(parts)}</svg>"
    )


def _frame(report: Report, rows: Sequence[Row], width: int) -> Frame:
    times = [_ms(row) for row in rows]
    marks = [_percent(row) for row in rows] + [b.accuracy.accuracy for b in report.baselines if b.accuracy]
    low = 50 if min(marks) >= 50 else math.floor(min(marks) / 10) * 10
    labels = 150 if width >= 600 else 122
    spread = (min(times) / 1.3, max(times) * 1.3)
    return Frame(width, 400 if width >= 600 else 380, 42, labels, spread, (float(low), 100.0))


def _axes(frame: Frame) -> Iterator[str]:
    (x0, y0), (x1, y1) = frame.at(frame.x[0], frame.y[0]), frame.at(frame.x[1], frame.y[1])
    for tick in range(int(frame.y[0]), 101, 10):
        _, y = frame.at(frame.x[0], tick)
        yield f'<line class="grid" x1="{x0:.1f}" x2="{x1:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(x0 - 6, y + 4, str(tick), "tick end")
    for value in _ticks(frame):
        x, _ = frame.at(value, frame.y[0])
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{y0:.1f}" y2="{y1:.1f}"/>'
        yield _text(x, y0 + 16, f"{value:g}", "tick middle")
    yield _text((x0 + x1) / 2, y0 + 36, "ms per face (faster ←)", "tick middle")
    yield f'<text class="tick middle" transform="translate(12 {(y0 + y1) / 2:.1f}) rotate(-90)">accuracy, %</text>'


def _baselines(report: Report, circles: Sequence[Circle], frame: Frame) -> Iterator[str]:
    x0, x1 = frame.at(frame.x[0], 50)[0], frame.at(frame.x[1], 50)[0]
    known = [(f"{b.name} {b.accuracy.accuracy:.1f}", b.accuracy.accuracy) for b in report.baselines if b.accuracy]
    boxes = [(x - r, y - r, x + r, y + r) for x, y, r in circles]
    for name, value in [*known, ("guessing", 50.0)]:
        if value >= frame.y[0]:
            _, y = frame.at(frame.x[0], value)
            yield f'<line class="baseline" x1="{x0:.1f}" x2="{x1:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            left, bottom = _free_place(name, (x0, x1, y), boxes)
            boxes.append(_box(name, left, bottom))
            yield _text(left, bottom, name, "tick halo")


def _free_place(name: str, line: tuple[float, float, float], taken: Sequence[Box]) -> tuple[float, float]:
    """Where the name of a line covers the least of circles and other names: above or below it, at its left or right end."""
    x0, x1, y = line
    right = x1 - (_box(name, 0, 0)[2]) - 5
    places = [(x, y + down) for x in (x0 + 5, right) for down in (-4, 13)]
    return min(places, key=lambda place: sum(_overlap(_box(name, *place), box) for box in taken))


def _box(name: str, left: float, bottom: float) -> Box:
    """What a name covers: 12-px type is 6.4 px wide on average."""
    return left, bottom - 9, left + 6.4 * len(name), bottom + 2


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0) * max(high, 0)


def _circles(rows: Sequence[Row], frame: Frame) -> list[Circle]:
    """(x, y, radius) of each row; the area is the file's size."""
    largest = max(row.bytes for row in rows)
    return [(*frame.at(_ms(row), _percent(row)), max(16 * math.sqrt(row.bytes / largest), 4)) for row in rows]


def _points(rows: Sequence[Row], circles: Sequence[Circle], frame: Frame) -> Iterator[str]:
    for row, (x, y, radius) in sorted(zip(rows, circles, strict=True), key=lambda pair: -pair[1][2]):
        span = row.accuracy.interval if row.accuracy else None
        ends = [frame.at(_ms(row), max(value, frame.y[0]))[1] for value in span or (_percent(row),) * 2]
        kind = f"dot {_class(row)} {row.format}"
        yield f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}"/>'
        title = (
            f"{words.model(row)}: {words.percent(row.accuracy)}, {words.ms(_ms(row))} ms, {words.megabytes(row.bytes)}"
        )
        yield f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{escape(title)}</title></circle>'
    yield from _labels(rows, frame)


def _labels(rows: Sequence[Row], frame: Frame) -> Iterator[str]:
    """Names in the right margin, spread so that none covers another, with a line to each point."""
    step = 30.0
    # Of points at one height the rightmost is named first: then no line to the lower names crosses another.
    order = sorted(rows, key=lambda row: (-round(_percent(row) / 3), -_ms(row)))
    wanted = [frame.at(_ms(row), _percent(row))[1] for row in order]
    places = _spread(wanted, step, frame.top + 10, frame.height - frame.bottom - 10)
    edge = frame.width - frame.right + 10
    for row, y in zip(order, places, strict=True):
        px, py = frame.at(_ms(row), _percent(row))
        yield f'<polyline class="leader" points="{px:.1f},{py:.1f} {edge - 6:.1f},{y - 4:.1f} {edge - 2:.1f},{y - 4:.1f}"/>'
        name = f"{row.recipe} {words.FORMATS.get(row.format, row.format)}"
        yield _text(edge, y, name, f"label {_class(row)}")
        yield _text(edge, y + 12, f"{words.ms(_ms(row))} ms, {words.megabytes(row.bytes)}", "small")


def _spread(wanted: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """Places at least `step` apart, near the wanted ones (rising), within low … high when there is room."""
    places: list[float] = []
    for value in wanted:
        places.append(max(value, places[-1] + step) if places else max(value, low))
    excess = max(places[-1] - high, 0) if places else 0
    if excess == 0:
        return places
    for index in range(len(places) - 1, -1, -1):
        limit = high if index == len(places) - 1 else places[index + 1] - step
        places[index] = min(places[index], limit)
    return places


def _ticks(frame: Frame) -> list[float]:
    """Round values within the frame, as many as stand 38 px apart."""
    low, high = (math.floor(math.log10(value)) for value in frame.x)
    kept: list[float] = []
    for leads in ((1,), (2, 5), (3,), (1.5, 4, 7)):
        for value in (lead * 10.0**power for power in range(low, high + 1) for lead in leads):
            x = frame.at(value, 50)[0]
            if frame.x[0] <= value <= frame.x[1] and all(abs(frame.at(other, 50)[0] - x) >= 38 for other in kept):
                kept.append(value)
    return sorted(kept)


def _ms(row: Row) -> float:
    return max(row.burst.p50_ms, 1e-4) if row.burst else 1.0


def _percent(row: Row) -> float:
    return row.accuracy.accuracy if row.accuracy else 0.0


def _class(row: Row) -> str:
    return row.recipe if row.recipe in _RECIPES else "other"


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _spoken(rows: Sequence[Row]) -> str:
    figures = "; ".join(f"{words.model(r)} {_percent(r):.1f} % in {words.ms(_ms(r))} ms" for r in rows)
    return f"Accuracy against latency, area is file size: {figures}"
