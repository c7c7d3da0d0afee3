"""The report of an evaluation: the metrics, and the questions with how they were played."""

from __future__ import annotations

from pathlib import Path

from asl_env.agents.report.page import episode, number, page, table
from asl_env.evaluation import rescore
from asl_env.evaluation.scoring import Row

_SHOWN = 40


def evaluation_page(folder: Path) -> str:
    """Returns the report of an evaluation folder as an HTML document.

    Raises:
        RecordError: If the rows cannot be read.
    """
    result = rescore(folder)
    settings = {name: str(value) for name, value in sorted(result.settings.items())}
    metrics = [
        (name, number(value.mean), f"{value.low:.3f} – {value.high:.3f}", str(value.n))
        for name, value in result.metrics.items()
    ]
    counts = [(name, str(value)) for name, value in result.counts.items()]
    columns = ("metric", "mean", "95 % interval", "questions")
    wrong = [row for row in result.rows if row.scores.get("em") != 1.0]
    right = [row for row in result.rows if row.scores.get("em") == 1.0]
    sections = [
        (
            "Metrics",
            table("Means with bootstrap intervals", columns, metrics)
            + table("Counts", ("what", "questions"), counts),
        ),
        ("Not answered right", _episodes(wrong)),
        ("Answered right", _episodes(right)),
    ]
    return page(f"Evaluation {folder.resolve().name}", settings, sections)


def _episodes(rows: list[Row]) -> str:
    return "".join(episode(_headline(row), row.trajectory) for row in rows[:_SHOWN])


def _headline(row: Row) -> str:
    said = row.trajectory.answer if row.trajectory.answer is not None else "no answer"
    return f"{row.task.question} → {said} (accepted: {', '.join(row.task.answers[:3])})"
