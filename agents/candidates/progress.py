"""What a learner reports while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from asl_env.protocols import LearnCallback


class ProgressCallback(BaseCallback):
    """Counts episodes and calls the caller's callbacks once per update."""

    def __init__(self, callbacks: Sequence[LearnCallback]) -> None:
        super().__init__()
        self._callbacks = tuple(callbacks)
        self._rewards: list[float] = []
        self._update_rewards: list[float] = []
        self._invalid = 0
        self._go_on = True

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode_reward" not in info:
                continue
            if info["invalid"]:
                self._invalid += 1
            else:
                self._update_rewards.append(info["episode_reward"])
        return self._go_on

    def _on_rollout_end(self) -> None:
        values = self._update_rewards
        metrics: dict[str, Any] = {
            "steps": self.num_timesteps,
            "episodes": len(values),
            "reward": sum(values) / len(values) if values else 0.0,
            "invalid": self._invalid,
        }
        self._rewards.extend(values)
        self._update_rewards = []
        for callback in self._callbacks:
            self._go_on = callback(metrics) and self._go_on

    def summary(self) -> dict[str, float]:
        """Scalars over the whole call."""
        rewards = self._rewards + self._update_rewards
        total = len(rewards) + self._invalid
        entropy = self.model.logger.name_to_value.get("train/entropy_loss", 0.0)
        return {
            "reward": sum(rewards) / len(rewards) if rewards else 0.0,
            "episodes": float(len(rewards)),
            "invalid_share": self._invalid / total if total else 0.0,
            "steps": float(self.num_timesteps),
            "entropy": -float(entropy),
        }
