"""What the environments play when nothing else is said: MiniWiki's topics and training questions.

The held-out evaluation sets are never drawn from.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from asl_env.episode import Claim, Request, Task
from asl_env.text import normalize

if TYPE_CHECKING:
    import numpy as np

    from asl_env.protocols import Agent, Dialect


@cache
def training_tasks() -> tuple[Task, ...]:
    """Returns the embedded training tasks, the same in every process."""
    from asl_env.corpora.miniwiki import trainset

    return tuple(
        Task(
            row["id"],
            row["question"],
            tuple(answer for answer in row["golden_answers"] if normalize(answer)),
            {
                "source": "miniwiki-train",
                "hops": row["metadata"]["hops"],
                "chain": row["metadata"]["chain"],
            },
        )
        for row in trainset.load()
    )


def draw_task(rng: np.random.Generator) -> Task:
    """Draws a training task."""
    tasks = training_tasks()
    return tasks[int(rng.random() * len(tasks))]


def draw_request(rng: np.random.Generator) -> Request:
    """Draws a request for a question about one of MiniWiki's topics."""
    from asl_env.corpora.miniwiki import world

    topics = world.load().topics
    index = int(rng.random() * len(topics))
    return Request(f"miniwiki-topic-{index:03}", "seed", topics[index])


def draw_claim(rng: np.random.Generator) -> Claim:
    """Draws a training task with its right answer or, as often, with another task's answer.

    A wrong answer comes, where there is one, from a question that asks for the same kind of thing.
    """
    task = draw_task(rng)
    if rng.random() < 0.5:
        return Claim(f"{task.id}-right", task.question, task.answers[0], "correct", task.provenance)
    accepted = {normalize(answer) for answer in task.answers}
    alike = [other for other in _alike()[_kind(task)] if accepted.isdisjoint(_normal(other))]
    source = alike or [o for o in training_tasks() if accepted.isdisjoint(_normal(o))]
    wrong = source[int(rng.random() * len(source))].answers[0]
    return Claim(f"{task.id}-wrong", task.question, wrong, "wrong", task.provenance)


def _kind(task: Task) -> tuple[str, ...]:
    """What is asked for: the last relation, and the words the question opens with."""
    return (task.provenance["chain"][-1], *task.question.split()[:2])


@cache
def _alike() -> dict[tuple[str, ...], list[Task]]:
    """The training tasks that ask for the same kind of thing."""
    groups: dict[tuple[str, ...], list[Task]] = {}
    for task in training_tasks():
        groups.setdefault(_kind(task), []).append(task)
    return groups


def _normal(task: Task) -> list[str]:
    return [normalize(answer) for answer in task.answers]


def lexical_agent(dialect: str | Dialect) -> Agent:
    """Returns the default partner; it plays every seat without learning or a model."""
    from asl_env.lexical import LexicalAgent

    return LexicalAgent(dialect)
