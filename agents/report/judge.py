"""How good the judge is: agreement with the truth, calibration, and what fools it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from asl_env.agents.report.charts import Line, estimates, line_chart
from asl_env.agents.report.intervals import CELLS, false_accepts, grm_accuracy, wilson
from asl_env.agents.report.logs import get
from asl_env.agents.report.measured import Metrics, chart, plain
from asl_env.agents.report.page import charts, figure, number, table

_COLUMNS = (
    "round",
    "right, called correct",
    "wrong, called correct",
    "wrong, called wrong",
    "right, called wrong",
    "no verdict",
    "accuracy",
    "false accepts",
    "kappa",
)
_SEATS = {
    "grm": "held-out claims",
    "grm_on_policy": "the policy's own answers",
}


def judge_section(measured: Sequence[Metrics]) -> str:
    """Returns curves and tables about the judge; empty where none was measured."""
    curves = []
    for seat, what in _SEATS.items():
        lines = [
            estimates("accuracy", [grm_accuracy(metrics, seat) for metrics in measured]),
            estimates("false accepts", [false_accepts(metrics, seat) for metrics in measured]),
            plain(measured, "kappa", f"{seat}.kappa"),
        ]
        curves.append(chart(f"GRM on {what}", measured, *lines))
    matrices = "".join(_matrix(measured, seat, what) for seat, what in _SEATS.items())
    return charts(*curves) + matrices + _calibration(measured) + _probes(measured)


def _matrix(measured: Sequence[Metrics], seat: str, what: str) -> str:
    rows = [
        (
            f"{metrics['round']:g}",
            *(number(get(metrics, f"{seat}.matrix.{cell}")) for cell in CELLS),
            number(grm_accuracy(metrics, seat), 2),
            number(false_accepts(metrics, seat), 2),
            number(get(metrics, f"{seat}.kappa"), 2),
        )
        for metrics in measured
        if get(metrics, f"{seat}.matrix")
    ]
    return table(f"Confusion matrix on {what}", _COLUMNS, rows)


def _calibration(measured: Sequence[Metrics]) -> str:
    """Brier score and calibration error per round; the bins of the first and the last round."""
    errors = chart(
        "Calibration of the GRM's votes (0 is best)",
        measured,
        plain(measured, "Brier", "grm.brier"),
        plain(measured, "ECE", "grm.ece"),
    )
    binned = [metrics for metrics in measured if list(_bins(metrics))]
    ends = binned[:1] + binned[1:][-1:]
    places = [(low + 0.5) / 10 for low in range(10)]
    lines = [Line("perfect", places)] if ends else []
    rows = []
    for metrics in ends:
        found: dict[float, Any] = {}
        for one in _bins(metrics):
            estimate = wilson(one["right"], one["n"])
            found[min(places, key=lambda place: abs(place - one["votes"]))] = estimate
            cells = (number(one["votes"], 2), number(one["n"]), number(estimate, 2))
            rows.append((f"{metrics['round']:g}", *cells))
        name = f"round {metrics['round']:g}"
        lines.append(estimates(name, [found.get(place) for place in places]))
    bins = line_chart("Claims that are right, by votes for correct", places, lines, x_name="votes")
    columns = ("round", "votes for correct", "claims", "of these right")
    return charts(errors, figure("Claims that are right, by votes for correct", bins)) + table(
        "Reliability: a calibrated judge is right as often as it votes", columns, rows
    )


def _bins(metrics: Metrics) -> Iterator[Mapping[str, Any]]:
    for one in get(metrics, "grm.bins") or ():
        if isinstance(one, Mapping) and {"votes", "right", "n"} <= set(one):
            yield one


def _probes(measured: Sequence[Metrics]) -> str:
    known = [metrics for metrics in measured if get(metrics, "hacks.probes")]
    names = sorted({name for metrics in known for name in get(metrics, "hacks.probes")})
    rows = [
        (name, *(number(get(metrics, "hacks.probes").get(name), 2) for metrics in known))
        for name in names
    ]
    heads = ("probe", *(f"round {metrics['round']:g}" for metrics in known))
    curve = chart(
        "Hack probes accepted, mean of all", measured, plain(measured, "accepted", "hacks.mean")
    )
    return charts(curve) + table(
        "Hack probes: share of bad answers that the judge accepts", heads, rows
    )
