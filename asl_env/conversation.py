"""One episode as a pure state machine: turns go in, tool calls come out, nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env import prompts
from asl_env.episode import (
    Assignment,
    Chat,
    Message,
    ToolCall,
    Trajectory,
    Turn,
)
from asl_env.protocols import Dialect, ToolResult

#: Assistant turns per episode, as in the paper's runs.
DEFAULT_MAX_TURNS = 9
#: Characters of the longest turn that is read (about 8,000 tokens of English).
MAX_TURN_CHARS = 32_768
#: Tool calls of one turn that are carried out; one error message stands for the others.
MAX_CALLS = 16

_NO_CALLS: tuple[ToolCall, ...] = ()


class Conversation:
    """Plays one assignment; the caller runs the tool and brings the turns.

    ``submit`` takes a turn and returns the tool calls to run; ``deliver`` takes their results.
    Each turn has one documented outcome:

    * an answer: the episode ends (tool calls in the same turn are not run);
    * tool calls: they are to be run, at most ``MAX_CALLS``; a malformed one, and those beyond
      the limit, become an error message for the agent;
    * neither: the episode ends without an answer;
    * tool calls in turn ``max_turns``: they are not run, the episode is truncated;
    * more than ``MAX_TURN_CHARS`` characters: nothing in it is read, the episode is truncated, and
      the text that is kept is cut to that length.

    Args:
        assignment: What is played.
        dialect: How turns and results are written.
        max_turns: Assistant turns at most, at least 1.
        seed: Seed of the chat, for agents that sample.

    Attributes:
        role: The seat.
        messages: The whole chat so far (OpenAI form). Read it, do not change it.
        done: Whether the episode is over.
        truncated: Whether a limit or a failure ended it.
        invalid: Why the episode must be left out, or ``None``.
    """

    __slots__ = (
        "_answer",
        "_max_turns",
        "_question",
        "_tool_calls",
        "_trajectory",
        "_turns",
        "assignment",
        "dialect",
        "done",
        "invalid",
        "messages",
        "role",
        "seed",
        "truncated",
    )

    def __init__(
        self,
        assignment: Assignment,
        dialect: Dialect,
        max_turns: int = DEFAULT_MAX_TURNS,
        seed: int = 0,
    ) -> None:
        self.assignment = assignment
        self.dialect = dialect
        self.role = prompts.role_of(assignment)
        self.messages: list[Message] = prompts.opening(assignment, dialect)
        self.seed = seed
        self.done = False
        self.truncated = False
        self.invalid: str | None = None
        self._max_turns = max_turns
        self._turns: list[Turn] = []
        self._tool_calls = 0
        self._answer: str | None = None
        self._question: str | None = None
        self._trajectory: Trajectory | None = None

    def submit(self, turn: Turn) -> Sequence[ToolCall]:
        """Takes the agent's next turn.

        Args:
            turn: Whatever the agent said; no text raises.

        Returns:
            The tool calls whose results ``deliver`` expects; empty exactly when the episode is
            over.
        """
        text = turn.text
        if len(text) > MAX_TURN_CHARS:
            return self._end_overlong(turn)
        self._turns.append(turn)
        self.messages.append({"role": "assistant", "content": text})
        action = self.dialect.parse(text, self.role)
        if action.kind == "search" and action.calls:
            if len(self._turns) >= self._max_turns:
                self.done = self.truncated = True
                return _NO_CALLS
            calls = action.calls
            return calls if len(calls) <= MAX_CALLS else _bounded(calls)
        self.done = True
        self._answer = action.answer
        self._question = action.question
        return _NO_CALLS

    def deliver(self, results: Sequence[ToolResult]) -> str:
        """Takes the results of the calls that ``submit`` returned, in order.

        Returns:
            The text the agent reads next: the newest message, or several joined by newlines.
        """
        self._tool_calls += sum([result.error is None for result in results])
        news = self.dialect.render_results(results)
        self.messages.extend(news)
        if len(news) == 1:
            return news[0]["content"]
        return "\n".join([message["content"] for message in news])

    def fail(self, reason: str) -> None:
        """Ends the episode because the tool or a model failed; it is no reward and no zero."""
        self.done = self.truncated = True
        self.invalid = reason

    def chat(self) -> Chat:
        """Returns the conversation as an agent sees it; later turns do not change it."""
        return Chat(self.role, self.messages.copy(), self.seed)

    def trajectory(self) -> Trajectory:
        """Returns the record of the episode (the same object each time once it is over)."""
        if self._trajectory is not None:
            return self._trajectory
        turns = self._turns
        starts = self.dialect.starts_with_think
        thinking = sum([starts(turn.text) for turn in turns])
        record = Trajectory(  # by position: half the time of keywords, and this is a hot path
            self.role,
            self.assignment,
            tuple(self.messages),
            tuple(turns),
            self._answer,
            self._question,
            self._tool_calls,
            thinking / len(turns) if turns else 0.0,
            self.truncated,
            self.invalid,
            self.seed,
        )
        if self.done:
            self._trajectory = record
        return record

    def _end_overlong(self, turn: Turn) -> Sequence[ToolCall]:
        text = turn.text[:MAX_TURN_CHARS]
        self._turns.append(turn._replace(text=text))
        self.messages.append({"role": "assistant", "content": text})
        self.done = self.truncated = True
        return _NO_CALLS


def _bounded(calls: Sequence[ToolCall]) -> Sequence[ToolCall]:
    error = f"Only the first {MAX_CALLS} of the {len(calls)} tool calls of this turn were run."
    return (*calls[:MAX_CALLS], ToolCall((), None, error))
