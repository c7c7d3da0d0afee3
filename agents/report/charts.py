"""Line charts as inline SVG: legible in light and dark, without colour, and to a screen reader.

Each line has its own colour, marker and dash, and its name at its end; colours come from the
page's style sheet (classes ``c0`` to ``c5``). A band around a line is its interval. A text
alternative says where each line begins and ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple, TypeGuard

from asl_env.evaluation.statistics import Estimate

WIDTH, HEIGHT = 540, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 162, 14, 36
#: Letters of a name beside its line; the whole name is in the text alternative.
_NAME = 15
_LABEL_GAP = 15.0
_TICKS = 5

_MARKERS = (
    '<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>',
    '<rect x="{l:.1f}" y="{t:.1f}" width="7" height="7"/>',
    '<path d="M{x:.1f} {t:.1f}l4.2 7.4h-8.4z"/>',
    '<path d="M{x:.1f} {t:.1f}l4.2 4.2l-4.2 4.2l-4.2 -4.2z"/>',
    '<path d="M{l:.1f} {t:.1f}h7.6l-3.8 7.4z"/>',
    '<rect x="{l:.1f}" y="{y:.1f}" width="7" height="3"/>',
)


class Line(NamedTuple):
    """One line of a chart; ``None`` and NaN leave a gap.

    Attributes:
        name: Written at its end.
        values: One per position.
        low: Lower ends of the intervals, one per position; empty for none.
        high: Upper ends.
    """

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


def estimates(name: str, found: Sequence[Estimate | None]) -> Line:
    """Returns the line of estimates with their intervals; ``None`` leaves a gap."""
    return Line(
        name,
        [None if one is None else one.mean for one in found],
        [None if one is None else one.low for one in found],
        [None if one is None else one.high for one in found],
    )


def line_chart(
    title: str,
    xs: Sequence[float],
    lines: Sequence[Line],
    *,
    x_name: str = "round",
    low: float | None = 0.0,
    high: float | None = 1.0,
) -> str:
    """Draws at most six lines over common x values.

    Args:
        title: What is shown; also the accessible name.
        xs: Positions, rising.
        lines: One value per position each.
        x_name: Under the axis.
        low: Lower end of the y axis; ``None`` for the least value.
        high: Upper end of the y axis; ``None`` for the greatest value.

    Returns:
        An ``svg`` element; an empty string if there is no value at all.
    """
    lines = [line for line in lines if any(map(_finite, line.values))][: len(_MARKERS)]
    if not lines or not xs:
        return ""
    drawn = [values for line in lines for values in (line.values, line.low, line.high)]
    known = [value for values in drawn for value in values if _finite(value)]
    bottom = min(known) if low is None else min(low, *known)
    top = max(known) if high is None else max(high, *known)
    frame = _Frame(min(xs), max(xs), bottom, top if top > bottom else bottom + 1.0)
    names = spread([frame.y(_last(line)) for line in lines], _LABEL_GAP, HEIGHT - _BOTTOM)
    body = [_axes(frame, xs, x_name)]
    body += [_band(frame, xs, line, at) for at, line in enumerate(lines)]
    body += [_draw(frame, xs, line, at, names[at]) for at, line in enumerate(lines)]
    told = escape(f"{title}. {_describe(xs, lines, x_name)}")
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{told}">{"".join(body)}</svg>'


class _Frame(NamedTuple):
    """The data range, and where it lies on the drawing."""

    left: float
    right: float
    bottom: float
    top: float

    def x(self, value: float) -> float:
        width = WIDTH - _LEFT - _RIGHT
        span = self.right - self.left
        return _LEFT + (width * (value - self.left) / span if span else width / 2)

    def y(self, value: float) -> float:
        height = HEIGHT - _TOP - _BOTTOM
        return _TOP + height * (self.top - value) / (self.top - self.bottom)


def _finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _last(line: Line) -> float:
    return next(float(value) for value in reversed(line.values) if _finite(value))


def _axes(frame: _Frame, xs: Sequence[float], x_name: str) -> str:
    parts = []
    for step in range(_TICKS):
        value = frame.bottom + (frame.top - frame.bottom) * step / (_TICKS - 1)
        y = frame.y(value)
        right = WIDTH - _RIGHT
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2g}</text>')
    every = max(1, math.ceil(len(xs) / 12))
    for x in xs[::every]:
        place = f'x="{frame.x(x):.1f}" y="{HEIGHT - _BOTTOM + 17}"'
        parts.append(f'<text {place} text-anchor="middle">{x:g}</text>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    name = f'<text x="{middle:.0f}" y="{HEIGHT - 2}" text-anchor="middle">{escape(x_name)}</text>'
    return "".join(parts) + name


def _draw(frame: _Frame, xs: Sequence[float], line: Line, at: int, label_y: float) -> str:
    path, marks, pen_up = [], [], True
    for x, value in zip(xs, line.values, strict=True):
        if not _finite(value):
            pen_up = True
            continue
        px, py = frame.x(x), frame.y(value)
        path.append(f"{'M' if pen_up else 'L'}{px:.1f} {py:.1f}")
        pen_up = False
        marks.append(_MARKERS[at].format(x=px, y=py, l=px - 3.5, t=py - 3.8))
    shown = "".join(marks) if len(marks) <= 40 else marks[-1]
    label = (
        f'<text class="name" x="{WIDTH - _RIGHT + 8}" y="{label_y + 4:.1f}">'
        f"{escape(_short(line.name))} {_last(line):.2f}</text>"
    )
    return f'<g class="c{at}"><path class="line" d="{"".join(path)}"/>{shown}{label}</g>'


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _band(frame: _Frame, xs: Sequence[float], line: Line, at: int) -> str:
    """The interval around a line: an area, or an upright where a point stands alone."""
    runs: list[list[tuple[float, float, float]]] = [[]]
    for x, low, high in zip(xs, line.low, line.high, strict=False):
        if not _finite(low) or not _finite(high):
            runs.append([])
        elif high > low:
            runs[-1].append((frame.x(x), frame.y(low), frame.y(high)))
    parts = []
    for run in runs:
        if len(run) == 1:
            x, low, high = run[0]
            parts.append(f'<path class="line" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
        elif run:
            over = " ".join(f"{x:.1f} {high:.1f}" for x, _, high in run)
            under = " ".join(f"{x:.1f} {low:.1f}" for x, low, _ in reversed(run))
            parts.append(f'<path class="band" d="M{over} {under}z"/>')
    return f'<g class="c{at}">{"".join(parts)}</g>' if parts else ""


def spread(places: Sequence[float], gap: float, bottom: float) -> list[float]:
    """Moves labels apart that would overlap, keeping their order and the frame.

    Args:
        places: Where they would stand, in pixels from the top.
        gap: Smallest distance.
        bottom: Lowest place.
    """
    order = sorted(range(len(places)), key=lambda at: places[at])
    apart = list(places)
    for before, after in pairwise(order):
        apart[after] = max(apart[after], apart[before] + gap)
    over = max(apart, default=0.0) - bottom
    return [place - max(0.0, over) for place in apart]


def _describe(xs: Sequence[float], lines: Sequence[Line], x_name: str) -> str:
    """The numbers as a sentence per line: first and last value."""
    told = []
    for line in lines:
        known = [(x, v) for x, v in zip(xs, line.values, strict=True) if _finite(v)]
        (first_x, first), (last_x, last) = known[0], known[-1]
        told.append(
            f"{line.name}: {first:.3f} at {x_name} {first_x:g}, {last:.3f} at {x_name} {last_x:g}."
        )
    return " ".join(told)
