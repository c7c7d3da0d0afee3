"""What an evaluation found: one row per question, and means with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asl_env.episode import SCHEMA_VERSION, Task
from asl_env.errors import RecordError
from asl_env.evaluation.records import from_record, read_objects
from asl_env.evaluation.scoring import JUDGED, SCORES, Row, score
from asl_env.evaluation.statistics import Difference, Estimate, bootstrap_mean, paired_difference
from asl_env.protocols import Dialect

#: What an answer costs, in the order of reports; see ``Row.costs``.
COSTS = ("turns", "searches", "tokens")


@dataclass(frozen=True)
class EvalResult:
    """The outcome of an evaluation.

    Attributes:
        rows: One per question, in order.
        metrics: Means over the valid questions with bootstrap 95 % intervals.
        counts: ``tasks``, ``scored``, ``invalid``, ``truncated``, ``unanswered``, ``unjudged``.
        settings: What was evaluated and how.
        costs: Means per valid question with intervals: ``turns``, ``searches``, and ``tokens``
            sampled where the agent says its tokens.
        seconds: Wall time per question, batches shared out evenly; ``None`` if unknown. It is no
            part of what was found: results that differ in it are equal.
    """

    rows: tuple[Row, ...]
    metrics: Mapping[str, Estimate]
    counts: Mapping[str, int]
    settings: Mapping[str, Any] = field(default_factory=dict)
    costs: Mapping[str, Estimate] = field(default_factory=dict)
    seconds: float | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Returns settings, counts, metrics and costs, without the rows and without the time."""
        return {
            "schema": SCHEMA_VERSION,
            "settings": dict(self.settings),
            "counts": dict(self.counts),
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
            "costs": {name: estimate.to_json() for name, estimate in self.costs.items()},
        }


def summarise(
    rows: Iterable[Row],
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    seconds: float | None = None,
    keep: bool = True,
) -> EvalResult:
    """Computes means and intervals over the rows; invalid episodes are counted and left out.

    Args:
        rows: One per question; gone through once.
        settings: What was evaluated and how.
        seed: Of the bootstrap.
        seconds: Wall time per question.
        keep: Whether the result holds the rows; without them memory holds numbers only.
    """
    kept: list[Row] = []
    scores: list[Mapping[str, float]] = []
    costs: list[Mapping[str, float]] = []
    counts = dict.fromkeys(("tasks", "scored", "invalid", "truncated", "unanswered"), 0)
    for row in rows:
        kept += [row] if keep else []
        counts["tasks"] += 1
        if not row.scores:
            continue
        scores.append(row.scores)
        costs.append(row.costs)
        counts["truncated"] += row.trajectory.truncated
        counts["unanswered"] += row.trajectory.answer is None
    counts |= {"scored": len(scores), "invalid": counts["tasks"] - len(scores)}
    metrics = _means(scores, SCORES, seed)
    unjudged = sum(JUDGED not in one for one in scores) if JUDGED in metrics else 0
    return EvalResult(
        tuple(kept),
        metrics,
        {**counts, "unjudged": unjudged},
        dict(settings or {}),
        _means(costs, COSTS, seed),
        seconds,
    )


def _means(
    found: Sequence[Mapping[str, float]], names: Sequence[str], seed: int
) -> dict[str, Estimate]:
    """The mean of each name over the questions that have it."""
    means: dict[str, Estimate] = {}
    for name in names:
        values = [one[name] for one in found if name in one]
        if values:
            means[name] = bootstrap_mean(values, seed=seed)
    return means


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


def read_rows(path: Path, dialect: Dialect | None = None) -> list[Row]:
    """Reads the rows that ``evaluate`` wrote and scores them again; see ``iter_rows``."""
    return list(iter_rows(path, dialect))


def iter_rows(path: Path, dialect: Dialect | None = None) -> Iterator[Row]:
    """Yields the rows that ``evaluate`` wrote, scored again, one at a time.

    Args:
        path: The file.
        dialect: Of the episodes; by default whichever built-in one fits.

    Raises:
        RecordError: If the file or a line cannot be read.
    """
    for where, record in read_objects(path):
        if not isinstance(record.get("trajectory"), dict):
            raise RecordError(f"{where}: field 'trajectory' is missing; not a file of results")
        played = from_record(record["trajectory"], where).trajectory
        asked = record.get("judgement")
        judgement = None if asked is None else from_record(asked, where).trajectory
        if not isinstance(played.assignment, Task):
            raise RecordError(f"{where}: the trajectory is of the {played.role} seat, not policy")
        judged = JUDGED in record.get("scores", {})
        yield score(played.assignment, played, judgement, judged, dialect)
