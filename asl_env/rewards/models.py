"""Reward models: they score finished episodes, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from asl_env.episode import RewardParts, Task, Trajectory
from asl_env.errors import AslError, did_you_mean
from asl_env.rewards.matching import METRICS, Metric, cover_em
from asl_env.rewards.shaping import format_reward as shape


class RuleReward:
    """Compares the policy's answer with the task's accepted answers.

    Args:
        metric: ``em``, ``cover-em`` or ``f1``.
        format_reward: Add the format reward.
        compat: Match inside words (``cover-em``) and read the format from the text alone, as the
            released ASL code does.

    Raises:
        AslError: If there is no such metric.
    """

    def __init__(
        self, metric: str = "em", *, format_reward: bool = False, compat: bool = False
    ) -> None:
        if metric not in METRICS:
            raise AslError(f"no metric is named {metric!r}{did_you_mean(metric, METRICS)}")
        self.metric = metric
        self.format_reward = format_reward
        self.compat = compat
        released = compat and metric == "cover-em"
        self._match: Metric = partial(cover_em, compat=True) if released else METRICS[metric]

    def score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        """Returns parts ``{metric, "format"}`` per episode; an invalid episode stays invalid."""
        return [self._score(episode) for episode in episodes]

    def _score(self, episode: Trajectory) -> RewardParts:
        task = episode.assignment
        if not isinstance(task, Task):
            raise AslError(f"RuleReward scores the policy seat, not the {episode.role} seat")
        if episode.invalid is not None:
            return RewardParts(0.0, invalid=episode.invalid)
        parts = {self.metric: self._match(episode.answer, task.answers)}
        if self.format_reward:
            parts["format"] = shape(episode, compat=self.compat)
        return RewardParts(sum(parts.values()), parts)
