"""The report of a training run: is the policy getting better, and is the judge being fooled?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asl_env.agents.coevolution.events import EVENTS, TIMING, TRAJECTORIES
from asl_env.agents.coevolution.runfolder import CONFIG, RunFolder
from asl_env.agents.report.accuracy import accuracy_section
from asl_env.agents.report.catalog import Catalog
from asl_env.agents.report.charts import Line, line_chart
from asl_env.agents.report.cost import cost_section, seconds
from asl_env.agents.report.entries import Entry, Reader
from asl_env.agents.report.judge import judge_section
from asl_env.agents.report.lineage import lineage_section, read_lineage
from asl_env.agents.report.logs import get, lines
from asl_env.agents.report.measured import Metrics
from asl_env.agents.report.page import charts, episode, figure, folded, number, table
from asl_env.agents.report.part import Part
from asl_env.agents.report.selfmade import tasks_section
from asl_env.episode import Role
from asl_env.evaluation.records import from_record, read_objects

_SAMPLES = 3
_PHASES = {"generate": "generator", "verify": "GRM", "solve": "policy"}
_ALARMS = {"gap": "judged minus true accuracy", "growth": "growth of that gap"}


def read_run(folder: Path, number_: int, catalog: Catalog) -> Part:
    """Reads a run folder; the run need not be over.

    Args:
        folder: A run folder.
        number_: Its number in the report.
        catalog: Gets its episodes.

    Raises:
        RunError: If there is no run.
        RecordError: If a log cannot be read.
    """
    config = RunFolder(folder).config()
    events, timing = list(lines(folder / EVENTS)), list(lines(folder / TIMING))
    measured = [event["metrics"] for event in events if event["event"] == "measured"]
    tasks = read_lineage(folder)
    name = folder.resolve().name
    reader = Reader(get(config, "recipe.dialect"))
    samples = _episodes(folder / TRAJECTORIES, number_, catalog, reader)
    catalog.finish_run(number_, name, reader, [list(task) for task in tasks])
    sections = [
        ("Alarms", _alarms(events, measured)),
        ("Accuracy", accuracy_section(measured)),
        ("The judge", judge_section(measured)),
        ("The tasks", tasks_section(measured, events)),
        ("Lineage", lineage_section(tasks)),
        ("Learning", _learning(events)),
        ("Cost", cost_section(events, timing)),
        ("Events", _events(events)),
    ]
    return Part(
        name,
        f"Run {name}",
        _facts(config, measured, timing),
        sections,
        samples,
        recipe=str(get(config, "recipe.name")),
        measured=measured,
        alarms=sum(event["event"] == "alarm" for event in events),
    )


def _facts(
    config: Metrics, measured: Sequence[Metrics], timing: Sequence[Metrics]
) -> dict[str, str]:
    rounds = max((int(metrics["round"]) for metrics in measured), default=0)
    return {
        "recipe": f"{get(config, 'recipe.name')}: {get(config, 'recipe.about')}",
        "corpus": str(config.get("corpus")),
        "agent": str(config.get("agent") or ", ".join(map(str, config.get("agents", {}).values()))),
        "seed": str(config.get("seed")),
        "rounds measured": f"{rounds} of {get(config, 'recipe.rounds')}",
        "time": f"{seconds(timing) / 60:.1f} minutes",
        "settings": f"{CONFIG} in the run folder",
    }


def _alarms(events: Sequence[Metrics], measured: Sequence[Metrics]) -> str:
    rows = [
        (
            str(event.get("round")),
            _ALARMS.get(str(event.get("why")), str(event.get("why"))),
            number(event.get("value")),
            number(event.get("limit")),
        )
        for event in events
        if event["event"] == "alarm"
    ]
    collapses = [
        (str(e.get("round")), str(e.get("phase")), str(e.get("detector")), str(e.get("warning")))
        for e in events
        if e["event"] == "collapse"
    ]
    shown = table("Signs that the judge is being fooled", ("round", "what", "value", "limit"), rows)
    shown += table(
        "Signs that a learner is losing its way",
        ("round", "phase", "detector", "what it saw"),
        collapses,
        left=True,
    )
    quiet = '<p class="soft">No alarm: judged and true accuracy stayed close.</p>'
    return f'<div class="alarm">{shown}</div>' if shown else quiet * bool(measured)


def _learning(events: Sequence[Metrics]) -> str:
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
    return charts(*figures)


def _episodes(path: Path, run: int, catalog: Catalog, reader: Reader) -> str:
    """Hands the episodes over; returns the newest of each seat."""
    newest: dict[Role, list[Entry]] = {role: [] for role in Role}
    if path.exists():
        for where, record in read_objects(path):
            played, reward = from_record(record, where)
            place = {name: record.get(name) for name in ("round", "phase", "chunk")}
            entry = Entry(played, reward, place)
            catalog.add(run, entry, reader)
            kept = newest[played.role]
            kept.append(entry)
            del kept[:-_SAMPLES]
    return "".join(episode(_headline(one), one.played) for role in Role for one in newest[role])


def _headline(entry: Entry) -> str:
    reward = "" if entry.reward is None else f", reward {entry.reward.total:.2f}"
    where = f"{entry.played.role}, round {entry.place['round']}{reward}"
    return f"{where}: {entry.asked} → {entry.said or 'no answer'}"[:200]


def _events(events: Sequence[Metrics]) -> str:
    rows = [
        (
            str(event.get("round", "")),
            str(event.get("phase", "")),
            str(event["event"]),
            ", ".join(
                f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in event.items()
                if name not in ("event", "round", "phase", "metrics", "rollouts")
            ),
        )
        for event in events
    ]
    columns = ("round", "phase", "event", "details")
    return folded(f"{len(rows)} events", table(f"From {EVENTS}", columns, rows, left=True))
