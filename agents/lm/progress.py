"""One call of the learner: plays batches, counts, and reports after every update."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asl_env.agents.lm.advantages import group_advantages
from asl_env.agents.lm.collapse import Detector
from asl_env.agents.lm.rollout import Rollout, collect
from asl_env.agents.lm.settings import GRPOSettings
from asl_env.protocols import Agent, LearnCallback

if TYPE_CHECKING:
    from asl_env.agents.lm.template import ChatTemplate
    from asl_env.protocols import Dialect


_COUNTS = ("episodes", "invalid", "tokens", "time/rollout")


class Batch(NamedTuple):
    """Episodes as the trainer takes them, one sequence each.

    Attributes:
        ids: Token ids.
        logprobs: Those of the sampled tokens, 0 elsewhere.
        mask: 1 where a token is trained on; all 0 for an invalid episode.
        advantages: One per episode.
    """

    ids: list[list[int]]
    logprobs: list[list[float]]
    mask: list[list[int]]
    advantages: list[float]


class Phase:
    """Brings the trainer its batches and tells the caller how it goes.

    Args:
        agent: Plays with the weights that are trained.
        vector_env: The seat's vector environment, already reset.
        template: The chat template of the seat's model.
        settings: Hyper-parameters.
        budget: Environment steps.
        callbacks: Called after every update.
        detectors: Look at the metrics of every update.
    """

    def __init__(
        self,
        agent: Agent,
        vector_env: Any,
        template: ChatTemplate,
        settings: GRPOSettings,
        budget: int,
        callbacks: Sequence[LearnCallback],
        detectors: Sequence[Detector],
    ) -> None:
        self._agent, self._env, self._template = agent, vector_env, template
        self._settings, self._budget = settings, budget
        self._callbacks, self._detectors = tuple(callbacks), tuple(detectors)
        at_once = vector_env.num_envs // vector_env.group_size
        self.episodes_each: int = math.ceil((settings.groups or at_once) / at_once)
        self.steps = 0
        self.updates = 0
        self._batch: dict[str, float] = {}
        self._seen: list[dict[str, Any]] = []
        self._started = perf_counter()

    @property
    def rows(self) -> int:
        """Episodes per batch."""
        rows: int = self._env.num_envs * self.episodes_each
        return rows

    def batch(self) -> Batch:
        """Plays the next episodes."""
        started = perf_counter()
        rollouts, steps = collect(self._agent, self._env, self.episodes_each, self._template)
        self.steps += steps
        valid = [rollout.parts.invalid is None for rollout in rollouts]
        rewards = [rollout.parts.total for rollout in rollouts]
        groups = [rollout.group for rollout in rollouts]
        advantages = group_advantages(rewards, groups, valid, self._settings.scale)
        self._batch = self._described(rollouts, rewards, valid, advantages)
        self._batch["time/rollout"] = perf_counter() - started
        advantages *= self._settings.weight(self._env.role)
        return self._rows(rollouts, valid, advantages.tolist())

    def _rows(
        self, rollouts: Sequence[Rollout], valid: Sequence[bool], advantages: list[float]
    ) -> Batch:
        end = self._settings.max_length
        batch = Batch([], [], [], advantages)
        for rollout, good in zip(rollouts, valid, strict=True):
            record = rollout.record
            batch.ids.append([int(one) for one in record.ids[:end]])
            batch.logprobs.append([float(one) for one in record.logprobs[:end]])
            batch.mask.append([int(one) if good else 0 for one in record.mask[:end]])
        return batch

    def _described(
        self,
        rollouts: Sequence[Rollout],
        rewards: Sequence[float],
        valid: Sequence[bool],
        advantages: Any,
    ) -> dict[str, float]:
        good = [reward for reward, ok in zip(rewards, valid, strict=True) if ok]
        sampled = [int(sum(rollout.record.mask)) for rollout in rollouts]
        turns = [len(rollout.trajectory.turns) for rollout in rollouts]
        groups = {rollout.group for rollout in rollouts}
        spread = {r.group for r, a in zip(rollouts, advantages, strict=True) if a != 0.0}
        return {
            "episodes": float(len(good)),
            "invalid": float(len(rollouts) - len(good)),
            "invalid_share": 1.0 - len(good) / len(rollouts),
            "reward": math.fsum(good) / len(good) if good else 0.0,
            "reward_std": float(np.std(good)) if good else 0.0,
            "group_spread": len(spread) / len(groups),
            "invalid_turns": self._invalid_turns(rollouts, sum(turns)),
            "turns": sum(turns) / len(rollouts),
            "length": sum(sampled) / len(rollouts),
            "longest": float(max(len(rollout.record.ids) for rollout in rollouts)),
            "tokens": float(sum(sampled)),
            # An estimate, replaced by the trainer's exact mean where it computes all tokens.
            "entropy": -math.fsum(sum(r.record.logprobs) for r in rollouts) / max(1, sum(sampled)),
        }

    def _invalid_turns(self, rollouts: Sequence[Rollout], turns: int) -> float:
        """Share of turns that are neither a well-formed call nor an answer."""
        dialect: Dialect = self._env.dialect
        wrong = 0
        for rollout in rollouts:
            for turn in rollout.trajectory.turns:
                action = dialect.parse(turn.text, self._env.role)
                if action.kind == "search":
                    wrong += all(call.error is not None for call in action.calls)
                else:
                    wrong += action.answer is None
        return wrong / turns if turns else 0.0

    def updated(self, update: Mapping[str, float], left: int) -> bool:
        """Reports an optimiser step; returns whether there is to be another.

        Args:
            update: The trainer's metrics of the step.
            left: Optimiser steps that are still to be made on the same episodes.
        """
        self.updates += 1
        metrics: dict[str, Any] = {
            "steps": self.steps,
            "updates": self.updates,
            **self._batch,
            **update,
            "time/total": perf_counter() - self._started,
        }
        for detector in self._detectors:
            warning = detector.look(metrics)
            if warning is not None:
                metrics[f"collapse/{detector.name}"] = warning
        self._seen.append(metrics)
        go_on = True
        for callback in self._callbacks:
            go_on = callback(metrics) is not False and go_on
        return go_on and (left > 0 or self.steps < self._budget)

    def summary(self) -> dict[str, float]:
        """Scalars over the whole call: means over updates, sums of seconds and counts."""
        out: dict[str, float] = {}
        for name in {name: None for metrics in self._seen for name in metrics}:
            values = [metrics[name] for metrics in self._seen if name in metrics]
            if name.startswith("collapse/"):
                out[name] = float(len(values))
            elif name in ("steps", "updates", "time/total"):
                out[name] = float(values[-1])
            elif name in _COUNTS:  # the same episodes serve several updates
                out[name] = math.fsum(values) / self._settings.iterations
            elif name.startswith("time/"):
                out[name] = math.fsum(values)
            else:
                out[name] = math.fsum(values) / len(values)
        return out
