"""The tasks that a run made for itself: validity, difficulty, variety, and what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asl_env.agents.report.charts import estimates
from asl_env.agents.report.intervals import of_oracle
from asl_env.agents.report.logs import get
from asl_env.agents.report.measured import Metrics, chart, plain
from asl_env.agents.report.page import charts, number, table

_VALID = {"valid": "valid", "answer right": "answer_right", "unique": "unique"}
_HARD = {
    "difficulty": "tasks.difficulty",
    "policy, true": "tasks.policy.true",
    "policy, judged": "tasks.policy.judged",
}
_VARIED = {
    "distance": "tasks.distance",
    "distinct 2-grams": "tasks.distinct_2",
    "distinct answers": "tasks.answers",
}


def tasks_section(measured: Sequence[Metrics], events: Sequence[Mapping[str, Any]]) -> str:
    """Returns curves and tables about self-made tasks; empty where there are none."""
    known = [metrics for metrics in measured if get(metrics, "tasks")]
    if not known:
        return _refused(events)
    oracle = {name: [of_oracle(one, key) for one in known] for name, key in _VALID.items()}
    curves = (
        chart(
            "What the oracle says of self-made tasks",
            known,
            *(estimates(name, found) for name, found in oracle.items()),
        ),
        chart("Difficulty", known, *(plain(known, *line) for line in _HARD.items())),
        chart("Diversity", known, *(plain(known, *line) for line in _VARIED.items())),
    )
    rows = [
        (
            f"{metrics['round']:g}",
            number(get(metrics, "tasks.count")),
            *(number(found[at], 2) for found in oracle.values()),
            *(number(get(metrics, path)) for path in (*_HARD.values(), *_VARIED.values())),
        )
        for at, metrics in enumerate(known)
    ]
    columns = ("round", "tasks", *_VALID, *_HARD, *_VARIED)
    note = (
        '<p class="soft">Difficulty: share of solves that the judge called wrong. Distance: mean '
        "Jaccard distance of two questions' words. Distinct: different ones among all.</p>"
    )
    return charts(*curves) + note + table("Self-made tasks", columns, rows) + _refused(events)


def _refused(events: Sequence[Mapping[str, Any]]) -> str:
    ended = [
        event
        for event in events
        if event["event"] == "phase-ended" and isinstance(event.get("rejected"), Mapping)
    ]
    reasons = sorted({reason for event in ended for reason in event["rejected"]})
    rows = [
        (
            str(event.get("round")),
            number(event.get("tasks")),
            *(number(event["rejected"].get(reason, 0)) for reason in reasons),
        )
        for event in ended
    ]
    columns = ("round", "accepted", *reasons)
    return table("Questions that became tasks, and why the others did not", columns, rows)
