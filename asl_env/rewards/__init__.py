"""Rewards: pure functions, and the models that score finished episodes with them."""

from asl_env.rewards.models import (
    AgreementReward,
    GeneratorReward,
    GRMReward,
    RuleReward,
    WeightedReward,
)
from asl_env.rewards.registry import make_reward, reward_names
from asl_env.rewards.verdict import parse_verdict, write_verdict

__all__ = [
    "AgreementReward",
    "GRMReward",
    "GeneratorReward",
    "RuleReward",
    "WeightedReward",
    "make_reward",
    "parse_verdict",
    "reward_names",
    "write_verdict",
]
