"""Measurements of a run, round by round, as charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asl_env.agents.report.charts import Line, line_chart
from asl_env.agents.report.logs import get
from asl_env.agents.report.page import figure

#: The ``metrics`` of one ``measured`` event.
Metrics = Mapping[str, Any]


def rounds_of(measured: Sequence[Metrics]) -> list[float]:
    """The rounds that were measured, as positions on an axis."""
    return [float(metrics["round"]) for metrics in measured]


def chart(caption: str, measured: Sequence[Metrics], *lines: Line) -> str:
    """Returns a figure of lines over the measured rounds; empty without values."""
    return figure(caption, line_chart(caption, rounds_of(measured), lines))


def plain(measured: Sequence[Metrics], name: str, path: str) -> Line:
    """Returns the line of a value without an interval."""
    return Line(name, [get(metrics, path) for metrics in measured])
