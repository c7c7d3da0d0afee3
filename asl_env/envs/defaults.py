"""What the environments play when nothing else is said: MiniWiki's topics and training tasks.

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

#: Tasks that the default environments draw from.
POOL = 2_000
#: Draws of a wrong answer before the task is shown with its right one after all.
_TRIES = 20


@cache
def training_tasks() -> tuple[Task, ...]:
    """Returns the pool of training tasks, the same in every process."""
    from asl_env.corpora.miniwiki import questions

    return tuple(
        Task(item.id, item.question, item.answers, {"source": "miniwiki", "hops": item.hops})
        for item in questions.training_questions(POOL)
    )


def draw_task(rng: np.random.Generator) -> Task:
    """Draws a training task."""
    tasks = training_tasks()
    return tasks[int(rng.integers(len(tasks)))]


def draw_request(rng: np.random.Generator) -> Request:
    """Draws a request for a question about one of MiniWiki's topics."""
    from asl_env.corpora.miniwiki import world

    topics = world.load().topics
    index = int(rng.integers(len(topics)))
    return Request(f"topic-{index}", "seed", topics[index])


def draw_claim(rng: np.random.Generator) -> Claim:
    """Draws a training task with its right answer, or as often with the answer to another one."""
    task = draw_task(rng)
    if rng.integers(2):
        accepted = {normalize(answer) for answer in task.answers}
        for _ in range(_TRIES):
            other = draw_task(rng)
            wrong = other.answers[0]
            if (
                normalize(wrong) not in accepted
                and task.provenance["kind"] == other.provenance["kind"]
            ):
                return Claim(f"{task.id}-wrong", task.question, wrong, "wrong")
    return Claim(f"{task.id}-right", task.question, task.answers[0], "correct")


def lexical_agent(dialect: str | Dialect) -> Agent:
    """Returns the default partner; it plays every seat without learning or a model."""
    from asl_env.lexical import LexicalAgent

    return LexicalAgent(dialect)
