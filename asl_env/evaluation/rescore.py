"""Metrics again from saved trajectories, without running an agent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from asl_env.episode import Role, Task
from asl_env.errors import RecordError
from asl_env.evaluation.folder import ROWS, read_settings, seconds_per_question
from asl_env.evaluation.records import from_record, read_objects
from asl_env.evaluation.results import EvalResult, read_rows, summarise
from asl_env.evaluation.scoring import JUDGED, Row, score
from asl_env.rewards.matching import METRIC_VERSION


def rescore(
    source: str | Path, tasks: Iterable[Task] | None = None, *, seed: int = 0
) -> EvalResult:
    """Computes the metrics of saved episodes.

    Args:
        source: The folder of an evaluation, its ``rows.jsonl``, or a file of trajectory records
            (``trajectories.jsonl`` of a training run), of which the policy's are taken.
        tasks: Where given, their answers replace the saved ones (by task id): for corrected
            answer lists. Every saved question must be among them.
        seed: Of the bootstrap.

    Raises:
        RecordError: If nothing is there, a line cannot be read, or a question is not in ``tasks``.
    """
    path = Path(source)
    rows = _rows(path / ROWS if path.is_dir() else path)
    if tasks is not None:
        rows = _with_answers(rows, {task.id: task for task in tasks}, path)
    if not rows:
        raise RecordError(f"{path}: no episode of the policy seat to score")
    folder = path if path.is_dir() else path.parent
    settings = read_settings(folder) | {"metric_version": METRIC_VERSION}
    seconds = seconds_per_question(folder)
    return summarise(rows, settings, seed=seed, seconds=seconds)


def _rows(path: Path) -> list[Row]:
    first = next(read_objects(path), None)
    if first is None:
        raise RecordError(f"{path}: is empty")
    return read_rows(path) if "trajectory" in first[1] else _plain(path)


def _plain(path: Path) -> list[Row]:
    rows: list[Row] = []
    for where, record in read_objects(path):
        if record.get("role") == Role.POLICY.value:
            played = from_record(record, where).trajectory
            if isinstance(played.assignment, Task):
                rows.append(score(played.assignment, played, None, judged=False))
    return rows


def _with_answers(rows: Iterable[Row], tasks: dict[str, Task], path: Path) -> list[Row]:
    scored: list[Row] = []
    for row in rows:
        task = tasks.get(row.task.id)
        if task is None:
            raise RecordError(f"{path}: question {row.task.id!r} is not in the given tasks")
        scored.append(score(task, row.trajectory, row.judgement, JUDGED in row.scores))
    return scored
