"""The report of a training run: is the policy getting better, and is the judge being fooled?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asl_env.agents.coevolution.events import EVENTS, TIMING, TRAJECTORIES
from asl_env.agents.coevolution.rollouts import total
from asl_env.agents.coevolution.runfolder import CONFIG, RunFolder
from asl_env.agents.report.charts import Line, line_chart
from asl_env.agents.report.page import episode, figure, folded, number, page, table
from asl_env.episode import Role, Trajectory
from asl_env.evaluation.records import from_record, read_objects

_SAMPLES = 3
_Metrics = Mapping[str, Any]
_PHASES = {"generate": "generator", "verify": "GRM", "solve": "policy"}


def run_page(folder: Path) -> str:
    """Returns the report of a run folder as an HTML document.

    Args:
        folder: A run folder; the run need not be over.

    Raises:
        RunError: If there is no run.
        RecordError: If a log cannot be read.
    """
    config = RunFolder(folder).config()
    events = list(_lines(folder / EVENTS))
    measured = [event["metrics"] for event in events if event["event"] == "measured"]
    sections = [
        ("Alarms", _alarms(events)),
        ("Accuracy", _accuracy(measured)),
        ("The judge", _judge(measured)),
        ("The tasks", _tasks(measured)),
        ("Learning", _learning(events)),
        ("Cost", _cost(events, list(_lines(folder / TIMING)))),
        ("Sample episodes", _samples(folder / TRAJECTORIES)),
        ("Events", _events(events)),
    ]
    return page(f"Run {folder.resolve().name}", _facts(folder, config, measured), sections)


def get(metrics: _Metrics, path: str) -> Any:
    """Returns a nested value by its dotted path, ``None`` where there is none."""
    value: Any = metrics
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for _, record in read_objects(path):
            yield record


def _facts(folder: Path, config: _Metrics, measured: Sequence[_Metrics]) -> dict[str, str]:
    seconds = sum(line.get("seconds", 0.0) for line in _lines(folder / TIMING))
    rounds = max((int(metrics["round"]) for metrics in measured), default=0)
    return {
        "recipe": f"{get(config, 'recipe.name')}: {get(config, 'recipe.about')}",
        "corpus": str(config.get("corpus")),
        "agent": str(config.get("agent") or ", ".join(map(str, config.get("agents", {}).values()))),
        "seed": str(config.get("seed")),
        "rounds measured": f"{rounds} of {get(config, 'recipe.rounds')}",
        "time": f"{seconds / 60:.1f} minutes",
        "settings": f"{CONFIG} in the run folder",
    }


def _alarms(events: Sequence[_Metrics]) -> str:
    rows = [
        (
            str(event["round"]),
            "judged minus true accuracy" if event["why"] == "gap" else "growth of that gap",
            number(event["value"]),
            number(event["limit"]),
        )
        for event in events
        if event["event"] == "alarm"
    ]
    shown = table("Signs that the judge is being fooled", ("round", "what", "value", "limit"), rows)
    return f'<div class="alarm">{shown}</div>' if shown else ""


def _accuracy(measured: Sequence[_Metrics]) -> str:
    rounds = [float(metrics["round"]) for metrics in measured]
    chart = _chart(
        "Policy on held-out questions",
        measured,
        {"true": "policy.true", "judged": "policy.judged", "F1": "policy.f1"},
    )
    gaps = [_gap(metrics) for metrics in measured]
    gap = line_chart("Judged minus true", rounds, [Line("gap", gaps)], low=-0.1, high=0.3)
    columns = ("round", "questions", "true", "judged", "em", "F1", "cover", "searches")
    names = ("n", "true", "judged", "em", "f1", "cover_em", "searches")
    rows = [
        (f"{x:g}", *(number(get(metrics, f"policy.{name}")) for name in names))
        for x, metrics in zip(rounds, measured, strict=True)
    ]
    sets = sorted({name for metrics in measured for name in get(metrics, "policy.sets") or {}})
    by_set = [
        (name, *(number((get(m, "policy.sets") or {}).get(name, {}).get("true")) for m in measured))
        for name in sets
    ]
    heads = ("set", *(f"round {x:g}" for x in rounds))
    return (
        f'<div class="charts">{chart}{figure("Judged minus true: reward hacking", gap)}</div>'
        + table("Held-out accuracy; round 0 is the untrained agent", columns, rows)
        + table("True accuracy by set", heads, by_set)
    )


def _gap(metrics: _Metrics) -> float | None:
    judged, true = get(metrics, "policy.judged"), get(metrics, "policy.true")
    return None if judged is None or true is None else float(judged) - float(true)


def _judge(measured: Sequence[_Metrics]) -> str:
    names = {
        "accuracy": "grm.accuracy",
        "kappa": "grm.kappa",
        "false accepts": "grm.false_accept",
    }
    on_policy = {
        "accuracy": "grm_on_policy.accuracy",
        "false accepts": "grm_on_policy.false_accept",
    }
    charts = _chart("GRM on held-out claims", measured, names)
    charts += _chart("GRM on the policy's own answers", measured, on_policy)
    cells = ("true_accept", "false_accept", "true_reject", "false_reject", "invalid")
    columns = (
        "round",
        "right, called correct",
        "wrong, called correct",
        "wrong, called wrong",
        "right, called wrong",
        "no verdict",
    )
    rows = [
        (f"{m['round']:g}", *(number(get(m, f"grm.matrix.{cell}")) for cell in cells))
        for m in measured
        if get(m, "grm.matrix")
    ]
    return f'<div class="charts">{charts}</div>' * bool(charts) + "".join(
        (table("Confusion matrix on held-out claims", columns, rows), _probes(measured))
    )


def _probes(measured: Sequence[_Metrics]) -> str:
    known = [metrics for metrics in measured if get(metrics, "hacks.probes")]
    names = sorted({name for metrics in known for name in get(metrics, "hacks.probes")})
    rows = [
        (name, *(number(get(metrics, "hacks.probes").get(name), 2) for metrics in known))
        for name in names
    ]
    heads = ("probe", *(f"round {metrics['round']:g}" for metrics in known))
    return table("Hack probes: share of bad answers that the judge accepts", heads, rows)


def _tasks(measured: Sequence[_Metrics]) -> str:
    valid = {
        "valid": "tasks.oracle.valid",
        "answer right": "tasks.oracle.answer_right",
        "unique": "tasks.oracle.unique",
    }
    spread = {
        "difficulty": "tasks.difficulty",
        "policy, true": "tasks.policy.true",
        "policy, judged": "tasks.policy.judged",
        "distance": "tasks.distance",
    }
    charts = _chart("What the oracle says of self-made tasks", measured, valid)
    charts += _chart("Difficulty and variety of self-made tasks", measured, spread)
    rows = [
        (
            f"{metrics['round']:g}",
            number(get(metrics, "tasks.count")),
            *(number(get(metrics, path)) for path in (*valid.values(), *spread.values())),
        )
        for metrics in measured
        if get(metrics, "tasks")
    ]
    columns = ("round", "tasks", *valid, *spread)
    return f'<div class="charts">{charts}</div>' * bool(charts) + table(
        "Self-made tasks", columns, rows
    )


def _learning(events: Sequence[_Metrics]) -> str:
    figures = []
    for phase, seat in _PHASES.items():
        chunks = [e for e in events if e["event"] == "chunk" and e["phase"] == phase]
        rewards = [get(chunk, "metrics.reward") for chunk in chunks]
        scores = [get(chunk, "metrics.score") for chunk in chunks]
        chart = line_chart(
            f"Reward of the {seat}",
            [float(at) for at in range(1, len(chunks) + 1)],
            [Line("reward", rewards), Line("score", scores)],
            x_name="chunk",
            high=None,
        )
        figures.append(figure(f"Reward of the {seat}, all rounds", chart))
    inner = "".join(figures)
    return f'<div class="charts">{inner}</div>' if inner else ""


def _cost(events: Sequence[_Metrics], timing: Sequence[_Metrics]) -> str:
    """Rollouts and seconds up to the end of each round."""
    rows = []
    for event in events:
        counts = event.get("rollouts") if event["event"] == "round-ended" else None
        if counts is not None:
            seconds = sum(t["seconds"] for t in timing if t.get("round", 0) <= event["round"])
            shown = (get(counts, "played.policy") or 0, total(counts), seconds)
            rows.append((f"{event['round']:g}", *(number(value) for value in shown)))
    columns = ("round", "policy rollouts played", "all rollouts", "seconds")
    return table("Cost so far: measurements are in all rollouts and seconds", columns, rows)


def _chart(caption: str, measured: Sequence[_Metrics], paths: Mapping[str, str]) -> str:
    xs = [float(metrics["round"]) for metrics in measured]
    lines = [Line(name, [get(m, path) for m in measured]) for name, path in paths.items()]
    return figure(caption, line_chart(caption, xs, lines))


def _samples(path: Path) -> str:
    """A few episodes of each seat: the newest that were saved."""
    newest: dict[Role, list[tuple[Any, Trajectory, float | None]]] = {role: [] for role in Role}
    if path.exists():
        for where, record in read_objects(path):
            saved = from_record(record, where)
            total = None if saved.reward is None else saved.reward.total
            kept = newest[saved.trajectory.role]
            kept.append((record.get("round"), saved.trajectory, total))
            del kept[:-_SAMPLES]
    return "".join(
        episode(_headline(role, *sample), sample[1]) for role in Role for sample in newest[role]
    )


def _headline(role: Role, number_: Any, played: Trajectory, total: float | None) -> str:
    answer = played.answer if played.answer is not None else "no answer"
    said = f"{played.question} → {answer}" if played.question else answer
    reward = "" if total is None else f", reward {total:.2f}"
    return f"{role}, round {number_}{reward}: {said[:160]}"


def _events(events: Sequence[_Metrics]) -> str:
    rows = [
        (
            str(event.get("round", "")),
            str(event.get("phase", "")),
            str(event["event"]),
            ", ".join(
                f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in event.items()
                if name not in ("event", "round", "phase", "metrics")
            ),
        )
        for event in events
    ]
    columns = ("round", "phase", "event", "details")
    return folded(f"{len(rows)} events", table(f"From {EVENTS}", columns, rows, left=True))
