"""The report of an evaluation: the metrics, what they cost, and how the questions were played."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path

from asl_env.agents.report.catalog import Catalog
from asl_env.agents.report.entries import Entry, Reader
from asl_env.agents.report.page import episode, folded, number, table
from asl_env.agents.report.part import Part
from asl_env.errors import RecordError
from asl_env.evaluation.folder import ROWS, TIMES, read_settings, seconds_per_question
from asl_env.evaluation.records import read_objects
from asl_env.evaluation.results import EvalResult, iter_rows, summarise
from asl_env.evaluation.scoring import Row
from asl_env.rewards.matching import METRIC_VERSION

#: Questions written out for browsers without a script, of each kind; the slowest batches shown.
_SHOWN, _SLOWEST = 8, 5


def read_evaluation(folder: Path, number_: int, catalog: Catalog) -> Part:
    """Reads the folder of an evaluation and scores its episodes again.

    Args:
        folder: What ``asl eval --out`` wrote.
        number_: Its number in the report.
        catalog: Gets the episodes; none is kept in memory.

    Raises:
        RecordError: If the rows cannot be read.
    """
    name = folder.resolve().name
    settings = read_settings(folder)
    reader = Reader(settings.get("dialect"))
    wrong: list[Row] = []
    right: list[Row] = []

    def rows() -> Iterator[Row]:
        for row in iter_rows(folder / ROWS):
            entry = Entry(row.trajectory, scores=row.scores, judgement=row.judgement)
            catalog.add(number_, entry, reader)
            kept = right if row.scores.get("em") == 1.0 else wrong
            if len(kept) < _SHOWN:
                kept.append(row)
            yield row

    result = summarise(
        rows(),
        settings | {"metric_version": METRIC_VERSION},
        seconds=seconds_per_question(folder),
        keep=False,
    )
    if not result.counts["tasks"]:
        raise RecordError(f"{folder / ROWS}: is empty; evaluate first")
    catalog.finish_run(number_, name, reader, [])
    samples = folded("Not answered right", _episodes(wrong))
    samples += folded("Answered right", _episodes(right))
    facts = {key: str(value) for key, value in sorted(result.settings.items())}
    sections = [("Metrics", _metrics(result)), ("Cost and time", _cost(result, folder))]
    return Part(name, f"Evaluation {name}", facts, sections, samples, result=result)


def _metrics(result: EvalResult) -> str:
    found = [
        (name, number(value.mean), f"{value.low:.3f} – {value.high:.3f}", str(value.n))
        for name, value in result.metrics.items()
    ]
    counts = [(name, str(value)) for name, value in result.counts.items()]
    columns = ("metric", "mean", "95 % interval", "questions")
    return table("Means with bootstrap intervals", columns, found) + table(
        "Counts", ("what", "questions"), counts
    )


def _cost(result: EvalResult, folder: Path) -> str:
    costs = [
        (f"{name} per question", number(value.mean), f"{value.low:.3f} – {value.high:.3f}")
        for name, value in result.costs.items()
    ]
    if result.seconds is not None:
        costs.append(("seconds per question", number(result.seconds), "–"))
    return table("What an answer costs", ("cost", "mean", "95 % interval"), costs) + _time(folder)


def _time(folder: Path) -> str:
    """Wall time in all, and where most of it went."""
    if not (folder / TIMES).is_file():
        return ""
    batches = [
        (float(seconds), int(questions), at)
        for at, (_, record) in enumerate(read_objects(folder / TIMES), start=1)
        if isinstance(seconds := record.get("seconds"), int | float)
        and isinstance(questions := record.get("questions"), int | float)
    ]
    total = sum(seconds for seconds, _, _ in batches)
    rows = [("all", str(sum(n for _, n, _ in batches)), f"{total:.1f}")]
    if len(batches) > 1:
        slowest = heapq.nlargest(_SLOWEST, batches)
        rows += [(f"batch {at}", str(n), f"{seconds:.1f}") for seconds, n, at in slowest]
    caption = f"Wall time of {len(batches)} batches, the slowest first"
    return table(caption, ("batches", "questions", "seconds"), rows)


def _episodes(rows: list[Row]) -> str:
    return "".join(episode(_headline(row), row.trajectory) for row in rows)


def _headline(row: Row) -> str:
    said = row.trajectory.answer if row.trajectory.answer is not None else "no answer"
    return f"{row.task.question} → {said} (accepted: {', '.join(row.task.answers[:3])})"
