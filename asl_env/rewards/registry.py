"""Finds a reward model by its name."""

from __future__ import annotations

from typing import Any

from asl_env.errors import AslError, did_you_mean
from asl_env.plugins import load_plugin, plugin_names
from asl_env.protocols import RewardModel
from asl_env.rewards.coin import CoinReward
from asl_env.rewards.generator import GENERATOR_REWARDS
from asl_env.rewards.matching import METRICS
from asl_env.rewards.models import AgreementReward, GeneratorReward, GRMReward, RuleReward

#: Entry-point group: a class or function that makes a reward model from keyword arguments.
GROUP = "asl_env.rewards"


def reward_names() -> list[str]:
    """Returns every name that ``make_reward`` knows, plug-ins included."""
    return sorted([*METRICS, "grm", "coin", "agreement", *GENERATOR_REWARDS, *plugin_names(GROUP)])


def make_reward(name: str | RewardModel, **options: Any) -> RewardModel:
    """Makes a reward model; an object is returned as it is.

    Args:
        name: ``em``, ``cover-em``, ``f1`` (policy seat, by rule), ``grm`` (policy seat, by a
            judge), ``coin`` (by chance), ``agreement`` (GRM seat), a generator reward (``asl``,
            ``r-zero`` …), a name from the entry-point group ``asl_env.rewards``, or a reward model.
        options: Arguments of the model: ``judge``, ``tool``, ``solver``, ``format_reward`` …

    Raises:
        AslError: If there is no such reward, it does not take these options, or the object is
            not a reward model.
    """
    if not isinstance(name, str):
        return _checked(name, type(name).__name__)
    try:
        return _checked(_make(name, options), name)
    except TypeError as error:
        raise AslError(f"reward {name!r}: {error}") from error


def _make(name: str, options: dict[str, Any]) -> Any:
    if name in METRICS:
        return RuleReward(name, **options)
    if name in GENERATOR_REWARDS:
        return GeneratorReward(name=name, **options)
    if name == "grm":
        return GRMReward(**options)
    if name == "coin":
        return CoinReward(**options)
    if name == "agreement":
        return AgreementReward(**options)
    plugin = load_plugin(GROUP, name)
    if plugin is None:
        raise AslError(f"no reward is named {name!r}{did_you_mean(name, reward_names())}")
    return plugin(**options)


def _checked(model: Any, name: str) -> RewardModel:
    if isinstance(model, type) or not isinstance(model, RewardModel):
        raise AslError(f"reward {name!r}: not a reward model; give it score(episodes)")
    return model
