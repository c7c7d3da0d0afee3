"""A reward of one's own: right answers count, and every search after the first costs something.

    python examples/custom_reward.py

A reward model scores a batch of finished episodes and returns named parts, never just a number:
the parts end up in ``info["reward_parts"]``, in the logs and in the report. The same object works
in the vector environment, where one call scores every episode that ended in a step.
"""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium as gym

import asl_env  # noqa: F401 - importing it registers the environments
from asl_env.dialects import make_dialect
from asl_env.episode import RewardParts, Task, Trajectory
from asl_env.rewards.matching import em


class ThriftyReward:
    """Exact match, less a price per search beyond the first."""

    def __init__(self, price: float = 0.1) -> None:
        self.price = price

    def score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        """Returns one ``RewardParts`` per episode, in order."""
        return [self._score(episode) for episode in episodes]

    def _score(self, episode: Trajectory) -> RewardParts:
        # A failed search is not the agent's fault: such an episode is marked, not punished.
        if episode.invalid is not None:
            return RewardParts(0.0, invalid=episode.invalid)
        assert isinstance(episode.assignment, Task)
        right = em(episode.answer, episode.assignment.answers)
        cost = -self.price * max(0, episode.tool_calls - 1)
        return RewardParts(right + cost, {"em": right, "searches": cost})


def main() -> None:
    dialect = make_dialect("asl")
    task = Task("t1", "What is the capital of Poland?", ("Warsaw",))
    env = gym.make("ASLSearch-v0", reward=ThriftyReward())

    for searches in range(4):
        env.reset(seed=0, options={"task": task})
        for _ in range(searches):
            env.step(dialect.write_search("capital of Poland"))
        _, reward, *_, info = env.step(dialect.write_final("Warsaw"))
        print(f"{searches} searches: reward {reward:.1f} = {dict(info['reward_parts'].parts)}")


if __name__ == "__main__":
    main()
