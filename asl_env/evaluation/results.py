"""What an evaluation found: one row per question, and means with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asl_env.episode import SCHEMA_VERSION, Task, Trajectory
from asl_env.errors import RecordError
from asl_env.evaluation.records import from_record, read_objects, to_record
from asl_env.evaluation.statistics import Difference, Estimate, bootstrap_mean, paired_difference
from asl_env.rewards.matching import METRICS
from asl_env.rewards.verdict import parse_verdict

#: Name of the judge's metric beside those of ``asl_env.rewards.matching.METRICS``.
JUDGED = "judged"


class Row(NamedTuple):
    """One evaluated question.

    Attributes:
        task: The question with its accepted answers.
        trajectory: How the agent played it.
        judgement: How the judge played the claim; ``None`` where nobody was asked.
        scores: ``em``, ``cover-em``, ``f1`` and, with a judge, ``judged``; empty if the episode is
            invalid (a failure is not a zero), without ``judged`` if the verdict is.
    """

    task: Task
    trajectory: Trajectory
    judgement: Trajectory | None
    scores: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Returns the row as a JSON object: what it says first, the full trajectories last."""
        judgement = None if self.judgement is None else to_record(self.judgement)
        return {
            "schema": SCHEMA_VERSION,
            "id": self.task.id,
            "question": self.task.question,
            "answers": list(self.task.answers),
            "prediction": self.trajectory.answer,
            "scores": dict(self.scores),
            "invalid": self.trajectory.invalid,
            "trajectory": to_record(self.trajectory),
            "judgement": judgement,
        }


@dataclass(frozen=True)
class EvalResult:
    """The outcome of an evaluation.

    Attributes:
        rows: One per question, in order.
        metrics: Means over the valid questions with bootstrap 95 % intervals.
        counts: ``tasks``, ``scored``, ``invalid``, ``truncated``, ``unanswered``, ``unjudged``.
        settings: What was evaluated and how.
    """

    rows: tuple[Row, ...]
    metrics: Mapping[str, Estimate]
    counts: Mapping[str, int]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns settings, counts and metrics, without the rows."""
        valid = [row.trajectory for row in self.rows if row.trajectory.invalid is None]
        means = {
            "turns": float(np.mean([len(played.turns) for played in valid] or [0])),
            "searches": float(np.mean([played.tool_calls for played in valid] or [0])),
        }
        return {
            "schema": SCHEMA_VERSION,
            "settings": dict(self.settings),
            "counts": dict(self.counts),
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "means": means,
        }


def score(task: Task, played: Trajectory, judgement: Trajectory | None, judged: bool) -> Row:
    """Scores one episode.

    Args:
        task: The question; its answers count, not those in the trajectory.
        played: The policy's episode.
        judgement: The judge's episode about the answer, if it was asked.
        judged: Whether a judge takes part; without an answer its score is 0 unasked.
    """
    if played.invalid is not None:
        return Row(task, played, judgement, {})
    scores = {name: metric(played.answer, task.answers) for name, metric in METRICS.items()}
    if judgement is not None and judgement.invalid is None:
        verdict = parse_verdict(judgement.answer)
        if verdict is not None:
            scores[JUDGED] = float(verdict == "correct")
    elif judgement is None and judged and played.answer is None:
        scores[JUDGED] = 0.0
    return Row(task, played, judgement, scores)


def summarise(
    rows: Sequence[Row], settings: Mapping[str, Any] | None = None, *, seed: int = 0
) -> EvalResult:
    """Computes means and intervals over the rows; invalid episodes are counted and left out."""
    scored = [row for row in rows if row.scores]
    metrics: dict[str, Estimate] = {}
    for name in (*METRICS, JUDGED):
        values = [row.scores[name] for row in scored if name in row.scores]
        if values:
            metrics[name] = bootstrap_mean(values, seed=seed)
    judged = JUDGED in metrics
    counts = {
        "tasks": len(rows),
        "scored": len(scored),
        "invalid": len(rows) - len(scored),
        "truncated": sum(row.trajectory.truncated for row in scored),
        "unanswered": sum(row.trajectory.answer is None for row in scored),
        "unjudged": sum(JUDGED not in row.scores for row in scored) if judged else 0,
    }
    return EvalResult(tuple(rows), metrics, counts, dict(settings or {}))


def compare(first: EvalResult, second: EvalResult, *, seed: int = 0) -> dict[str, Difference]:
    """Compares two evaluations question by question (paired by task id).

    Returns:
        For each metric that both have, the mean of second minus first over the shared questions
        with its interval and p-value; metrics without a shared question are left out.
    """
    before = {row.task.id: row.scores for row in first.rows}
    differences: dict[str, Difference] = {}
    for name in first.metrics:
        pairs = [
            (before[row.task.id][name], row.scores[name])
            for row in second.rows
            if name in row.scores and name in before.get(row.task.id, {})
        ]
        if pairs:
            old, new = zip(*pairs, strict=True)
            differences[name] = paired_difference(old, new, seed=seed)
    return differences


def read_rows(path: Path) -> list[Row]:
    """Reads the rows that ``evaluate`` wrote and scores them again.

    Raises:
        RecordError: If the file or a line cannot be read.
    """
    rows: list[Row] = []
    for where, record in read_objects(path):
        if not isinstance(record.get("trajectory"), dict):
            raise RecordError(f"{where}: field 'trajectory' is missing; not a file of results")
        played = from_record(record["trajectory"], where).trajectory
        asked = record.get("judgement")
        judgement = None if asked is None else from_record(asked, where).trajectory
        if not isinstance(played.assignment, Task):
            raise RecordError(f"{where}: the trajectory is of the {played.role} seat, not policy")
        judged = JUDGED in record.get("scores", {})
        rows.append(score(played.assignment, played, judgement, judged))
    return rows
