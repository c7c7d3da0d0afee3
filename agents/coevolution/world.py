"""What a run is about: search tool, seed topics, held-out questions, maybe an oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from asl_env.episode import Task
from asl_env.errors import RecipeError, did_you_mean
from asl_env.play import Tool
from asl_env.rewards.matching import em


class Reply(Protocol):
    """What the oracle knows about a question."""

    @property
    def status(self) -> str:
        """``answered``, ``unanswerable`` or ``outside`` (the language of the oracle)."""
        ...

    @property
    def unique(self) -> bool:
        """Whether there is exactly one right answer."""
        ...

    def accepts(self, text: str) -> bool:
        """Whether an answer is right."""
        ...


class Oracle(Protocol):
    """Knows every right answer of a corpus."""

    def ask(self, question: str) -> Reply:
        """Looks a question up."""
        ...


@dataclass(frozen=True)
class World:
    """The corpus of a run, as the loop needs it.

    Attributes:
        name: What the user called it.
        tool: The search tool, shared by all seats.
        topics: Seed topics of the generator.
        held_out: Evaluation sets by name; never trained on.
        task_sets: Labelled task sets that recipes may train on, by name.
        contaminated: How many questions were left out of them because they are held out, by name;
            sets without any are not in it.
        oracle: Knows the truth, or ``None``: then only golden answers do.
        digest: Hash of what is searched; a run resumes only on the same.
    """

    name: str
    tool: Tool
    topics: Sequence[str]
    held_out: Mapping[str, Sequence[Task]] = field(default_factory=dict)
    task_sets: Mapping[str, Sequence[Task]] = field(default_factory=dict)
    contaminated: Mapping[str, int] = field(default_factory=dict)
    oracle: Oracle | None = None
    digest: str = ""

    def labelled(self, name: str) -> Sequence[Task]:
        """A labelled task set.

        Raises:
            RecipeError: If there is none of that name.
        """
        if name not in self.task_sets:
            known = did_you_mean(name, self.task_sets)
            raise RecipeError(f"{self.name} has no task set {name!r}{known}")
        return self.task_sets[name]

    def held_out_set(self, name: str) -> Sequence[Task]:
        """An evaluation set.

        Raises:
            RecipeError: If there is none of that name.
        """
        if name not in self.held_out:
            known = did_you_mean(name, self.held_out)
            raise RecipeError(f"{self.name} has no evaluation set {name!r}{known}")
        return self.held_out[name]

    def is_right(self, task: Task, answer: str | None) -> bool:
        """Whether an answer is right: it is a golden one, or the oracle accepts it."""
        if answer is None:
            return False
        if em(answer, task.answers):
            return True
        return self.oracle is not None and self.knows(task.question, answer)

    def knows(self, question: str, answer: Any) -> bool:
        """Whether the oracle understands a question and accepts the answer."""
        if self.oracle is None:
            return False
        reply = self.oracle.ask(question)
        return reply.status == "answered" and reply.accepts(str(answer))
