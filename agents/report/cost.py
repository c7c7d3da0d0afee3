"""What a run cost: rollouts by purpose and seat, seconds by phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asl_env.agents.coevolution.rollouts import total
from asl_env.agents.report.logs import get
from asl_env.agents.report.page import number, table
from asl_env.episode import Role

_PHASES = ("generate", "verify", "solve", "measure")
_PURPOSES = ("played", "partners", "measured")


def cost_section(events: Sequence[Mapping[str, Any]], timing: Sequence[Mapping[str, Any]]) -> str:
    """Returns the costs up to the end of each round; empty where none was written down."""
    rows, last = [], None
    for event in events:
        counts = event.get("rollouts") if event["event"] == "round-ended" else None
        if isinstance(counts, Mapping):
            last = counts
            spent = seconds([t for t in timing if t.get("round", 0) <= event["round"]])
            shown = (get(counts, "played.policy") or 0, total(counts), spent)
            rows.append((f"{event['round']:g}", *(number(value) for value in shown)))
    columns = ("round", "policy rollouts played", "all rollouts", "seconds")
    so_far = table("Cost so far: measurements are in all rollouts and seconds", columns, rows)
    return so_far + _rollouts(last or {}) + _time(timing)


def seconds(timing: Sequence[Mapping[str, Any]]) -> float:
    """Wall time of the noted steps."""
    found = (line.get("seconds", 0.0) for line in timing)
    return float(sum(value for value in found if isinstance(value, int | float)))


def _rollouts(counts: Mapping[str, Any]) -> str:
    rows = [
        (purpose, *(number(get(counts, f"{purpose}.{role}") or 0) for role in Role))
        for purpose in _PURPOSES
        if counts.get(purpose)
    ]
    return table("Rollouts of the whole run", ("purpose", *map(str, Role)), rows)


def _time(timing: Sequence[Mapping[str, Any]]) -> str:
    numbers = sorted({line["round"] for line in timing if isinstance(line.get("round"), int)})
    rows = []
    for at in numbers:
        here = [line for line in timing if line.get("round") == at]
        spent = [seconds([t for t in here if t.get("phase") == phase]) for phase in _PHASES]
        rows.append((str(at), *(f"{value:.1f}" for value in spent), f"{seconds(here):.1f}"))
    return table("Seconds by round and phase", ("round", *_PHASES, "all"), rows)
