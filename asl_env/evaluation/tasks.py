"""Questions with their accepted answers: from files, from the hub, and MiniWiki's own sets by name.

    load_tasks("miniwiki-2hop")
    load_tasks("hotpot_dev_distractor_v1.json", limit=500)
    load_tasks("popqa")  # from the hub, or its cache

``taskfiles`` reads the file forms, ``taskfields`` knows the fields of the benchmarks, ``hub`` the
names of their files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asl_env.corpora.report import ReadReport
from asl_env.episode import Task
from asl_env.errors import InvalidTaskError, did_you_mean
from asl_env.evaluation import hub
from asl_env.evaluation.taskfields import to_task
from asl_env.evaluation.taskfiles import records


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
        source: The path of a file; ``miniwiki-1hop``, ``-2hop``, ``-3hop`` or ``-compare``; a
            benchmark of ``hub.BENCHMARKS`` (``nq``, ``hotpotqa`` ...); or a file on the hub,
            ``hf:OWNER/NAME/PATH``.
        limit: At most so many tasks, drawn with a fixed seed.

    Raises:
        InvalidTaskError: If there is no such set or file, or no usable task is in it.
        CorpusError: If the file cannot be read.
    """
    path, name = Path(source), str(source)
    if path.is_file():
        return read_tasks(path).sample(limit)
    address = hub.BENCHMARKS.get(name, name)
    if address.startswith(hub.PREFIX):
        found = read_tasks(hub.fetch(address))
        return TaskSet(name, found.tasks, found.report).sample(limit)
    return _named(name).sample(limit)


def read_tasks(path: Path) -> TaskSet:
    """Reads a file of tasks; broken lines and tasks without an answer go to the report.

    Raises:
        InvalidTaskError: If no usable task is left; the message tells the first problems.
        CorpusError: If the file cannot be opened.
    """
    report = ReadReport(unit="record")
    tasks: dict[str, Task] = {}
    for number, record in records(path, report):
        task = to_task(record, f"{path.stem}-{number}", number, report)
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
        hint = did_you_mean(name, (*evalsets.NAMES, *hub.BENCHMARKS))
        raise InvalidTaskError(f"no task set or file {name!r}{hint}")
    return TaskSet(
        name,
        tuple(
            Task(record.id, record.question, record.golden_answers, {"metadata": record.metadata})
            for record in evalsets.load(name)
        ),
    )
