"""A reward that knows nothing: the control that shows what learning from noise looks like."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.episode import RewardParts, Trajectory
from asl_env.rewards.judging import derive_seed
from asl_env.rewards.shaping import format_reward as shape


class CoinReward:
    """Pays 1 or 0 by a fair coin, whatever the episode was (any seat).

    The control "random reward" of ASL (arXiv 2510.14253, the study of reward sources). The coin
    is a function of the episode's seed: the same episode earns the same in any batch, and members
    of a group have coins of their own.

    Args:
        format_reward: Add the format reward, which is not random.
    """

    def __init__(self, *, format_reward: bool = False) -> None:
        self.format_reward = format_reward

    def score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        """Returns parts ``{"coin", "format"}`` per episode; an invalid episode stays invalid."""
        return [self._score(episode) for episode in episodes]

    def _score(self, episode: Trajectory) -> RewardParts:
        if episode.invalid is not None:
            return RewardParts(0.0, invalid=episode.invalid)
        parts = {"coin": float(derive_seed(episode.seed, "coin") & 1)}
        if self.format_reward:
            parts["format"] = shape(episode)
        return RewardParts(sum(parts.values()), parts)
