"""Several runs and evaluations side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asl_env.agents.report.charts import Line, estimates, line_chart
from asl_env.agents.report.intervals import gap, judged_accuracy, true_accuracy
from asl_env.agents.report.logs import get
from asl_env.agents.report.page import charts, figure, number, table
from asl_env.agents.report.part import Part
from asl_env.evaluation.statistics import Estimate, bootstrap_mean

_Measure = Callable[[Mapping[str, Any]], "Estimate | None"]
_CURVES: Mapping[str, _Measure] = {
    "True accuracy": true_accuracy,
    "Judged accuracy": judged_accuracy,
    "Judged minus true": gap,
}


def overview(parts: Sequence[Part]) -> str:
    """Returns what can be compared: runs by their recipes, evaluations by their metrics."""
    runs = [part for part in parts if part.recipe is not None]
    return _runs(runs) + _evaluations([part for part in parts if part.result is not None])


def _runs(runs: Sequence[Part]) -> str:
    rows = []
    for run in runs:
        last: Mapping[str, Any] = run.measured[-1] if run.measured else {}
        found = (true_accuracy(last), judged_accuracy(last), gap(last))
        shown = [number(value) for value in found]
        facts = (run.facts["seed"], number(get(last, "round")))
        rows.append((run.name, str(run.recipe), *facts, *shown, str(run.alarms), run.facts["time"]))
    columns = ("run", "recipe", "seed", "rounds", "true", "judged", "gap", "alarms", "time")
    groups: dict[str, list[Part]] = {}
    for run in runs:
        groups.setdefault(str(run.recipe), []).append(run)
    figures = [_curve(name, measure, groups) for name, measure in _CURVES.items()]
    note = (
        "Mean over the runs of a recipe with its 95 % bootstrap interval over runs; the interval "
        "of a single run is over questions."
    )
    told = f'<p class="soft">{note}</p>' if any(figures) else ""
    return table("Runs: the last measured round", columns, rows) + charts(*figures) + told


def _curve(name: str, measure: _Measure, groups: Mapping[str, Sequence[Part]]) -> str:
    known = {
        int(metrics["round"])
        for runs in groups.values()
        for run in runs
        for metrics in run.measured
    }
    rounds = sorted(known)
    lines = [_of_recipe(recipe, runs, measure, rounds) for recipe, runs in groups.items()]
    xs = [float(at) for at in rounds]
    low = -0.1 if measure is gap else 0.0
    return figure(name, line_chart(name, xs, lines, low=low, high=0.3 if measure is gap else 1.0))


def _of_recipe(recipe: str, runs: Sequence[Part], measure: _Measure, rounds: Sequence[int]) -> Line:
    points: list[Estimate | None] = []
    for at in rounds:
        here = [metrics for run in runs for metrics in run.measured if metrics["round"] == at]
        found = [one for metrics in here if (one := measure(metrics)) is not None]
        means = [one.mean for one in found]
        points.append(bootstrap_mean(means) if len(means) > 1 else found[0] if found else None)
    return estimates(f"{recipe} ({len(runs)})" if len(runs) > 1 else recipe, points)


def _evaluations(parts: Sequence[Part]) -> str:
    names = dict.fromkeys(name for part in parts for name in _estimates(part))
    rows = [
        (
            part.name,
            part.facts.get("agent", "–"),
            part.facts.get("tasks", "–"),
            *(number(_estimates(part).get(name)) for name in names),
            number(None if part.result is None else part.result.seconds),
        )
        for part in parts
    ]
    columns = ("evaluation", "agent", "questions", *names, "seconds per question")
    return table("Evaluations: means with 95 % intervals over questions", columns, rows)


def _estimates(part: Part) -> dict[str, Estimate]:
    assert part.result is not None
    return {**part.result.metrics, **part.result.costs}
