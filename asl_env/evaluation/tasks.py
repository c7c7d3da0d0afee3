"""Reading questions with their accepted answers from files, and MiniWiki's own sets by name.

A file holds JSON lines or one JSON list (plain, gzip or bzip2). Recognised fields, in the order
in which they are tried:

* id: ``id``, ``_id``, ``idx``; without one the place in the file;
* question: ``question``, ``query``;
* answers: ``golden_answers``, ``answers``, ``answer``, each a string or a list of strings.

This covers the FlashRAG form (``{"id", "question", "golden_answers", "metadata"}``), NQ-open and
the files of HotpotQA. Everything else in a record is kept in the task's provenance.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from asl_env.corpora.report import ReadReport
from asl_env.corpora.streams import DAMAGE, lines, open_binary, peek
from asl_env.episode import Task
from asl_env.errors import InvalidTaskError, did_you_mean
from asl_env.text import normalize

ID_FIELDS = ("id", "_id", "idx")
QUESTION_FIELDS = ("question", "query")
ANSWER_FIELDS = ("golden_answers", "answers", "answer")

_MAX_LINE = 16 << 20


@dataclass(frozen=True)
class TaskSet:
    """Questions to be evaluated.

    Attributes:
        name: Name of the set, or the path of its file.
        tasks: The tasks, ids distinct.
        report: What was bad in the file and left out.
    """

    name: str
    tasks: tuple[Task, ...]
    report: ReadReport = field(default_factory=ReadReport)

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def sample(self, limit: int | None, seed: int = 0) -> TaskSet:
        """Returns at most ``limit`` tasks, drawn with a fixed seed, in the order of the set."""
        if limit is None or limit >= len(self.tasks):
            return self
        drawn = np.random.default_rng(seed).choice(len(self.tasks), size=limit, replace=False)
        return TaskSet(self.name, tuple(self.tasks[at] for at in sorted(drawn)), self.report)


def load_tasks(source: str | Path, limit: int | None = None) -> TaskSet:
    """Loads an evaluation set.

    Args:
        source: ``miniwiki-1hop``, ``-2hop``, ``-3hop`` or ``-compare``, or the path of a file.
        limit: At most so many tasks, drawn with a fixed seed.

    Raises:
        InvalidTaskError: If there is no such set or file, or no usable task is in it.
        CorpusError: If the file cannot be read.
    """
    path = Path(source)
    if path.is_file():
        return read_tasks(path).sample(limit)
    return _named(str(source)).sample(limit)


def read_tasks(path: Path) -> TaskSet:
    """Reads a file of tasks; broken lines and tasks without an answer go to the report.

    Raises:
        InvalidTaskError: If no usable task is left; the message tells the first problems.
        CorpusError: If the file cannot be opened.
    """
    report = ReadReport(unit="record")
    tasks: dict[str, Task] = {}
    for number, record in _records(path, report):
        task = _task(record, f"{path.stem}-{number}", number, report)
        if task is None:
            continue
        if task.id in tasks:
            report.add("id that was used before", number)
            continue
        tasks[task.id] = task
    report.kept = len(tasks)
    if not tasks:
        reason = "; ".join(report.lines()) or "the file is empty"
        raise InvalidTaskError(f"{path}: no usable task ({reason})")
    return TaskSet(str(path), tuple(tasks.values()), report)


def _named(name: str) -> TaskSet:
    from asl_env.corpora.miniwiki import evalsets

    if name not in evalsets.NAMES:
        hint = did_you_mean(name, evalsets.NAMES)
        raise InvalidTaskError(f"no task set or file {name!r}{hint}")
    return TaskSet(
        name,
        tuple(
            Task(record.id, record.question, record.golden_answers, {"metadata": record.metadata})
            for record in evalsets.load(name)
        ),
    )


def _records(path: Path, report: ReadReport) -> Iterator[tuple[int, dict[str, Any]]]:
    listed = peek(path, 64).lstrip().startswith(b"[")
    for number, value in _listed(path) if listed else _lined(path, report):
        if isinstance(value, dict):
            yield number, value
        else:
            report.add("not a JSON object", number)


def _listed(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with open_binary(path) as stream:
            values = json.loads(stream.read())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidTaskError(f"{path}: not a JSON list ({error})") from error
    except DAMAGE as error:
        raise InvalidTaskError(f"{path}: damaged or cut ({error})") from error
    yield from enumerate(values, start=1)


def _lined(path: Path, report: ReadReport) -> Iterator[tuple[int, Any]]:
    for number, line in lines(path, report, _MAX_LINE):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError:
            report.add("broken JSON", number)


def _task(record: Mapping[str, Any], fallback: str, number: int, report: ReadReport) -> Task | None:
    question = _first(record, QUESTION_FIELDS)
    if not isinstance(question, str) or not question.strip():
        report.add(f"no question (field {QUESTION_FIELDS[0]!r})", number)
        return None
    given = _first(record, ANSWER_FIELDS)
    answers = given if isinstance(given, list) else [given]
    texts = [str(answer) for answer in answers if isinstance(answer, str | int | float)]
    usable = tuple(dict.fromkeys(text for text in texts if normalize(text)))
    if not usable:
        what = "answers that normalise to nothing" if texts else "no answer"
        report.add(f"{what} (field {ANSWER_FIELDS[0]!r})", number)
        return None
    name = _first(record, ID_FIELDS)
    used = {*ID_FIELDS, *QUESTION_FIELDS, *ANSWER_FIELDS, "context"}
    provenance = {key: value for key, value in record.items() if key not in used}
    return Task(fallback if name is None else str(name), question.strip(), usable, provenance)


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if record.get(name) is not None:
            return record[name]
    return None
