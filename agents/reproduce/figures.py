"""Figures of the claims: standalone SVG files with intervals, light and dark, without scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from asl_env.agents.report.charts import spread
from asl_env.agents.reproduce.claim import Claim, Point
from asl_env.agents.reproduce.results import Results, metric_of
from asl_env.agents.reproduce.verdict import interquartile_means

_WIDTH, _HEIGHT = 720, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 210, 40, 44
_LABEL_GAP = 17.0
#: In light and in dark.
_COLOURS = (
    ("#1d5fc4", "#7fb0ff"),
    ("#b4500b", "#ffae6b"),
    ("#0b7a53", "#5fd3a6"),
    ("#7a3fb0", "#cfa4ff"),
)
_DASHES = ("", "7 4", "2 3", "9 3 2 3")
_STYLE = """
svg { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
text { fill: #4b5666; } .title { font-size: 15px; font-weight: 600; fill: #1c2430; }
.page { fill: #ffffff; } .grid { stroke: #dfe3e8; }
.line { fill: none; stroke-width: 2; } .band { stroke: none; opacity: .16; }
.name { font-weight: 600; }
"""
_DARK = """
.page { fill: #14181d; } text { fill: #aab4c0; } .title { fill: #e6e9ed; }
.grid { stroke: #333c47; }
"""


@dataclass(frozen=True)
class Curve:
    """A line with its interval.

    Attributes:
        name: Shown at its end.
        xs: Positions, rising.
        ys: Values.
        low: Lower ends of the intervals.
        high: Upper ends.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def claim_figure(claim: Claim, results: Results) -> str:
    """Draws what a claim is about, as far as there are results.

    Args:
        claim: The claim.
        results: The results.

    Returns:
        An SVG document; empty without results.
    """
    if any(arm.tasks for arm in claim.arms):
        curves, x_name, log = [_sizes(claim.figure, results)], "self-made tasks", True
    else:
        curves, x_name, log = [_rounds(p, results) for p in claim.figure], "round", False
    known = [curve for curve in curves if curve is not None]
    title = f"Claim {claim.number}, {claim.name}: accuracy on held-out questions"
    return draw(title, known, x_name=x_name, log=log) if known else ""


def _rounds(point: Point, results: Results) -> Curve | None:
    """A metric of an arm by round; round 0 is the untrained agent."""
    runs = [results.rounds(point.arm, seed) for seed in results.seeds([point.arm])]
    if not runs:
        return None
    numbers = [
        number
        for number in sorted(set.intersection(*(set(rows) for rows in runs)))
        if all(math.isfinite(metric_of(rows[number], point.metric)) for rows in runs)
    ]
    if not numbers:
        return None
    values = [[metric_of(rows[n], point.metric) for n in numbers] for rows in runs]
    name = point.arm if point.metric == "true" else f"{point.arm}, {point.metric}"
    means, low, high = interquartile_means(values)
    return Curve(name, [float(n) for n in numbers], means.tolist(), low.tolist(), high.tolist())


def _sizes(points: Sequence[Point], results: Results) -> Curve | None:
    """A metric by the number of tasks given."""
    arms = [point.arm for point in points]
    seeds = results.seeds(arms)
    if not seeds:
        return None
    runs = [results.run(seed) for seed in seeds]
    xs = [sum(run.given(arm) for run in runs) / len(runs) for arm in arms]
    values = [[run.value(point) for point in points] for run in runs]
    means, low, high = interquartile_means(values)
    return Curve("true accuracy", xs, means.tolist(), low.tolist(), high.tolist())


def draw(title: str, curves: Sequence[Curve], *, x_name: str, log: bool = False) -> str:
    """Draws at most four curves with their intervals as bands.

    Args:
        title: Above the drawing; also its accessible name.
        curves: At least one.
        x_name: Under the axis.
        log: Whether the x axis is logarithmic.

    Returns:
        An SVG document.
    """
    curves = curves[: len(_COLOURS)]
    frame = _Frame.around(curves, log)
    ends = [frame.y(curve.ys[-1]) for curve in curves]
    labels = spread(ends, _LABEL_GAP, _HEIGHT - _BOTTOM)
    body = [_axes(frame, sorted({x for curve in curves for x in curve.xs}), x_name)]
    body += [_curve(frame, curve, n, labels[n]) for n, curve in enumerate(curves)]
    light = "".join(_colour(n, pair[0]) for n, pair in enumerate(_COLOURS))
    dark = "".join(_colour(n, pair[1]) for n, pair in enumerate(_COLOURS))
    style = f"{_STYLE}{light}@media (prefers-color-scheme: dark) {{ {_DARK}{dark} }}"
    told = escape(" ".join(_tell(curve, x_name) for curve in curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-labelledby="t d"><title id="t">{escape(title)}</title><desc id="d">{told}</desc>'
        f'<style>{style}</style><rect class="page" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
        f'<text class="title" x="{_LEFT}" y="24">{escape(title)}</text>{"".join(body)}</svg>\n'
    )


@dataclass(frozen=True)
class _Frame:
    """The data range, and where it lies on the drawing."""

    left: float
    right: float
    bottom: float
    top: float
    log: bool

    @classmethod
    def around(cls, curves: Sequence[Curve], log: bool) -> _Frame:
        xs = [x for curve in curves for x in curve.xs]
        ys = [y for curve in curves for y in (*curve.low, *curve.high, *curve.ys)]
        bottom, top = math.floor(20 * min(ys)) / 20, math.ceil(20 * max(ys)) / 20
        return cls(min(xs), max(xs), bottom, max(top, bottom + 0.05), log)

    def x(self, value: float) -> float:
        ends = (self.left, self.right, value)
        left, right, at = map(math.log10, ends) if self.log else ends
        width = _WIDTH - _LEFT - _RIGHT
        return _LEFT + (width * (at - left) / (right - left) if right > left else width / 2)

    def y(self, value: float) -> float:
        share = (self.top - value) / (self.top - self.bottom)
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * share


def _axes(frame: _Frame, xs: Sequence[float], x_name: str) -> str:
    parts, right = [], _WIDTH - _RIGHT
    for step in range(6):
        value = frame.bottom + (frame.top - frame.bottom) * step / 5
        y = frame.y(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    for x in xs:
        place = f'x="{frame.x(x):.1f}" y="{_HEIGHT - _BOTTOM + 18}"'
        parts.append(f'<text {place} text-anchor="middle">{x:.0f}</text>')
    middle = f'x="{(_LEFT + right) / 2:.0f}" y="{_HEIGHT - 8}"'
    parts.append(f'<text {middle} text-anchor="middle">{escape(x_name)}</text>')
    return "".join(parts)


def _curve(frame: _Frame, curve: Curve, number: int, label_y: float) -> str:
    xs = [frame.x(x) for x in curve.xs]

    def path(ys: Sequence[float]) -> list[str]:
        return [f"{x:.1f} {frame.y(y):.1f}" for x, y in zip(xs, ys, strict=True)]

    band = "L".join([*path(curve.high), *reversed(path(curve.low))])
    line = "L".join(path(curve.ys))
    marks = "".join(
        f'<circle cx="{p.split()[0]}" cy="{p.split()[1]}" r="3"/>' for p in path(curve.ys)
    )
    name = f"{escape(curve.name)} {curve.ys[-1]:.3f}"
    return (
        f'<g class="c{number}"><path class="band" d="M{band}Z"/>'
        f'<path class="line" d="M{line}"/>{marks}'
        f'<text class="name" x="{_WIDTH - _RIGHT + 10}" y="{label_y + 4:.1f}">{name}</text></g>'
    )


def _colour(number: int, colour: str) -> str:
    dash = f" stroke-dasharray: {_DASHES[number]};" if _DASHES[number] else ""
    return (
        f".c{number} path.line {{ stroke: {colour};{dash} }} "
        f".c{number} .band, .c{number} circle, .c{number} text {{ fill: {colour}; }}\n"
    )


def _tell(curve: Curve, x_name: str) -> str:
    """The numbers as a sentence: first and last value."""
    return (
        f"{curve.name}: {curve.ys[0]:.3f} at {x_name} {curve.xs[0]:.0f}, "
        f"{curve.ys[-1]:.3f} at {x_name} {curve.xs[-1]:.0f}."
    )
