"""The nouns of an episode: roles, assignments, chats, turns, trajectories, reward parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, NamedTuple, TypedDict, cast

from asl_env.errors import InvalidTaskError
from asl_env.text import normalize

#: Version of the trajectory record; raised when a field changes meaning.
SCHEMA_VERSION = 1


class Role(str, Enum):
    """The three seats of agentic self-learning."""

    GENERATOR = "generator"
    POLICY = "policy"
    GRM = "grm"

    def __str__(self) -> str:
        return self.value


class Message(TypedDict):
    """One chat message in the OpenAI form."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


@dataclass(frozen=True)
class Task:
    """A question with its accepted answers: what the policy seat plays.

    Attributes:
        id: Unique name, stable over runs.
        question: What is asked.
        answers: Accepted answers (aliases); at least one, each of which normalises to something.
        provenance: Where it came from (seed topic, parent task, round, dataset, hops ...).

    Raises:
        InvalidTaskError: If the question is blank, or no answer is left after normalisation.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise InvalidTaskError(f"task {self.id!r}: field 'question' is empty; give it a text")
        if isinstance(cast(object, self.answers), str):  # would be taken apart into its letters
            raise InvalidTaskError(
                f"task {self.id!r}: field 'answers' is a string; write ({self.answers!r},)"
            )
        if not self.answers:
            raise InvalidTaskError(f"task {self.id!r}: field 'answers' is empty; give at least one")
        for answer in self.answers:
            if not normalize(answer):
                raise InvalidTaskError(
                    f"task {self.id!r}: answer {answer!r} normalises to nothing; reword it"
                )


@dataclass(frozen=True)
class Request:
    """What the generator seat is asked for.

    Attributes:
        id: Unique name.
        kind: ``seed`` (about a topic), or ``harder`` / ``easier`` than a source question.
        topic: The topic of a seed request, or the title around which the source was written.
        style: ``width`` (needs other knowledge) or ``depth`` (one hop more or less).
        source_question: The question to vary; empty for a seed.
        source_answer: Its answer; empty for a seed.
        provenance: Lineage (round, parent task id, accuracy ...).
    """

    id: str
    kind: Literal["seed", "harder", "easier"]
    topic: str
    style: Literal["width", "depth"] = "width"
    source_question: str = ""
    source_answer: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A question with a proposed answer: what the GRM seat judges.

    Attributes:
        id: Unique name.
        question: The question.
        answer: The answer to be judged.
        label: The verdict to agree with, or ``None`` where nobody knows it (plain judging).
        provenance: Where question, answer and label came from.
    """

    id: str
    question: str
    answer: str
    label: Literal["correct", "wrong"] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


Assignment = Task | Request | Claim


class Chat(NamedTuple):
    """One running conversation, as an agent sees it.

    Attributes:
        role: The seat the agent plays in it.
        messages: The whole chat so far; the last message is never an assistant's.
        seed: Fixed per episode. An agent that samples draws from
            ``numpy.random.default_rng([seed, number of assistant turns so far])``, so that a
            rollout does not depend on batching, and a resumed run repeats it exactly.
    """

    role: Role
    messages: Sequence[Message]
    seed: int = 0

    @property
    def turn(self) -> int:
        """Number of assistant turns so far."""
        return sum(1 for message in self.messages if message["role"] == "assistant")


class Turn(NamedTuple):
    """What an agent says: the text, and for language models the sampled tokens."""

    text: str
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None


class ToolCall(NamedTuple):
    """One parsed call of the search tool: one or more queries whose results are merged.

    ``error`` is a message for the model when the call was malformed; then ``queries`` is empty.
    """

    queries: tuple[str, ...]
    top_k: int | None = None
    error: str | None = None


class Action(NamedTuple):
    """A parsed assistant turn.

    Attributes:
        kind: ``search`` (run ``calls``), ``final`` (an answer, the episode ends) or ``none``
            (neither a call nor an answer: the episode ends without an answer).
        calls: Tool calls, for ``search``.
        answer: Content of the last answer tag, for ``final``; ``None`` if empty or missing.
        question: Content of the last question tag (generator); ``None`` if missing.
    """

    kind: Literal["search", "final", "none"]
    calls: tuple[ToolCall, ...] = ()
    answer: str | None = None
    question: str | None = None


@dataclass(frozen=True)
class RewardParts:
    """A reward with its named parts, never just a float.

    Attributes:
        total: The scalar the learner sees. Finite.
        parts: Named components (``em``, ``format``, ``entropy``, ``verification`` ...).
        invalid: Why this episode must be left out of training and averages, or ``None``.
        extras: What the reward model found on its way (solves, verdicts); JSON-serialisable.
    """

    total: float
    parts: Mapping[str, float] = field(default_factory=dict)
    invalid: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trajectory:
    """A finished episode.

    Attributes:
        role: The seat.
        assignment: What was played.
        messages: The whole chat, prompts included.
        turns: The agent's turns, in order.
        answer: Final answer, or ``None`` if none was given.
        question: Final question (generator only).
        tool_calls: Number of tool calls that were really carried out.
        think_share: Share of assistant turns that start with a closed think block.
        truncated: Ended by a limit or a failure, not by the agent.
        invalid: Reason to leave it out (tool or model failure), or ``None``.
        seed: The chat's seed.
    """

    role: Role
    assignment: Assignment
    messages: tuple[Message, ...]
    turns: tuple[Turn, ...]
    answer: str | None
    question: str | None = None
    tool_calls: int = 0
    think_share: float = 0.0
    truncated: bool = False
    invalid: str | None = None
    seed: int = 0
