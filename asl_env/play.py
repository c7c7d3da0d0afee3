"""Batched rollouts: many conversations advance together, one agent and one tool call per step."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Protocol

from asl_env.conversation import DEFAULT_MAX_TURNS, Conversation
from asl_env.episode import Assignment, Chat, ToolCall, Trajectory, Turn
from asl_env.errors import AgentError, SearchUnavailableError
from asl_env.protocols import Agent, Dialect, ToolResult


class Tool(Protocol):
    """Runs tool calls, a batch at a time; ``asl_env.tool.SearchTool`` is one."""

    def run(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """Returns one result per call, in order.

        Raises:
            SearchUnavailableError: If the backend failed after its retries.
        """
        ...


def play(
    agent: Agent,
    assignments: Sequence[Assignment],
    *,
    tool: Tool,
    dialect: str | Dialect = "asl",
    seeds: Sequence[int] | None = None,
    greedy: bool = False,
    max_turns: int = DEFAULT_MAX_TURNS,
    timeout: float | None = None,
) -> list[Trajectory]:
    """Plays every assignment to its end.

    Each step asks the agent once, for all conversations that still run, and the tool once, for
    all calls of the step. When the tool fails, the conversations that waited for it end truncated
    and invalid; the others go on.

    Args:
        agent: Plays all of them; their seats may be mixed.
        assignments: Tasks, requests and claims.
        tool: Carries out the tool calls.
        dialect: Name or object.
        seeds: One seed per assignment; ``0, 1, 2, ...`` by default.
        greedy: Passed to the agent.
        max_turns: Assistant turns per conversation at most.
        timeout: Seconds that one ``agent.act`` may take; by default no limit.

    Returns:
        One trajectory per assignment, in order.

    Raises:
        AgentError: If the agent raised, hung, or returned something other than one turn per chat.
    """
    from asl_env.dialects import make_dialect

    grammar = make_dialect(dialect)
    if seeds is None:
        seeds = range(len(assignments))
    conversations = [
        Conversation(assignment, grammar, max_turns, seed)
        for assignment, seed in zip(assignments, seeds, strict=True)
    ]
    running = conversations
    while running:
        chats = [conversation.chat() for conversation in running]
        turns = ask(agent, chats, greedy=greedy, timeout=timeout)
        advance(running, turns, tool)
        running = [conversation for conversation in running if not conversation.done]
    return [conversation.trajectory() for conversation in conversations]


def advance(
    conversations: Sequence[Conversation], turns: Sequence[Turn], tool: Tool
) -> tuple[list[str], float]:
    """Takes one turn in each of several running conversations with one tool call for all.

    Args:
        conversations: Running conversations.
        turns: One turn each.
        tool: Carries out the calls of all of them at once.

    Returns:
        For each conversation what the agent reads next, empty where the episode is over; and the
        seconds spent in the tool.
    """
    news = [""] * len(conversations)
    waiting: list[tuple[int, int]] = []
    pending: list[ToolCall] = []
    for index, (conversation, turn) in enumerate(zip(conversations, turns, strict=True)):
        calls = conversation.submit(turn)
        if calls:
            waiting.append((index, len(calls)))
            pending.extend(calls)
    if not pending:
        return news, 0.0
    started = perf_counter()
    try:
        results = tool.run(pending)
    except SearchUnavailableError as error:
        for index, _ in waiting:
            conversations[index].fail(f"search: {one_line(error)}")
        return news, perf_counter() - started
    seconds = perf_counter() - started
    start = 0
    for index, count in waiting:
        news[index] = conversations[index].deliver(results[start : start + count])
        start += count
    return news, seconds


def ask(
    agent: Agent, chats: Sequence[Chat], *, greedy: bool = False, timeout: float | None = None
) -> list[Turn]:
    """Asks an agent for one turn per chat and checks what it returns.

    Args:
        agent: Whose turn it is. Plain strings in place of turns are accepted.
        chats: Running conversations.
        greedy: Passed to the agent.
        timeout: Seconds it may take. With a limit the call runs in a thread of its own, which
            is left behind if the agent hangs (Python cannot stop a thread).

    Raises:
        AgentError: One line that names the agent's class and what went wrong.
    """
    name = type(agent).__name__
    said: Any
    try:
        if timeout is None:
            said = agent.act(chats, greedy=greedy)
        else:
            said = _act_within(agent, chats, greedy, timeout)
    except AgentError:
        raise
    except Exception as error:
        raise AgentError(f"{name}.act raised {type(error).__name__}: {one_line(error)}") from error
    if isinstance(said, str) or not isinstance(said, Sequence):
        raise AgentError(
            f"{name}.act returned {type(said).__name__}; return a list with one turn per chat"
        )
    if len(said) != len(chats):
        raise AgentError(
            f"{name}.act returned {len(said)} turns for {len(chats)} chats; return one per chat"
        )
    return [as_turn(turn, name) for turn in said]


def as_turn(said: object, speaker: str = "the agent") -> Turn:
    """Turns what an agent said into a ``Turn``; plain strings are accepted.

    Raises:
        AgentError: If it is neither a string nor a turn whose text is a string.
    """
    if isinstance(said, Turn):
        if isinstance(said.text, str):
            return said
    elif isinstance(said, str):
        return Turn(str(said))
    what = f"a turn whose text is {type(said.text).__name__}" if isinstance(said, Turn) else ""
    raise AgentError(f"{speaker} said {what or type(said).__name__}; a turn is a str or a Turn")


def one_line(error: BaseException) -> str:
    """Returns an error's message on one line, at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:299] + "…"


def _act_within(
    agent: Agent, chats: Sequence[Chat], greedy: bool, timeout: float
) -> Sequence[Turn]:
    said: list[Sequence[Turn]] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            said.append(agent.act(chats, greedy=greedy))
        except BaseException as error:
            failure.append(error)

    worker = threading.Thread(target=run, name="asl-agent", daemon=True)
    worker.start()
    worker.join(timeout)
    if failure:
        raise failure[0]
    if not said:
        raise AgentError(
            f"{type(agent).__name__}.act gave no turns within {timeout:g} s; "
            "make it faster or raise the timeout"
        )
    return said[0]
