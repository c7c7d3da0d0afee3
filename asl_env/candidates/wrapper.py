"""``CandidateActions``: any seat as a Box/Discrete environment for classical RL."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from asl_env.candidates.builder import MenuBuilder
from asl_env.candidates.menu import FEATURES, MAX_CANDIDATES, Menu, observation_space
from asl_env.episode import Chat, Role
from asl_env.protocols import Dialect, Encoder


class CandidateActions(gym.Wrapper[Any, Any, Any, Any]):
    """Offers ``K`` rendered text turns with features in place of free text.

    ## Action Space
    ``Discrete(48)``: an index into the menu. An index that is masked out (see ``action_masks``)
    plays the last candidate of the menu.

    ## Observation Space
    ``Box(-inf, inf, (6144,), float32)``: 48 rows of 128 features, one per candidate, behind each
    other (``observation.reshape(48, 128)`` gives the rows back); zero rows behind the
    last one. Column 0 is the lexical baseline's score.

    ## Arguments
    Any single-seat environment of this package. ``dialect`` must be the environment's.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        dialect: str | Dialect | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__(env)
        own = getattr(env.unwrapped, "dialect", "asl")
        self._role = Role(getattr(env.unwrapped, "role", Role.POLICY))
        self._builder = MenuBuilder(own if dialect is None else dialect, encoder)
        self._menu: Menu | None = None
        self.action_space = spaces.Discrete(MAX_CANDIDATES)
        self.observation_space = observation_space()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Starts an episode; see the wrapped environment."""
        _, info = self.env.reset(seed=seed, options=options)
        return self._observe(info), info

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Plays the turn with this index."""
        if self._menu is None:
            raise gym.error.ResetNeeded("call reset() before step()")
        index = min(int(action), len(self._menu.candidates) - 1)
        text = self._builder.write(self._menu, index)
        _, reward, terminated, truncated, info = self.env.step(text)
        observation = self._observe(info, over=terminated or truncated)
        return observation, float(reward), terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which indices are on the menu, shape ``[48]``; the name sb3-contrib looks for."""
        if self._menu is None:
            raise gym.error.ResetNeeded("call reset() before action_masks()")
        return self._menu.mask()

    def _observe(self, info: dict[str, Any], over: bool = False) -> NDArray[np.float32]:
        if over:
            return np.zeros(MAX_CANDIDATES * FEATURES, np.float32)
        self._menu = self._builder.menu(Chat(self._role, info["messages"]))
        return self._menu.padded()
