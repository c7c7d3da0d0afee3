"""Many conversations of one seat, stepped together: one tool call and one reward call per step."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from asl_env.conversation import MAX_TURN_CHARS, Conversation
from asl_env.envs.seat import MAX_OBSERVATION_CHARS, SEEDS, Seat, outcome
from asl_env.envs.transcript import render
from asl_env.episode import Assignment, Chat, RewardParts, Role, Turn
from asl_env.errors import AgentError, AslError, InvalidTaskError
from asl_env.play import advance, as_turn
from asl_env.protocols import Dialect
from asl_env.spaces import Unicode

Step = tuple[
    tuple[str, ...],
    NDArray[np.float64],
    NDArray[np.bool_],
    NDArray[np.bool_],
    dict[str, Any],
]


class _Group:
    """Draws episodes for consecutive environments that must play the same assignments.

    Each member walks the same row of draws at its own pace; what all have played is forgotten.
    """

    def __init__(self, seat: Seat, size: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self._seat = seat
        self._size = size
        self.align()

    def align(self) -> None:
        """Lets all members begin with the next draw."""
        self._drawn: deque[tuple[Assignment, int]] = deque()
        self._dropped = 0
        self._played = [0] * self._size

    def next(self, member: int) -> tuple[Assignment, int]:
        """Returns the member's next assignment and its own chat seed."""
        if self._size == 1:
            return self._seat.draw(self.rng)
        at = self._played[member] - self._dropped
        if at == len(self._drawn):
            self._drawn.append(self._seat.draw(self.rng))
        self._played[member] += 1
        assignment, seed = self._drawn[at]
        while self._drawn and min(self._played) > self._dropped:
            self._drawn.popleft()
            self._dropped += 1
        return assignment, (seed + member) % SEEDS


class SeatVectorEnv(VectorEnv[Any, Any, Any]):
    """Base of the vector environments.

    Sub-environment ``i`` of groups of size 1, reset with the seed ``s``, plays the same episodes as
    the single environment reset with ``s + i``. With larger groups, ``s + g`` seeds the group
    ``g`` of consecutive sub-environments: all play the same assignments in the same order, each
    with its own chat seed.

    A sub-environment whose episode ends is reset in the same step (``AutoresetMode.SAME_STEP``);
    its last observation and info are in ``info["final_obs"]`` and ``info["final_info"]``.

    The action ``None`` leaves a sub-environment as it is: no turn is played, its observation stays,
    its reward is 0 and nothing ends. A learner that wants the same number of episodes of each lets
    those that are done wait so, with their next episode begun and unplayed.

    Args:
        seat: What is played.
        num_envs: Number of conversations.
        group_size: Size of the groups; divides ``num_envs``.
        render_mode: ``ansi`` or ``None``.

    Raises:
        AslError: If an argument is impossible.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["ansi"],
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self, seat: Seat, num_envs: int = 1, group_size: int = 1, render_mode: str | None = None
    ) -> None:
        if num_envs < 1 or group_size < 1 or num_envs % group_size:
            raise AslError(
                f"num_envs={num_envs} must be a positive multiple of group_size={group_size}"
            )
        if render_mode not in (None, "ansi"):
            raise AslError(f"a vector environment renders 'ansi' or None, not {render_mode!r}")
        self.seat = seat
        self.num_envs = num_envs
        self.group_size = group_size
        self.render_mode = render_mode
        self.single_action_space = Unicode(MAX_TURN_CHARS)
        self.single_observation_space = Unicode(MAX_OBSERVATION_CHARS)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._groups: list[_Group] = []
        self._conversations: list[Conversation] = []
        self._news = [""] * num_envs

    @property
    def role(self) -> Role:
        """The seat that acts."""
        return self.seat.role

    @property
    def dialect(self) -> Dialect:
        """How turns and results are written."""
        return self.seat.dialect

    def chats(self) -> list[Chat]:
        """Returns the running chats, as ``Agent.act`` takes them.

        Raises:
            gymnasium.error.ResetNeeded: Before the first ``reset``.
        """
        return [conversation.chat() for conversation in self._running()]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Starts an episode everywhere.

        Args:
            seed: Group ``g`` is seeded with ``seed + g``. Without one, the groups go on drawing.
            options: ``{"task": assignment}`` plays it everywhere, ``{"task": [...]}`` one each.
                ``{"reset_mask": array}`` of shape ``[num_envs]`` resets only where it is true.

        Returns:
            The first observations, and an info of arrays with ``messages`` and ``timing``.

        Raises:
            InvalidTaskError: If the given assignments do not fit.
        """
        super().reset(seed=seed)
        started = perf_counter()
        options = options or {}
        mask = options.get("reset_mask")
        indices = range(self.num_envs) if mask is None else np.flatnonzero(mask).tolist()
        self._seed_groups(seed, indices)
        given = self._given(options.get("task"))
        if not self._conversations:
            if len(indices) < self.num_envs:
                raise gym.error.ResetNeeded("the first reset() must reset every sub-environment")
            self._conversations = [cast(Conversation, None)] * self.num_envs
        for index in indices:
            self._begin(index, None if given is None else given[index])
        chosen = np.zeros(self.num_envs, np.bool_)
        chosen[indices] = True
        return self._observations(), self._infos(chosen, 0.0, 0.0, perf_counter() - started)

    def step(self, actions: Sequence[str | Turn | None]) -> Step:
        """Plays one turn in every conversation.

        Args:
            actions: One per sub-environment; no text raises. ``None`` leaves that one as it is.

        Returns:
            Observations, rewards, terminations, truncations and info, in gymnasium's convention.

        Raises:
            gymnasium.error.ResetNeeded: Before the first ``reset``.
            AgentError: If there is not one string, ``Turn`` or ``None`` per sub-environment.
        """
        started = perf_counter()
        conversations = self._running()
        if len(actions) != self.num_envs:
            raise AgentError(f"step got {len(actions)} actions for {self.num_envs} environments")
        turns = [
            Turn(said) if type(said) is str else None if said is None else as_turn(said)
            for said in actions
        ]
        searching = self._advance(conversations, turns)
        rewards = np.zeros(self.num_envs, np.float64)
        terminations = np.zeros(self.num_envs, np.bool_)
        truncations = np.zeros(self.num_envs, np.bool_)
        over = [index for index, conversation in enumerate(conversations) if conversation.done]
        final: dict[str, Any] = {}
        scoring = 0.0
        if over:
            ended = [conversations[index] for index in over]
            before = perf_counter()
            parts = self.seat.settle(ended)
            scoring = perf_counter() - before
            final = self._final(over, ended, parts)
            for index, conversation, part in zip(over, ended, parts, strict=True):
                rewards[index], terminations[index], truncations[index] = outcome(
                    part, conversation.truncated
                )
                self._begin(index, None)
        everywhere = np.ones(self.num_envs, np.bool_)
        spent = perf_counter() - started
        infos = self._infos(everywhere, searching, scoring, spent)
        if over:
            final["final_info"] |= {"timing": infos["timing"], "_timing": final["_final_obs"]}
            infos |= final
        return self._observations(), rewards, terminations, truncations, infos

    def _advance(self, conversations: list[Conversation], turns: list[Turn | None]) -> float:
        """Plays the turns; returns the seconds spent in the tool."""
        if None not in turns:
            self._news, seconds = advance(conversations, cast(list[Turn], turns), self.seat.tool)
            return seconds
        playing = [index for index, turn in enumerate(turns) if turn is not None]
        news, seconds = advance(
            [conversations[index] for index in playing],
            [turn for turn in turns if turn is not None],
            self.seat.tool,
        )
        for index, text in zip(playing, news, strict=True):
            self._news[index] = text
        return seconds

    def render(self) -> tuple[str, ...] | None:
        """Returns every chat as text (``ansi``)."""
        if self.render_mode is None:
            return None
        return tuple(render(conversation.messages) for conversation in self._conversations)

    def _running(self) -> list[Conversation]:
        if not self._conversations:
            raise gym.error.ResetNeeded("call reset() first")
        return self._conversations

    def _seed_groups(self, seed: int | None, indices: Sequence[int]) -> None:
        """Makes or reseeds the groups; those that start anew as a whole start together."""
        if not self._groups:
            first = int(self.np_random.integers(SEEDS)) if seed is None else seed
            self._groups = [
                _Group(self.seat, self.group_size, seeding.np_random(first + group)[0])
                for group in range(self.num_envs // self.group_size)
            ]
            return
        members = Counter(index // self.group_size for index in indices)
        for group, count in members.items():
            if seed is not None:
                self._groups[group].rng = seeding.np_random(seed + group)[0]
            if seed is not None or count == self.group_size:
                self._groups[group].align()

    def _given(self, task: Any) -> list[Assignment] | None:
        if task is None:
            return None
        tasks = list(task) if isinstance(task, Sequence) else [task] * self.num_envs
        if len(tasks) != self.num_envs:
            raise InvalidTaskError(
                f"options['task'] holds {len(tasks)} assignments for {self.num_envs} environments"
            )
        return [self.seat.checked(one) for one in tasks]

    def _begin(self, index: int, given: Assignment | None) -> None:
        group, member = divmod(index, self.group_size)
        if given is None:
            assignment, seed = self._groups[group].next(member)
        else:
            assignment, seed = given, self.seat.draw_seed(self._groups[group].rng)
        conversation = self.seat.begin(assignment, seed)
        self._conversations[index] = conversation
        self._news[index] = conversation.messages[-1]["content"]

    def _observations(self) -> tuple[str, ...]:
        return tuple([text[:MAX_OBSERVATION_CHARS] for text in self._news])

    def _infos(
        self, chosen: NDArray[np.bool_], search: float, reward: float, step: float
    ) -> dict[str, Any]:
        """Every chat, and each sub-environment's equal share of the time."""
        messages = np.empty(self.num_envs, dtype=object)
        for index, conversation in enumerate(self._conversations):
            messages[index] = conversation.messages.copy()
        timing = {"search": search, "reward": reward, "step": step}
        return {
            "messages": messages,
            "_messages": chosen,
            "timing": self._shares(timing, chosen),
            "_timing": chosen.copy(),
        }

    def _shares(self, seconds: Mapping[str, float], chosen: NDArray[np.bool_]) -> dict[str, Any]:
        shares: dict[str, Any] = {}
        for name, value in seconds.items():
            shares[name] = np.full(self.num_envs, value / self.num_envs)
            shares[f"_{name}"] = chosen
        return shares

    def _final(
        self, over: list[int], ended: list[Conversation], parts: list[RewardParts]
    ) -> dict[str, Any]:
        """Last observations (empty) and last infos of the episodes that ended."""
        mask = np.zeros(self.num_envs, np.bool_)
        mask[over] = True
        observations = np.full(self.num_envs, None, dtype=object)
        observations[over] = ""
        info: dict[str, Any] = {}
        for name in ("messages", "trajectory", "reward_parts"):
            info[name] = np.full(self.num_envs, None, dtype=object)
            info[f"_{name}"] = mask.copy()
        for index, conversation, part in zip(over, ended, parts, strict=True):
            info["messages"][index] = conversation.messages
            info["trajectory"][index] = conversation.trajectory()
            info["reward_parts"][index] = part
        invalid = [index for index, part in zip(over, parts, strict=True) if part.invalid]
        if invalid:
            info["invalid"] = np.full(self.num_envs, None, dtype=object)
            info["_invalid"] = np.zeros(self.num_envs, np.bool_)
            info["_invalid"][invalid] = True
            for index, part in zip(over, parts, strict=True):
                info["invalid"][index] = part.invalid
        return {
            "final_obs": observations,
            "_final_obs": mask,
            "final_info": info,
            "_final_info": mask.copy(),
        }
