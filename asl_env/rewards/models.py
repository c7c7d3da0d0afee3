"""Reward models: they score finished episodes, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from asl_env.dialects import make_dialect
from asl_env.episode import Claim, RewardParts, Task, Trajectory
from asl_env.errors import AslError, did_you_mean
from asl_env.protocols import Agent, Dialect, RewardModel
from asl_env.rewards.judging import Judgement, Partners, derive_seed
from asl_env.rewards.matching import METRICS, Metric, cover_em
from asl_env.rewards.proposing import GeneratorReward
from asl_env.rewards.shaping import format_reward as shape
from asl_env.rewards.verdict import parse_verdict

if TYPE_CHECKING:
    from asl_env.play import Tool

__all__ = ["AgreementReward", "GRMReward", "GeneratorReward", "RuleReward", "WeightedReward"]


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


class AgreementReward:
    """Rewards the GRM seat for the verdict that is the claim's label.

    A verdict outside the grammar earns 0; a claim without a label cannot be scored and makes the
    episode invalid.

    Args:
        format_reward: Add the format reward.
        compat: Count a label found anywhere inside the answer, and read the format from the text
            alone, as the released ASL code does; exploitable by naming both verdicts.
    """

    def __init__(self, *, format_reward: bool = False, compat: bool = False) -> None:
        self.format_reward = format_reward
        self.compat = compat

    def score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        """Returns parts ``{"agreement", "format"}`` per episode."""
        return [self._score(episode) for episode in episodes]

    def _score(self, episode: Trajectory) -> RewardParts:
        claim = episode.assignment
        if not isinstance(claim, Claim):
            raise AslError(f"AgreementReward scores the GRM seat, not the {episode.role} seat")
        if episode.invalid is not None or claim.label is None:
            return RewardParts(0.0, invalid=episode.invalid or "label")
        verdict = parse_verdict(episode.answer)
        agrees = float(verdict == claim.label)
        if self.compat:
            agrees = cover_em(episode.answer, [claim.label], compat=True)
        parts = {"agreement": agrees}
        if self.format_reward:
            parts["format"] = shape(episode, compat=self.compat)
        return RewardParts(sum(parts.values()), parts, extras={"verdict": verdict})


class GRMReward:
    """Rewards the policy seat by a judge's verdict; the judge plays the GRM seat.

    The judge sees question and final answer only. Several votes are decided by their majority. A
    missing answer earns 0 without asking. If no vote is inside the grammar, or votes are even,
    there is no verdict and the episode is invalid. ``extras["verdicts"]`` lists the votes,
    ``extras["rollouts"]`` counts them.

    Args:
        judge: Plays the GRM seat.
        tool: Its search tool.
        dialect: Name or object.
        votes: Judgements per answer, at least 1.
        format_reward: Add the format reward.
        max_turns: Turns of a judgement at most.
        compat: Read verdicts and format by substrings, as the released ASL code does.

    Raises:
        AslError: If there are no votes.
    """

    def __init__(
        self,
        judge: Agent,
        tool: Tool,
        dialect: str | Dialect = "asl",
        votes: int = 1,
        format_reward: bool = False,
        *,
        max_turns: int = 9,
        compat: bool = False,
    ) -> None:
        if votes < 1:
            raise AslError(f"GRMReward: votes={votes} must be at least 1")
        self.votes, self.format_reward, self.compat = votes, format_reward, compat
        dialect = make_dialect(dialect)
        self.partners = Partners(tool, dialect, None, judge, max_turns, compat)

    def score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        """Returns parts ``{"verdict", "format"}`` per episode; one batched rollout for all."""
        asked = [index for index, episode in enumerate(episodes) if self._answered(episode)]
        claims = [_claim(episodes[index]) for index in asked for _ in range(self.votes)]
        seeds = [
            derive_seed(episodes[index].seed, "judge", vote)
            for index in asked
            for vote in range(self.votes)
        ]
        judgements = self.partners.judgements(claims, seeds)
        said: list[Sequence[Judgement]] = [()] * len(episodes)
        for position, index in enumerate(asked):
            said[index] = judgements[position * self.votes : (position + 1) * self.votes]
        return [self._parts(*pair) for pair in zip(episodes, said, strict=True)]

    @staticmethod
    def _answered(episode: Trajectory) -> bool:
        if not isinstance(episode.assignment, Task):
            raise AslError(f"GRMReward scores the policy seat, not the {episode.role} seat")
        return episode.invalid is None and episode.answer is not None

    def _parts(self, episode: Trajectory, said: Sequence[Judgement]) -> RewardParts:
        verdicts = [judgement.verdict for judgement in said]
        extras = {"verdicts": verdicts, "rollouts": {"grm": len(verdicts)}}
        right, wrong = verdicts.count("correct"), verdicts.count("wrong")
        invalid = episode.invalid
        if said and right == wrong:
            failures = [judgement.failure for judgement in said if judgement.failure]
            invalid = failures[0] if failures else "verdict"
        if invalid is not None:
            return RewardParts(0.0, invalid=invalid, extras=extras)
        parts = {"verdict": float(right > wrong)}
        if self.format_reward:
            parts["format"] = shape(episode, compat=self.compat)
        return RewardParts(sum(parts.values()), parts, extras=extras)


class WeightedReward:
    """A weighted sum of reward models.

    Parts are named ``model/part``, extras by model; an episode that one model finds invalid is
    invalid.

    Args:
        models: Name to (model, weight).

    Raises:
        AslError: If there are no models.
    """

    def __init__(self, models: Mapping[str, tuple[RewardModel, float]]) -> None:
        if not models:
            raise AslError("WeightedReward: give it at least one model")
        self.models = dict(models)

    def score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        """Returns the weighted totals with the parts of every model."""
        columns = [model.score(episodes) for model, _ in self.models.values()]
        return [self._mix(row) for row in zip(*columns, strict=True)]

    def _mix(self, row: Sequence[RewardParts]) -> RewardParts:
        named = list(zip(self.models, row, strict=True))
        invalid = next((parts.invalid for parts in row if parts.invalid is not None), None)
        weights = [weight for _, weight in self.models.values()]
        total = sum(weight * parts.total for weight, parts in zip(weights, row, strict=True))
        mixed = {
            f"{name}/{part}": value for name, parts in named for part, value in parts.parts.items()
        }
        extras = {name: parts.extras for name, parts in named if parts.extras}
        return RewardParts(0.0 if invalid else total, mixed, invalid, extras)


def _claim(episode: Trajectory) -> Claim:
    task = episode.assignment
    assert isinstance(task, Task)
    return Claim(task.id, task.question, episode.answer or "")
