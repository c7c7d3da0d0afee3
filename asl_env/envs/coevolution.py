"""``ASLCoevolution-v0``: all three seats in one PettingZoo game, turn-based and parallel."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import wrappers

from asl_env.conversation import MAX_TURN_CHARS
from asl_env.envs.game import AGENTS, Game
from asl_env.envs.seat import MAX_OBSERVATION_CHARS
from asl_env.envs.transcript import render
from asl_env.episode import Chat, Message, Turn
from asl_env.errors import AgentError, AslError
from asl_env.play import as_turn
from asl_env.spaces import Unicode

_METADATA: dict[str, Any] = {
    "name": "asl_coevolution_v0",
    "render_modes": ["ansi", "human"],
    "render_fps": 4,
    "is_parallelizable": False,
}


class _Table:
    """What both interfaces share: the game, its spaces, and how it is shown."""

    metadata: ClassVar[dict[str, Any]] = _METADATA

    def __init__(self, render_mode: str | None, options: Mapping[str, Any]) -> None:
        if render_mode is not None and render_mode not in _METADATA["render_modes"]:
            raise AslError(f"render_mode {render_mode!r} is none of 'ansi', 'human'")
        self.render_mode = render_mode
        self.possible_agents = list(AGENTS)
        self.agents: list[str] = []
        self.game = Game(**options)
        self._rng: np.random.Generator | None = None
        self._shown: list[Message] = []
        self.action_spaces = {agent: Unicode(MAX_TURN_CHARS) for agent in AGENTS}
        self.observation_spaces = {
            agent: spaces.Dict(
                {
                    "message": Unicode(MAX_OBSERVATION_CHARS),
                    "turn": spaces.Discrete(self.game.max_turns + 1),
                    "active": spaces.Discrete(2),
                }
            )
            for agent in AGENTS
        }

    @property
    def max_cycles(self) -> int | None:
        """Turns of the whole game at most."""
        return self.game.max_cycles

    @max_cycles.setter
    def max_cycles(self, value: int | None) -> None:
        self.game.max_cycles = value

    def observation_space(self, agent: str) -> Any:
        """Returns the same space for an agent every time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """Returns the same space for an agent every time."""
        return self.action_spaces[agent]

    def chat(self) -> Chat:
        """Returns the chat of the agent whose turn it is, as ``Agent.act`` takes it."""
        return self.game.chat()

    def observe(self, agent: str) -> dict[str, Any]:
        """Returns what an agent sees; nothing unless it is its turn."""
        if self.game.over or agent != self.game.actor:
            return {"message": "", "turn": 0, "active": 0}
        chat = self.game.conversation.messages
        newest = len(chat)
        while newest > 1 and chat[newest - 1]["role"] == "tool":
            newest -= 1
        news = chat[newest:] or chat[-1:]
        text = "\n".join([message["content"] for message in news])
        turn = self.game.chat().turn
        return {"message": text[:MAX_OBSERVATION_CHARS], "turn": turn, "active": 1}

    def render(self) -> Any:
        """Returns the running chat as text (``ansi``), or writes what is new of it (``human``)."""
        messages = self.game.conversation.messages
        if self.render_mode == "ansi":
            return render(messages)
        if self.render_mode == "human":
            known = len(self._shown) if messages[: len(self._shown)] == self._shown else 0
            sys.stdout.write(render(messages[known:]))
            sys.stdout.flush()
            self._shown = messages.copy()
        return None

    def close(self) -> None:
        """Releases nothing; there is nothing to release."""

    def _deal(self, seed: int | None, options: Mapping[str, Any] | None) -> None:
        if seed is not None or self._rng is None:
            self._rng, _ = seeding.np_random(seed)
        self.game.reset(self._rng, (options or {}).get("task"))
        self.agents = self.possible_agents[:]
        self._shown = []

    def _info(self, agent: str) -> dict[str, Any]:
        info = dict(self.game.results[agent])
        if self.game.invalid is not None:
            info["invalid"] = self.game.invalid
        if agent == self.game.actor:
            info["messages"] = self.game.conversation.messages.copy()
        return info

    def _infos(self) -> dict[str, dict[str, Any]]:
        return {agent: self._info(agent) for agent in AGENTS}

    def _flags(self) -> tuple[dict[str, bool], dict[str, bool]]:
        over, cut = self.game.over, self.game.truncated
        return dict.fromkeys(AGENTS, over and not cut), dict.fromkeys(AGENTS, over and cut)


class ASLCoevolutionAEC(_Table, AECEnv):  # type: ignore[misc]
    """Generator, policy and GRM, one turn at a time.

    ## Description
    ``generator_0`` writes a question with its answer. If the question is valid, ``grm_0`` judges
    that answer. If it is confirmed, ``policy_0`` solves the question and ``grm_0`` judges the
    solution, ``solves`` times. Every conversation may take several turns of searching; the same
    agent is selected until its conversation is over.

    ## Action Space
    ``Unicode(32768)`` for each agent: one assistant turn, as in the single-seat environments.

    ## Observation Space
    ``Dict(message=Unicode, turn=Discrete, active=Discrete(2))`` for each agent: the newest message
    of its conversation, how many turns it has had in it, and whether it is its turn (if not, the
    message is empty). ``infos[agent]["messages"]`` is the whole chat of the agent whose turn it is.

    ## Rewards
    Each seat its own. ``policy_0``: 1 if the GRM's verdict on its solution is correct. ``grm_0``:
    1 if its verdict agrees with the comparison of the solution with the generator's answer.
    ``generator_0``: at the end, the named generator reward over the verdicts. ``infos[agent]`` has
    ``trajectory`` and ``reward_parts`` of the conversation that earned the latest reward.

    ## Episode End
    All agents terminate together: when the question is invalid or not confirmed, or after the last
    verdict. They are truncated when the last conversation ran out of turns, after ``max_cycles``
    turns, or when the search fails (then ``infos[agent]["invalid"]`` says why).

    ## Arguments
    * ``assignments``: requests, or a function ``rng -> Request`` (default: MiniWiki topics).
    * ``reward``: the generator's reward by name (default ``"asl"``).
    * ``solves`` (4), ``verifications`` (1), ``threshold`` (0.8): see ``ASLGenerate-v0``. With
      ``solves=1`` one task is made, solved and judged once; the entropy of one verdict is 0.
    * ``max_turns``: turns per conversation (9). ``max_cycles``: turns per game (no limit).
    * ``tool``, ``dialect``, ``format_reward``, ``render_mode``: see ``ASLSearch-v0``.

    ``reset(options={"task": Request(...)})`` plays a given request; the same seed gives the same
    game.

    ## Version History
    * v0: first release.
    """

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        AECEnv.__init__(self)
        _Table.__init__(self, render_mode, options)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Starts a game."""
        self._deal(seed, options)
        self.rewards = dict.fromkeys(AGENTS, 0.0)
        self._cumulative_rewards = dict.fromkeys(AGENTS, 0.0)
        self.terminations, self.truncations = self._flags()
        self.infos = self._infos()
        self.agent_selection = self.game.actor
        if self.render_mode == "human":
            self.render()

    def step(self, action: str | Turn | None) -> None:
        """Takes the turn of the selected agent; once the game is over, ``None`` retires it."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        self.rewards = self.game.play(as_turn(action, agent))
        self.terminations, self.truncations = self._flags()
        self.infos = self._infos()
        self.agent_selection = AGENTS[0] if self.game.over else self.game.actor
        self._accumulate_rewards()
        if self.render_mode == "human":
            self.render()


class ASLCoevolutionParallel(_Table, ParallelEnv):  # type: ignore[misc]
    """The same game with one action from every agent per step; see ``ASLCoevolutionAEC``.

    Only the action of the agent whose turn it is (``observation["active"]``) is played; the others
    may say anything or nothing.
    """

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        _Table.__init__(self, render_mode, options)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts a game."""
        self._deal(seed, options)
        if self.render_mode == "human":
            self.render()
        return {agent: self.observe(agent) for agent in AGENTS}, self._infos()

    def step(self, actions: Mapping[str, str | Turn]) -> tuple[dict[str, Any], ...]:
        """Takes the turn of the active agent.

        Raises:
            AgentError: If there is no action of the active agent.
            gymnasium.error.ResetNeeded: If the game is over or was never begun.
        """
        if not self.agents:
            raise gym.error.ResetNeeded("the game is over or was never begun; call reset()")
        actor = self.game.actor
        if actor not in actions:
            raise AgentError(f"step got no action of {actor}, whose turn it is")
        rewards = self.game.play(as_turn(actions[actor], actor))
        terminations, truncations = self._flags()
        observations = {agent: self.observe(agent) for agent in AGENTS}
        if self.game.over:
            self.agents = []
        if self.render_mode == "human":
            self.render()
        return observations, rewards, terminations, truncations, self._infos()


def raw_env(**options: Any) -> ASLCoevolutionAEC:
    """Makes the turn-based game as it is; the arguments are those of ``ASLCoevolutionAEC``."""
    return ASLCoevolutionAEC(**options)


def env(**options: Any) -> AECEnv:
    """Makes the turn-based game with PettingZoo's check that calls come in the right order."""
    return wrappers.OrderEnforcingWrapper(raw_env(**options))


def parallel_env(**options: Any) -> ASLCoevolutionParallel:
    """Makes the parallel game; the arguments are those of ``ASLCoevolutionAEC``."""
    return ASLCoevolutionParallel(**options)
