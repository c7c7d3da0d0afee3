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

#: The training tasks are made in blocks when first drawn from, so that the first reset is quick.
BLOCKS = 32
BLOCK_SIZE = 64

_SEED = 20_251


@cache
def training_block(number: int) -> tuple[Task, ...]:
    """Returns one block of training tasks, the same in every process.

    Args:
        number: From 0 to ``BLOCKS - 1``; even blocks take one look-up, odd ones two.

    Returns:
        ``BLOCK_SIZE`` tasks.
    """
    import numpy as np

    from asl_env.corpora.miniwiki.questions import training_tasks

    rng = np.random.default_rng([_SEED, number])
    records = training_tasks(rng, BLOCK_SIZE, hops=1 + number % 2)
    return tuple(
        Task(
            f"miniwiki-train-{number:02}-{index:02}",
            record.question,
            tuple(answer for answer in record.golden_answers if normalize(answer)),
            {
                "source": "miniwiki-train",
                "hops": record.metadata["hops"],
                "chain": list(record.metadata["chain"]),
            },
        )
        for index, record in enumerate(records)
    )


def draw_task(rng: np.random.Generator) -> Task:
    """Draws a training task."""
    block = training_block(int(rng.integers(BLOCKS)))
    return block[int(rng.integers(BLOCK_SIZE))]


def draw_request(rng: np.random.Generator) -> Request:
    """Draws a request for a question about one of MiniWiki's topics."""
    from asl_env.corpora.miniwiki import world

    topics = world.load().topics
    index = int(rng.integers(len(topics)))
    return Request(f"miniwiki-topic-{index:03}", "seed", topics[index])


def draw_claim(rng: np.random.Generator) -> Claim:
    """Draws a training task with its right answer or, as often, with another task's answer.

    A wrong answer comes, where there is one, from a question that asks for the same kind of thing.
    """
    block = training_block(int(rng.integers(BLOCKS)))
    task = block[int(rng.integers(BLOCK_SIZE))]
    if rng.integers(2):
        return Claim(f"{task.id}-right", task.question, task.answers[0], "correct", task.provenance)
    accepted = {normalize(answer) for answer in task.answers}
    others = [other for other in block if accepted.isdisjoint(map(normalize, other.answers))]
    source = [other for other in others if _kind(other) == _kind(task)] or others
    wrong = source[int(rng.integers(len(source)))].answers[0]
    return Claim(f"{task.id}-wrong", task.question, wrong, "wrong", task.provenance)


def _kind(task: Task) -> tuple[str, ...]:
    """What is asked for: the last relation, and the words the question opens with."""
    return (task.provenance["chain"][-1], *task.question.split()[:2])


def lexical_agent(dialect: str | Dialect) -> Agent:
    """Returns the default partner; it plays every seat without learning or a model."""
    from asl_env.lexical import LexicalAgent

    return LexicalAgent(dialect)
