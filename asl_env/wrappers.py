"""Small wrappers for the single-seat environments, for use with ``gymnasium``'s own."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from asl_env.envs.transcript import render
from asl_env.episode import Turn
from asl_env.spaces import Unicode


class TranscriptObservation(gym.Wrapper[str, Any, str, Any], gym.utils.RecordConstructorArgs):
    """Gives the whole chat as the observation, in place of the newest message.

    Each message is a line ``[role]`` and its text; the last observation of an episode includes the
    agent's last turn. A transcript over the limit loses its beginning.

    Args:
        env: A single-seat environment.
        max_length: Longest transcript in characters.
    """

    def __init__(self, env: gym.Env[str, Any], max_length: int = 1_000_000) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, max_length=max_length)
        gym.Wrapper.__init__(self, env)
        self.observation_space = Unicode(max_length)
        self._max_length = max_length

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode; see the wrapped environment."""
        _, info = self.env.reset(seed=seed, options=options)
        return self._transcript(info), info

    def step(self, action: Any) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Plays one assistant turn; see the wrapped environment."""
        _, reward, terminated, truncated, info = self.env.step(action)
        return self._transcript(info), float(reward), terminated, truncated, info

    def _transcript(self, info: dict[str, Any]) -> str:
        return render(info["messages"])[-self._max_length :]


class StopStrings(gym.ActionWrapper[Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Cuts each turn after the first of the dialect's stop strings, as generation would.

    For agents whose sampler cannot stop by itself: what they go on to invent, such as search
    results of their own, is not part of the turn. A ``Turn`` with token ids is passed on as it is,
    since its text has to match its tokens.

    Args:
        env: A single-seat environment.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.ActionWrapper.__init__(self, env)

    def action(self, action: Any) -> Any:
        """Returns the turn up to the end of the first stop string in it."""
        if isinstance(action, Turn):
            if action.token_ids is not None:
                return action
            return action._replace(text=self._cut(action.text))
        return self._cut(action)

    def _cut(self, text: str) -> str:
        ends = [text.find(stop) + len(stop) for stop in self._stops if stop in text]
        return text[: min(ends)] if ends else text

    @property
    def _stops(self) -> tuple[str, ...]:
        stops: tuple[str, ...] = self.get_wrapper_attr("dialect").stop
        return stops
