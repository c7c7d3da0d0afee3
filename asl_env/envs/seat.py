"""What the three single-seat environments share: where assignments come from and who scores."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np

from asl_env.conversation import DEFAULT_MAX_TURNS, MAX_TURN_CHARS, Conversation
from asl_env.dialects import make_dialect
from asl_env.envs.timing import Timing
from asl_env.envs.transcript import render
from asl_env.episode import Assignment, Chat, RewardParts, Role, Trajectory, Turn
from asl_env.errors import AgentError, AslError, InvalidTaskError, SearchUnavailableError
from asl_env.play import Tool, as_turn, one_line
from asl_env.prompts import role_of
from asl_env.protocols import Dialect, Retriever, RewardModel
from asl_env.spaces import Unicode

#: Where episodes come from: a finite collection to draw from, or a function that draws.
Source = Iterable[Assignment] | Callable[[np.random.Generator], Assignment]
#: Called with every finished episode and its reward.
OnEpisode = Callable[[Trajectory, RewardParts], None]

#: Longest observation in characters; longer ones are cut (the messages are not).
MAX_OBSERVATION_CHARS = 1_000_000
#: Chat seeds lie below this.
SEEDS = 2**31

_NOUN = {Role.POLICY: "Task", Role.GENERATOR: "Request", Role.GRM: "Claim"}


class Seat:
    """One seat without its episode: assignments, tool, dialect and reward model.

    Args:
        role: Who plays.
        source: A finite collection of assignments, or ``draw(rng) -> assignment``.
        tool: Runs tool calls.
        dialect: Name or object.
        reward: Scores finished episodes.
        max_turns: Assistant turns per episode.
        on_episode: Called with every finished episode.

    Raises:
        AslError: If an argument is impossible.
        InvalidTaskError: If an assignment belongs to another seat.
    """

    def __init__(
        self,
        role: Role,
        source: Source,
        tool: Tool,
        dialect: str | Dialect,
        reward: RewardModel,
        max_turns: int = DEFAULT_MAX_TURNS,
        on_episode: OnEpisode | None = None,
    ) -> None:
        if max_turns < 1:
            raise AslError(f"max_turns must be at least 1, got {max_turns}")
        self.role = role
        self.tool = tool
        self.dialect = make_dialect(dialect)
        self.reward = reward
        self.max_turns = max_turns
        self._on_episode = on_episode
        self._draw = self._checking(source) if callable(source) else self._drawing(tuple(source))

    def draw(self, rng: np.random.Generator) -> tuple[Assignment, int]:
        """Draws an assignment and the seed of its chat."""
        return self._draw(rng), int(rng.random() * SEEDS)

    @staticmethod
    def draw_seed(rng: np.random.Generator) -> int:
        """Draws the seed of a chat."""
        return int(rng.random() * SEEDS)  # several times as fast as rng.integers

    def checked(self, assignment: Any) -> Assignment:
        """Returns the assignment if this seat can play it.

        Raises:
            InvalidTaskError: Otherwise.
        """
        if role_of(assignment) is not self.role:
            raise InvalidTaskError(
                f"the {self.role} seat plays a {_NOUN[self.role]}, "
                f"got a {type(assignment).__name__} ({assignment.id!r})"
            )
        return cast(Assignment, assignment)

    def begin(self, assignment: Assignment, seed: int) -> Conversation:
        """Opens the chat of an episode."""
        return Conversation(assignment, self.dialect, self.max_turns, seed)

    def settle(self, conversations: Sequence[Conversation]) -> list[RewardParts]:
        """Scores finished conversations in one call and reports them to ``on_episode``.

        A failed episode is not scored; when the reward model fails (its judge or its tool is
        gone), its episodes become invalid, they never become a zero.

        Raises:
            AslError: If the reward model breaks its contract.
        """
        episodes = [conversation.trajectory() for conversation in conversations]
        for episode in episodes:
            if episode.invalid is not None:
                parts = self._score_valid(episodes)
                break
        else:
            parts = self._score(episodes)
        if self._on_episode is not None:
            for episode, part in zip(episodes, parts, strict=True):
                self._on_episode(episode, part)
        return parts

    def _score_valid(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        valid = [episode for episode in episodes if episode.invalid is None]
        scores = iter(self._score(valid) if valid else ())
        return [
            next(scores) if episode.invalid is None else RewardParts(0.0, invalid=episode.invalid)
            for episode in episodes
        ]

    def _score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        try:
            parts = self.reward.score(episodes)
        except (SearchUnavailableError, AgentError) as error:
            return [RewardParts(0.0, invalid=f"reward: {one_line(error)}")] * len(episodes)
        name = type(self.reward).__name__
        if len(parts) != len(episodes):
            raise AslError(
                f"{name}.score returned {len(parts)} rewards for {len(episodes)} episodes; "
                "return one per episode"
            )
        for part in parts:
            if not math.isfinite(part.total):
                raise AslError(f"{name}.score returned the reward {part.total}; make it finite")
        return parts

    def _checking(
        self, draw: Callable[[np.random.Generator], Assignment]
    ) -> Callable[[np.random.Generator], Assignment]:
        return lambda rng: self.checked(draw(rng))

    def _drawing(
        self, assignments: tuple[Assignment, ...]
    ) -> Callable[[np.random.Generator], Assignment]:
        if not assignments:
            raise AslError("the argument 'assignments' is empty; give one, or leave it out")
        for assignment in assignments:
            self.checked(assignment)
        count = len(assignments)
        return lambda rng: assignments[int(rng.random() * count)]


def outcome(parts: RewardParts, truncated: bool) -> tuple[float, bool, bool]:
    """Returns reward, terminated and truncated of a finished episode.

    An invalid episode is truncated with reward 0.0.
    """
    if parts.invalid is not None:
        return 0.0, False, True
    return float(parts.total), not truncated, truncated


class SeatEnv(gym.Env[str, str]):
    """Base of the single-seat environments: one chat, one turn per step.

    Args:
        seat: What is played.
        render_mode: ``ansi`` (``render`` returns the chat), ``human`` (the chat is written to
            standard output as it grows), or ``None``.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["ansi", "human"],
        "render_fps": 4,
    }

    def __init__(self, seat: Seat, render_mode: str | None = None) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise AslError(f"render_mode {render_mode!r} is none of 'ansi', 'human'")
        self.seat = seat
        self.render_mode = render_mode
        self.action_space = Unicode(MAX_TURN_CHARS)
        self.observation_space = Unicode(MAX_OBSERVATION_CHARS)
        self._conversation: Conversation | None = None
        self._shown = 0

    @property
    def role(self) -> Role:
        """The seat that acts."""
        return self.seat.role

    @property
    def dialect(self) -> Dialect:
        """How turns and results are written."""
        return self.seat.dialect

    def chat(self) -> Chat:
        """Returns the running chat, as ``Agent.act`` takes it.

        Raises:
            gymnasium.error.ResetNeeded: Before the first ``reset``.
        """
        if self._conversation is None:
            raise gym.error.ResetNeeded("call reset() before chat()")
        return self._conversation.chat()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: The same seed gives the same assignment and the same chat seed.
            options: ``{"task": assignment}`` plays that assignment instead of a drawn one.

        Returns:
            The user message that states the assignment, and ``messages`` and ``timing``.

        Raises:
            InvalidTaskError: If ``options["task"]`` belongs to another seat.
        """
        super().reset(seed=seed)
        started = perf_counter()
        given = options.get("task") if options else None
        if given is None:
            assignment, chat_seed = self.seat.draw(self.np_random)
        else:
            assignment, chat_seed = self.seat.checked(given), self.seat.draw_seed(self.np_random)
        conversation = self._conversation = self.seat.begin(assignment, chat_seed)
        self._shown = 0
        if self.render_mode == "human":
            self.render()
        info = {
            "messages": conversation.messages.copy(),
            "timing": Timing(0.0, 0.0, perf_counter() - started),
        }
        return conversation.messages[-1]["content"][:MAX_OBSERVATION_CHARS], info

    def step(self, action: str | Turn) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Plays one assistant turn.

        Args:
            action: The turn, a string or a ``Turn`` with its tokens. No text raises.

        Returns:
            What the seat reads next (empty when the episode is over), reward, terminated,
            truncated, and an info with ``messages`` and ``timing``; at the end also
            ``trajectory``, ``reward_parts`` and, where the episode must be left out, ``invalid``.

        Raises:
            gymnasium.error.ResetNeeded: Without a running episode.
            AgentError: If the action is neither a string nor a ``Turn``.
        """
        conversation = self._running()
        started = perf_counter()
        timing = Timing()
        observation = ""
        calls = conversation.submit(Turn(action) if type(action) is str else as_turn(action))
        if calls:
            try:
                results = self.seat.tool.run(calls)
            except SearchUnavailableError as error:
                conversation.fail(f"search: {one_line(error)}")
            else:
                timing.search = perf_counter() - started
                observation = conversation.deliver(results)[:MAX_OBSERVATION_CHARS]
        info: dict[str, Any] = {"messages": conversation.messages.copy(), "timing": timing}
        reward, terminated, truncated = 0.0, False, False
        if conversation.done:
            reward, terminated, truncated = self._finish(conversation, info)
        if self.render_mode == "human":
            self.render()
        timing.step = perf_counter() - started
        return observation, reward, terminated, truncated, info

    def render(self) -> Any:
        """Returns the chat as text (``ansi``), or writes what is new of it (``human``)."""
        messages = self._conversation.messages if self._conversation is not None else []
        if self.render_mode == "ansi":
            return render(messages)
        if self.render_mode == "human":
            sys.stdout.write(render(messages[self._shown :]))
            sys.stdout.flush()
            self._shown = len(messages)
        return None

    def _running(self) -> Conversation:
        conversation = self._conversation
        if conversation is None or conversation.done:
            raise gym.error.ResetNeeded("the episode is over or was never begun; call reset()")
        return conversation

    def _finish(self, conversation: Conversation, info: dict[str, Any]) -> tuple[float, bool, bool]:
        started = perf_counter()
        parts = self.seat.settle((conversation,))[0]
        info["timing"].reward = perf_counter() - started
        info["trajectory"] = conversation.trajectory()
        info["reward_parts"] = parts
        if parts.invalid is not None:
            info["invalid"] = parts.invalid
        return outcome(parts, conversation.truncated)


def make_tool(tool: str | Tool | Retriever | None) -> Tool:
    """Returns the search tool that an environment was given.

    Args:
        tool: A tool (has ``run``), a retriever (has ``search``), a retriever's name, an index
            folder, or ``None`` for MiniWiki. Nothing is built or opened before the first search.

    Raises:
        AslError: If it is none of these, or the name is unknown.
    """
    if tool is not None and hasattr(tool, "run"):
        return cast(Tool, tool)
    from asl_env.retrieval.registry import make_retriever
    from asl_env.tool import SearchTool

    return SearchTool(make_retriever("miniwiki" if tool is None else cast(Any, tool)))
