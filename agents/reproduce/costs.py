"""What the arms of claims cost: whether their budgets were equal, and what else they played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asl_env.agents.coevolution.rollouts import total
from asl_env.agents.reproduce.claim import Claim
from asl_env.agents.reproduce.results import Results


@dataclass(frozen=True)
class ArmCost:
    """What an arm had played by the end of its last round.

    Attributes:
        arm: Its name.
        seeds: For how many seeds it has results; at least one.
        policy: Rollouts that the policy learned from, one number per seed: the budget that all
            arms share, up to the last update of each round.
        rollouts: All rollouts, mean over seeds.
        seconds: Wall time, mean over seeds.
        cpu: Seconds of the processor, mean over seeds.
    """

    arm: str
    seeds: int
    policy: tuple[int, ...]
    rollouts: float
    seconds: float
    cpu: float

    @property
    def policy_text(self) -> str:
        """Mean of the policy's rollouts, with the range over seeds where they differ."""
        low, high = min(self.policy), max(self.policy)
        mean = f"{_mean(self.policy):,.0f}"
        return mean if low == high else f"{mean} ({low:,} to {high:,})"

    def cells(self) -> list[str]:
        """Policy rollouts, all rollouts, seconds and processor seconds, for a table."""
        others = (self.rollouts, self.seconds, self.cpu)
        return [self.policy_text, *(f"{value:,.0f}" for value in others)]


#: Titles of ``ArmCost.cells``.
COLUMNS = ("policy rollouts", "all rollouts", "s", "CPU s")


def arm_costs(claims: Sequence[Claim], results: Results) -> list[ArmCost]:
    """The costs of all arms that have results, each arm once."""
    costs = []
    for arm in dict.fromkeys(arm.name for claim in claims for arm in claim.arms):
        lasts = [results.last(arm, seed) for seed in results.seeds([arm])]
        if lasts:
            costs.append(
                ArmCost(
                    arm,
                    len(lasts),
                    tuple(row["rollouts"].get("played", {}).get("policy", 0) for row in lasts),
                    _mean([total(row["rollouts"]) for row in lasts]),
                    _mean([row["seconds"] for row in lasts]),
                    _mean([row["cpu"] for row in lasts]),
                )
            )
    return costs


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
