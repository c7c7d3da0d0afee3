"""How well the policy answers held-out questions, by the judge and in truth."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.agents.report.charts import Line, estimates, line_chart
from asl_env.agents.report.intervals import gap, judged_accuracy, true_accuracy, wilson
from asl_env.agents.report.logs import get
from asl_env.agents.report.measured import Metrics, rounds_of
from asl_env.agents.report.page import charts, figure, number, table
from asl_env.evaluation.statistics import Estimate

_NOTE = (
    '<p class="soft">Bands and brackets are 95 % intervals over questions (Wilson; for the gap '
    "bootstrap over question pairs). The same questions are asked every round.</p>"
)


def accuracy_section(measured: Sequence[Metrics]) -> str:
    """Returns curves and tables of held-out accuracy; empty if nothing was measured."""
    if not measured:
        return ""
    rounds = rounds_of(measured)
    true = [true_accuracy(metrics) for metrics in measured]
    judged = [judged_accuracy(metrics) for metrics in measured]
    gaps = [gap(metrics) for metrics in measured]
    f1 = Line("F1", [get(metrics, "policy.f1") for metrics in measured])
    curves = [estimates("true", true), estimates("judged", judged), f1]
    shown = charts(
        figure(
            "Policy on held-out questions",
            line_chart("Policy on held-out questions", rounds, curves),
        ),
        figure(
            "Judged minus true: reward hacking",
            line_chart("Judged minus true", rounds, [estimates("gap", gaps)], low=-0.1, high=0.3),
        ),
    )
    columns = ("round", "questions", "true", "judged", "gap", "em", "F1", "cover", "searches")
    names = ("em", "f1", "cover_em", "searches")
    rows = [
        (
            f"{rounds[at]:g}",
            number(get(metrics, "policy.n")),
            *(number(found[at]) for found in (true, judged, gaps)),
            *(number(get(metrics, f"policy.{name}")) for name in names),
        )
        for at, metrics in enumerate(measured)
    ]
    held_out = table("Held-out accuracy; round 0 is the untrained agent", columns, rows)
    return shown + _NOTE + held_out + _by_set(measured, rounds)


def _by_set(measured: Sequence[Metrics], rounds: Sequence[float]) -> str:
    names = sorted({name for metrics in measured for name in get(metrics, "policy.sets") or {}})
    found = {
        name: [_of_set((get(metrics, "policy.sets") or {}).get(name)) for metrics in measured]
        for name in names
    }
    rows = [(name, *(number(one) for one in found[name])) for name in names]
    heads = ("set", *(f"round {x:g}" for x in rounds))
    lines = [estimates(name, found[name]) for name in names]
    chart = line_chart("True accuracy by set", rounds, lines) if 1 < len(names) <= 6 else ""
    return charts(figure("True accuracy by set", chart)) + table(
        "True accuracy by set", heads, rows
    )


def _of_set(metrics: Metrics | None) -> Estimate | None:
    return None if metrics is None else wilson(get(metrics, "true"), get(metrics, "n"))
