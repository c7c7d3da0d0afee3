"""Hyper-parameters of the language-model learner."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from asl_env.agents.lm.collapse import CollapseLimits
from asl_env.episode import Role
from asl_env.errors import LanguageModelError, did_you_mean


@dataclass(frozen=True)
class LoraSettings:
    """A low-rank adapter that is trained in place of the weights (PEFT's ``LoraConfig``).

    Attributes:
        rank: Inner dimension.
        alpha: Scale; the adapter's part is multiplied by ``alpha / rank``.
        targets: Names of the modules that get one, or ``"all-linear"``.
    """

    rank: int = 16
    alpha: int = 32
    targets: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        if not isinstance(self.targets, str):
            object.__setattr__(self, "targets", tuple(self.targets))
        if self.rank < 1 or self.alpha <= 0:
            raise LanguageModelError(
                f"lora: rank={self.rank} and alpha={self.alpha} must both be positive"
            )


@dataclass(frozen=True)
class GRPOSettings:
    """GRPO over whole episodes; the group size is the vector environment's.

    The defaults are the paper's where they carry over (its released code trains with PPO).

    Attributes:
        groups: Task groups per update; rounded up to a multiple of the groups that the vector
            environment plays at a time. ``None`` takes one episode of every sub-environment.
        learning_rate: AdamW's step size, constant. The paper's 1e-6 is for models of billions of
            parameters; small ones need more.
        weight_decay: Of AdamW, on matrices only.
        max_grad_norm: The gradient is clipped to this length; 0 leaves it.
        clip: Probability ratios below ``1 - clip`` gain nothing more.
        clip_high: Probability ratios above ``1 + clip_high`` gain nothing more; ``None`` for
            ``clip``.
        beta: Weight of the divergence from the initial model, with the gradient of arXiv:2512.02556
            (0: that model is not kept).
        entropy: Weight of the entropy bonus, a mean over all trained tokens. With 0 (and no
            ``beta``) episodes whose advantage is 0 are not computed at all.
        temperature: Of sampling; the loss uses the same.
        temperatures: Of the seats named here, in place of ``temperature``.
        iterations: Optimiser steps per batch of episodes.
        scale: What advantages are divided by: the standard deviation of the ``group``, that of the
            ``batch``, or ``none``.
        reward_scale: Weight of each seat's advantages; seats that are left out weigh 1.
        micro_batch_tokens: Padded tokens per forward pass; bounds the memory of an update. The
            default is about the fastest on a CPU; a GPU takes more at a time.
        gradient_checkpointing: Recomputes activations in the backward pass: less memory, a third
            more time.
        max_new_tokens: Tokens per turn at most.
        max_length: Sequences are trained on up to this many tokens; ``None`` for all.
        lora: Trains an adapter in place of the weights.
        bf16: Computes updates in bfloat16 where the weights are float32 (GPU).
        collapse: When the learner warns that it is losing its way.
    """

    groups: int | None = None
    learning_rate: float = 1e-5
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    clip: float = 0.2
    clip_high: float | None = None
    beta: float = 0.0
    entropy: float = 0.001
    temperature: float = 1.0
    temperatures: Mapping[str, float] = field(default_factory=dict)
    iterations: int = 1
    scale: Literal["group", "batch", "none"] = "group"
    reward_scale: Mapping[str, float] = field(default_factory=dict)
    micro_batch_tokens: int = 4096
    gradient_checkpointing: bool = False
    max_new_tokens: int = 256
    max_length: int | None = None
    lora: LoraSettings | None = None
    bf16: bool = False
    collapse: CollapseLimits = field(default_factory=CollapseLimits)

    def __post_init__(self) -> None:
        for name, kind in (("lora", LoraSettings), ("collapse", CollapseLimits)):
            value: Any = getattr(self, name)
            if isinstance(value, Mapping):
                object.__setattr__(self, name, _made(kind, value, f"{name}: "))
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= least):
                raise LanguageModelError(f"{name}={value} must be a number of at least {least}")
        if self.scale not in _SCALES:
            raise LanguageModelError(
                f"scale={self.scale!r} is none of {', '.join(_SCALES)}"
                f"{did_you_mean(str(self.scale), _SCALES)}"
            )
        for name in ("reward_scale", "temperatures"):
            object.__setattr__(self, name, _by_seat(name, getattr(self, name)))
        for value in (self.temperature, *self.temperatures.values()):
            if not (math.isfinite(value) and value > 0):
                raise LanguageModelError(f"temperature={value} must be above 0")

    def of_seat(self, role: Role) -> GRPOSettings:
        """Settings with the temperature of one seat as the only one."""
        temperature = self.temperatures.get(role.value, self.temperature)
        return replace(self, temperature=temperature, temperatures={})

    @classmethod
    def of(cls, given: GRPOSettings | Mapping[str, Any] | None) -> GRPOSettings:
        """Makes settings of a mapping with some of the fields.

        Raises:
            LanguageModelError: If a field is unknown or impossible.
        """
        if isinstance(given, GRPOSettings):
            return given
        made: GRPOSettings = _made(cls, given or {}, "")
        return made

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as ``of`` takes them."""
        return dataclasses.asdict(self)

    def weight(self, role: Role) -> float:
        """Weight of a seat's advantages."""
        return self.reward_scale.get(role.value, 1.0)


_SCALES = ("group", "batch", "none")
_LEAST = {
    "groups": 1,
    "learning_rate": 0,
    "weight_decay": 0,
    "max_grad_norm": 0,
    "clip": 0,
    "clip_high": 0,
    "beta": 0,
    "entropy": 0,
    "iterations": 1,
    "micro_batch_tokens": 1,
    "max_new_tokens": 1,
    "max_length": 2,
}


def _by_seat(name: str, given: Any) -> dict[str, float]:
    """Numbers by the name of the seat.

    Raises:
        LanguageModelError: If it is no mapping, or of other seats, or not of numbers.
    """
    seats = [role.value for role in Role]
    if not isinstance(given, Mapping):
        raise LanguageModelError(
            f"{name}={given!r}: write a number per seat, as in {{policy: 0.7}}"
        )
    numbers: dict[str, float] = {}
    for seat, value in given.items():
        number = _number(value)
        if str(seat) not in seats:
            raise LanguageModelError(
                f"{name}: no seat is called {seat!r}{did_you_mean(str(seat), seats)}"
            )
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise LanguageModelError(f"{name}: {seat}={value!r} is no number")
        if not math.isfinite(number):
            raise LanguageModelError(f"{name}: {seat}={value!r} must be finite")
        numbers[str(seat)] = number
    return numbers


def _made(kind: Any, given: Mapping[str, Any], where: str) -> Any:
    names = [one.name for one in dataclasses.fields(kind)]
    for name in given:
        if name not in names:
            raise LanguageModelError(
                f"{where}no setting of the learner is called {name!r}{did_you_mean(name, names)}"
            )
    try:
        return kind(**{name: _number(value) for name, value in given.items()})
    except TypeError as error:
        raise LanguageModelError(
            f"{where}a setting of the learner has a value of the wrong kind ({error})"
        ) from error


def _number(value: Any) -> Any:
    """The number that a string spells: YAML reads ``3e-4``, which has no point, as a string."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
