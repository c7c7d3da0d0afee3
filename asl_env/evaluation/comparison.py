"""Two evaluations of the same questions, compared question by question on their saved scores.

    found = compare_saved(read_saved("runs/a"), read_saved("runs/b"))
    found.metrics["em"].difference, found.metrics["em"].wins

Only like is compared with like: other questions, or scores of other versions of the metrics, are
refused. ``results.compare`` is the lenient form, over the questions that two results share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asl_env.errors import RecordError, RunError
from asl_env.evaluation.folder import ROWS, read_settings
from asl_env.evaluation.records import read_objects
from asl_env.evaluation.results import EvalResult
from asl_env.evaluation.scoring import JUDGED, SCORES
from asl_env.evaluation.statistics import Difference, paired_difference

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Saved:
    """The scores of one evaluation.

    Attributes:
        name: For messages: usually the path of its folder.
        settings: What was evaluated and how.
        questions: Question and accepted answers by id.
        scores: Scores by id; empty for an invalid episode.
    """

    name: str
    settings: Mapping[str, Any]
    questions: Mapping[str, tuple[str, tuple[str, ...]]]
    scores: Mapping[str, Scores]


@dataclass(frozen=True)
class Paired:
    """One metric of two evaluations.

    Attributes:
        first: Mean of the first over the questions where both have the metric.
        second: Mean of the second over the same.
        difference: Second minus first, with its 95 % interval and p-value.
        wins: Questions where the second scored more.
        losses: Questions where it scored less.
        ties: The others.
    """

    first: float
    second: float
    difference: Difference
    wins: int
    losses: int
    ties: int

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return {**vars(self), "difference": self.difference.to_json()}


@dataclass(frozen=True)
class Comparison:
    """What two evaluations of the same questions say about each other.

    Attributes:
        questions: Number of questions in each.
        left_out: Questions that are invalid in one of them.
        metrics: By name; those that both have.
        remarks: Differences in the settings that a reader should know of.
    """

    questions: int
    left_out: int
    metrics: Mapping[str, Paired]
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        metrics = {name: paired.to_json() for name, paired in self.metrics.items()}
        return {**vars(self), "metrics": metrics, "remarks": list(self.remarks)}


def read_saved(source: str | Path) -> Saved:
    """Reads the scores that an evaluation wrote, as they were written.

    Args:
        source: Its folder, or its ``rows.jsonl``.

    Raises:
        RecordError: If it cannot be read; the message names file and line.
    """
    path = Path(source)
    rows = path / ROWS if path.is_dir() else path
    questions: dict[str, tuple[str, tuple[str, ...]]] = {}
    scores: dict[str, Scores] = {}
    for where, record in read_objects(rows):
        name, question, answers = (record.get(key) for key in ("id", "question", "answers"))
        if not (isinstance(name, str) and isinstance(question, str) and isinstance(answers, list)):
            raise RecordError(f"{where}: not a row of an evaluation; give what `asl eval` wrote")
        if name in questions:
            raise RecordError(f"{where}: question {name!r} is there twice; delete one line")
        questions[name] = (question, tuple(map(str, answers)))
        scores[name] = _scores(record.get("scores"), where)
    if not questions:
        raise RecordError(f"{rows}: is empty")
    return Saved(str(source), read_settings(rows.parent), questions, scores)


def saved_of(result: EvalResult, name: str) -> Saved:
    """Returns the scores of a result, for example of ``rescore``."""
    return Saved(
        name,
        result.settings,
        {row.task.id: (row.task.question, row.task.answers) for row in result.rows},
        {row.task.id: row.scores for row in result.rows},
    )


def compare_saved(first: Saved, second: Saved, *, seed: int = 0) -> Comparison:
    """Compares two evaluations of the same questions.

    Args:
        first: The one to compare with.
        second: Its differences from the first are reported.
        seed: Of the bootstrap, and of the permutation test where that is not exact.

    Raises:
        RunError: If questions, accepted answers or metric versions differ, or no question is
            valid in both.
    """
    _refuse_other_questions(first, second)
    _refuse_other_metrics(first, second)
    both = [name for name in first.questions if first.scores[name] and second.scores[name]]
    if not both:
        raise RunError(f"{first.name} and {second.name}: no question is valid in both")
    remarks, names = _remarks(first, second), list(SCORES)
    if first.settings.get("judge") != second.settings.get("judge"):
        names.remove(JUDGED)
    metrics: dict[str, Paired] = {}
    for name in names:
        pairs = [
            (first.scores[at][name], second.scores[at][name])
            for at in both
            if name in first.scores[at] and name in second.scores[at]
        ]
        if pairs:
            metrics[name] = _paired(np.array(pairs, dtype=np.float64), seed)
    total = len(first.questions)
    return Comparison(total, total - len(both), metrics, remarks)


def _paired(pairs: np.ndarray[Any, np.dtype[np.float64]], seed: int) -> Paired:
    old, new = pairs[:, 0], pairs[:, 1]
    wins, losses = int(np.count_nonzero(new > old)), int(np.count_nonzero(new < old))
    return Paired(
        float(old.mean()),
        float(new.mean()),
        paired_difference(old, new, seed=seed),
        wins,
        losses,
        len(pairs) - wins - losses,
    )


def _refuse_other_questions(first: Saved, second: Saved) -> None:
    missing = [name for name in first.questions if name not in second.questions]
    extra = [name for name in second.questions if name not in first.questions]
    if missing or extra:
        parts = [f"{len(missing)} only in the first (such as {missing[0]!r})"] if missing else []
        parts += [f"{len(extra)} only in the second (such as {extra[0]!r})"] if extra else []
        raise RunError(
            f"{first.name} and {second.name} are about different questions: "
            f"{', '.join(parts)}; evaluate both with the same --tasks and --limit"
        )
    for name, asked in first.questions.items():
        if asked != second.questions[name]:
            raise RunError(
                f"{first.name} and {second.name} ask or accept different things under the id "
                f"{name!r}; evaluate both with the same --tasks"
            )


def _refuse_other_metrics(first: Saved, second: Saved) -> None:
    old, new = (one.settings.get("metric_version") for one in (first, second))
    if old != new:
        raise RunError(
            f"{first.name} has scores of metric version {old}, {second.name} of {new}; "
            "compare with --rescore, which computes both again"
        )


def _remarks(first: Saved, second: Saved) -> tuple[str, ...]:
    """Settings other than the agent in which the two differ: part of the difference is theirs."""
    told = []
    for name in sorted({*first.settings, *second.settings} - {"agent", "schema"}):
        old, new = first.settings.get(name), second.settings.get(name)
        if old != new:
            told.append(f"{name}: {old!r} and {new!r}")
    return tuple(told)


def _scores(value: Any, where: str) -> Scores:
    if isinstance(value, dict) and all(
        isinstance(number, int | float) and np.isfinite(number) for number in value.values()
    ):
        return {name: float(number) for name, number in value.items()}
    raise RecordError(f"{where}: field 'scores' is not an object of numbers; evaluate again")
