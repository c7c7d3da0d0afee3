"""The real question sets, and which of their questions can be asked over some passages.

A question can be asked if all its gold titles are titles of passages, or if one of its accepted
answers stands in some passage, word by word. The second is weaker, and all there is for sets that
name no gold titles: the passage may be about something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asl_env.corpora.passages import Passage
from asl_env.episode import Task
from asl_env.evaluation.taskfields import gold_titles
from asl_env.evaluation.tasks import TaskSet, load_tasks
from asl_env.text import normalize

PASSAGES = "passages.jsonl"
#: File of each set; a file of several sets becomes one set per source.
FILES = {
    "hotpotqa-dev": "hotpotqa-dev.jsonl",
    "musique-train": "musique-train.jsonl",
    "nq-open-dev": "nq-open-dev.jsonl",
    "bamboogle": "bamboogle.jsonl",
    "7bench": "search-qa-7bench.parquet",
}


class Evidence:
    """What some passages hold.

    Args:
        passages: All of them; gone through once.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        texts, self._titles = [], set[str]()
        for passage in passages:
            self._titles.add(_key(passage.title))
            texts.append(normalize(f"{passage.title} {passage.text}"))
        self.count = len(texts)
        # The bar keeps an answer from beginning in one passage and ending in the next.
        self._text = f" {' | '.join(texts)} "
        self._words = set(self._text.split())

    def has_titles(self, task: Task) -> bool:
        """Whether the task names gold titles, and all are there."""
        titles = gold_titles(task)
        return bool(titles) and all(_key(title) in self._titles for title in titles)

    def has_answer(self, task: Task) -> bool:
        """Whether an accepted answer stands in some passage."""
        return any(map(self._stands, task.answers))

    def _stands(self, answer: str) -> bool:
        said = normalize(answer)
        return bool(said) and self._words.issuperset(said.split()) and f" {said} " in self._text


@dataclass(frozen=True)
class Asked:
    """A set of questions, as it is asked.

    Attributes:
        name: Of the set.
        total: Usable questions of the set.
        evidence: Those whose gold titles are all among the passages.
        answers: Those of which an accepted answer stands in some passage.
        titled: Whether the set names gold titles.
        tasks: What is asked.
    """

    name: str
    total: int
    evidence: int
    answers: int
    titled: bool
    tasks: tuple[Task, ...]


def load_sets(folder: Path, names: Sequence[str]) -> Iterator[TaskSet]:
    """Yields the sets of a folder by name; ``7bench`` as one set per source."""
    for name in names:
        found = load_tasks(folder / FILES[name])
        sources = [task.provenance.get("data_source") for task in found]
        if None in sources:
            yield TaskSet(name, found.tasks, found.report)
            continue
        for source in dict.fromkeys(sources):
            pairs = zip(found, sources, strict=True)
            some = tuple(task for task, its in pairs if its == source)
            yield TaskSet(f"{name}-{str(source).lower()}", some, found.report)


def ask(found: TaskSet, evidence: Evidence, limit: int | None) -> Asked:
    """Chooses what can be asked; ``limit`` draws from it with a fixed seed."""
    titled = any(gold_titles(task) for task in found)
    with_titles = [evidence.has_titles(task) for task in found]
    with_answer = [evidence.has_answer(task) for task in found]
    usable = map(max, with_titles, with_answer)
    tasks = tuple(task for task, good in zip(found, usable, strict=True) if good)
    drawn = TaskSet(found.name, tasks).sample(limit).tasks
    return Asked(found.name, len(found), sum(with_titles), sum(with_answer), titled, drawn)


def _key(title: str) -> str:
    return "".join(title.casefold().split())
