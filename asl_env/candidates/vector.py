"""``CandidateVecEnv``: a vector seat as a Stable-Baselines3 ``VecEnv`` with action masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from asl_env.candidates.builder import MenuBuilder
from asl_env.candidates.menu import FEATURES, MAX_CANDIDATES, Menu, observation_space
from asl_env.candidates.search_seat import OVERLAP
from asl_env.episode import Role


class CandidateVecEnv(VecEnv):
    """Plays a vector environment of one seat through menus of candidates.

    All searches and rewards of a step stay batched, as in the wrapped environment. An invalid
    episode (tool or judge failure) is bootstrapped with the value of its own last state, which
    makes its last advantage zero: it teaches nothing, instead of teaching a zero reward.

    Args:
        vector_env: What ``gym.make_vec`` gives for a single-seat id of this package.
        builder: Builds the menus; must use the environment's dialect.
        blind: Share of the policy's episodes in which the overlap columns read zero. Self-made
            questions repeat the wording of their source; without this a policy learns to copy.
    """

    render_mode = None

    def __init__(
        self, vector_env: Any, builder: MenuBuilder | None = None, blind: float = 0.0
    ) -> None:
        self.vector_env = vector_env
        self._seats = vector_env.unwrapped
        self._builder = builder or MenuBuilder(self._seats.dialect)
        self._menus: list[Menu] = []
        self._texts: list[str] = []
        self._blind = blind if self._seats.role is Role.POLICY else 0.0
        self._rng = np.random.default_rng(0)
        self._hidden = np.zeros(vector_env.num_envs, np.bool_)
        super().__init__(vector_env.num_envs, observation_space(), spaces.Discrete(MAX_CANDIDATES))

    def reset(self) -> NDArray[np.float32]:
        """Starts an episode everywhere, with the seed given to ``seed`` (once)."""
        seed = self._seeds[0]
        self.vector_env.reset(seed=seed)
        self._rng = np.random.default_rng(seed)
        self._hidden = self._rng.random(self.num_envs) < self._blind
        self._reset_seeds()
        self._reset_options()
        return self._observe()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Writes the chosen candidates as turns."""
        self._texts = [
            self._builder.write(menu, min(int(a), len(menu.candidates) - 1))
            for menu, a in zip(self._menus, actions, strict=True)
        ]

    def step_wait(self) -> VecEnvStepReturn:
        """Plays the turns: one index call and one reward call for all."""
        played = self._menus
        _, rewards, terminations, truncations, infos = self.vector_env.step(self._texts)
        dones = np.logical_or(terminations, truncations)
        invalid = infos.get("invalid") if isinstance(infos, dict) else None
        out: list[dict[str, Any]] = []
        for index, done in enumerate(dones):
            info: dict[str, Any] = {}
            if done:
                reason = _invalid_reason(infos, invalid, index)
                info["terminal_observation"] = self._show(played[index], index)
                info["TimeLimit.truncated"] = reason is not None
                info["invalid"] = reason
                info["episode_reward"] = float(rewards[index])
                self._hidden[index] = self._rng.random() < self._blind
            out.append(info)
        return self._observe(), np.asarray(rewards, np.float32), dones, out

    def _observe(self) -> NDArray[np.float32]:
        self._menus = [self._builder.menu(chat) for chat in self._seats.chats()]
        return np.stack([self._show(menu, index) for index, menu in enumerate(self._menus)])

    def _show(self, menu: Menu, index: int) -> NDArray[np.float32]:
        rows = menu.padded()
        if self._hidden[index]:
            rows.reshape(MAX_CANDIDATES, FEATURES)[:, OVERLAP] = 0.0
        return rows

    def action_masks(self) -> NDArray[np.bool_]:
        """Which indices are on each menu, shape ``[num_envs, 48]``."""
        return np.stack([menu.mask() for menu in self._menus])

    def close(self) -> None:
        """Closes the wrapped environment."""
        self.vector_env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute, once per selected sub-environment."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Sets the attribute on this object; the sub-environments share it."""
        setattr(self, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """``action_masks`` gives one mask per selected sub-environment; others are called once."""
        value = getattr(self, method_name)(*method_args, **method_kwargs)
        chosen = list(self._get_indices(indices))
        if method_name == "action_masks":
            return [value[i] for i in chosen]
        return [value for _ in chosen]

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """Sub-environments carry no wrappers of their own."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A chat has no picture."""
        return [None for _ in range(self.num_envs)]


def _invalid_reason(infos: Any, invalid: Any, index: int) -> str | None:
    """Reads one sub-environment's reason from Gymnasium's dictionary of arrays."""
    final = infos.get("final_info") if isinstance(infos, dict) else None
    if isinstance(final, dict) and "invalid" in final:
        value = final["invalid"][index]
        return str(value) if value else None
    if invalid is not None and invalid[index]:
        return str(invalid[index])
    return None
