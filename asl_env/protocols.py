"""The seams: small Protocols at which third parties plug in their own parts. All are batched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from asl_env.corpora.passages import Passage
from asl_env.episode import (
    Action,
    Chat,
    Message,
    RewardParts,
    Role,
    Task,
    ToolCall,
    Trajectory,
    Turn,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Hit(NamedTuple):
    """A passage that was found, with its score (higher is better)."""

    passage: Passage
    score: float


@runtime_checkable
class Retriever(Protocol):
    """Finds passages."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns for each query at most ``k`` hits, best first; ties by passage order.

        Raises:
            SearchUnavailableError: If the backend failed after its retries.
        """
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns text into unit-length vectors."""

    def encode(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> NDArray[np.float32]:
        """Returns an array of shape ``[len(texts), dimension]``, rows of length 1."""
        ...


class ToolResult(NamedTuple):
    """What one tool call gave: hits, or a message for the model about its malformed call."""

    call: ToolCall
    hits: Sequence[Hit]
    error: str | None = None


@runtime_checkable
class Dialect(Protocol):
    """How turns and tool results are written as text."""

    name: str
    stop: tuple[str, ...]

    def system_prompt(self, role: Role) -> str:
        """The system message of a seat: tool, formats, task."""
        ...

    def parse(self, text: str, role: Role) -> Action:
        """Parses one assistant turn. Never raises, whatever the text."""
        ...

    def starts_with_think(self, text: str) -> bool:
        """Whether a turn starts with a closed think block (format reward)."""
        ...

    def render_results(self, results: Sequence[ToolResult]) -> list[Message]:
        """The messages that carry results back; tags inside documents are neutralised."""
        ...

    def read_results(self, message: Message) -> list[Passage] | None:
        """Inverse of ``render_results`` for one message; ``None`` if it carries no results."""
        ...

    def write_search(self, query: str, think: str = "") -> str:
        """Writes an assistant turn that searches; a non-empty ``think`` opens the turn."""
        ...

    def write_final(self, answer: str, question: str | None = None, think: str = "") -> str:
        """Writes an assistant turn that ends the episode."""
        ...


@runtime_checkable
class TaskSource(Protocol):
    """Yields tasks."""

    def __iter__(self) -> Iterator[Task]: ...


@runtime_checkable
class RewardModel(Protocol):
    """Scores finished episodes, a batch at a time."""

    def score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        """Returns one ``RewardParts`` per episode, in order."""
        ...


@runtime_checkable
class Agent(Protocol):
    """Plays any seat it is given a chat of."""

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Returns one turn per chat, in order.

        Args:
            chats: Running conversations, of any mix of roles.
            greedy: Take the most likely turn instead of sampling.
        """
        ...


Metrics = Mapping[str, float]

#: Called by a learner now and then with its metrics so far; returning False ends the phase.
LearnCallback = Callable[[Mapping[str, Any]], bool]


@runtime_checkable
class Learner(Agent, Protocol):
    """An agent that can learn a seat."""

    def learn(
        self, role: Role, vector_env: Any, budget: int, callbacks: Sequence[LearnCallback] = ()
    ) -> Metrics:
        """Trains the seat for ``budget`` environment steps.

        Args:
            role: The seat that learns.
            vector_env: A vector environment of that seat (``gym.make_vec`` of its id).
            budget: Number of environment steps (assistant turns over all sub-environments).
            callbacks: Called after every update with the metrics of the update.

        Returns:
            Scalars that describe the phase.
        """
        ...

    def save(self, folder: Path) -> None:
        """Writes everything needed to go on bit for bit (weights, optimiser, random state)."""
        ...

    def load(self, folder: Path) -> None:
        """Restores what ``save`` wrote."""
        ...
