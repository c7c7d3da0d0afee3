"""What a warm-up is made of: every number that decides what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

from asl_env.agents.lm.nano.habits import Habits
from asl_env.agents.lm.nano.model import NanoShape
from asl_env.errors import LanguageModelError, did_you_mean


@dataclass(frozen=True)
class Stage:
    """A part of a warm-up with episodes and a learning rate of its own.

    Attributes:
        worlds: Freshly named worlds to play in.
        episodes: Episodes per world.
        thin: Share of episodes in which searches show a few sentences only.
        openings: First turns of further episodes, per episode: they teach to read questions.
        reading: Weight of predicting what the model reads; what it says weighs 1. Predicting names
            that were read before teaches to copy.
        learning_rate: At its peak.
        every_wording: Whether questions come in rare wordings too.
        comparisons: Verdicts without the searches before them, per episode: they teach to compare.
        stress: Weight of findings and verdicts, which have to be read and compared.
        passes: How often all episodes are gone through.
        habits: How careless the players of this stage are, if not as those of the warm-up.
    """

    worlds: int
    episodes: int
    thin: float
    openings: float
    reading: float
    learning_rate: float
    every_wording: bool = False
    comparisons: float = 0.0
    stress: int = 1
    passes: int = 1
    habits: Habits | None = None

    def __post_init__(self) -> None:
        for name in ("worlds", "episodes", "stress", "passes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not 0.0 <= self.thin <= 1.0:
            raise ValueError(f"thin={self.thin} is no share between 0 and 1")
        for name in ("openings", "comparisons", "reading", "learning_rate"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name}={getattr(self, name)} must not be negative")


#: Players of the fifth stage: the GRM begins its findings with words of its own, and is less often
#: given the right answer than one that nearly is.
ALOUD = Habits(
    stops_early=0.35,
    names_only=0.2,
    gives_up=0.3,
    judges_by_looks=0.15,
    guesses_verdict=0.05,
    asks_wrongly=0.1,
    asks_loosely=0.15,
    slips=0.02,
    claims_right=0.4,
    claims_nearly=0.6,
    checks_aloud=1.0,
)

#: Players of the last stage: a policy that mostly stops after the first hop, and can do better.
#: Greedy play follows what most did; what a share did can be found by the loop.
HASTY = replace(ALOUD, stops_early=0.65, names_only=0.3, gives_up=0.6)

#: From random weights: first to read and to copy, then which words mean which sentence, then both;
#: then the many ways in which one can ask, with stress on what has to be read and compared; then
#: the same with better judges; at last the habits to begin the loop with.
FROM_NOTHING = (
    Stage(120, 240, 0.6, 1.0, 0.15, 8e-3),
    Stage(110, 600, 0.5, 1.0, 0.05, 6e-3),
    Stage(30, 600, 0.3, 0.5, 0.03, 4e-3),
    Stage(24, 600, 0.5, 3.0, 0.03, 4e-3, every_wording=True, comparisons=5.0, stress=3),
    Stage(
        90, 600, 0.4, 1.0, 0.03, 6e-3, every_wording=True, comparisons=1.0, stress=2, habits=ALOUD
    ),
    Stage(
        36, 600, 0.3, 0.5, 0.03, 4e-3, every_wording=True, comparisons=1.0, stress=2, habits=HASTY
    ),
)


@dataclass(frozen=True)
class WarmupSettings:
    """Settings of ``asl warmup``.

    Attributes:
        seed: Of worlds, play, weights and order.
        stages: What is done, one after the other.
        tokenizer_worlds: Worlds whose text the tokenizer is trained on, before the others.
        batch_tokens: Tokens per step, padding included.
        rise: Share of a stage's steps in which the learning rate rises from nothing.
        fall: Share of the steps, at the end, in which it falls to nothing.
        lora_rank: Rank of the adapter that a given model learns with; 0 trains all its weights.
        weight_decay: Of the matrices inside the blocks.
        clip: Largest norm of the gradient.
        save_every: Steps between two saves; what a killed warm-up repeats at most.
        shape: Sizes of a new model.
        habits: How careless the imitated players are.
    """

    seed: int = 0
    stages: tuple[Stage, ...] = FROM_NOTHING
    tokenizer_worlds: int = 8
    batch_tokens: int = 6144
    rise: float = 0.03
    fall: float = 0.6
    lora_rank: int = 0
    weight_decay: float = 0.05
    clip: float = 1.0
    save_every: int = 200
    shape: NanoShape = field(default_factory=NanoShape)
    habits: Habits = field(default_factory=Habits)

    def __post_init__(self) -> None:
        for name in ("tokenizer_worlds", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not self.stages:
            raise ValueError("there is no stage")
        if self.lora_rank < 0:
            raise ValueError(f"lora_rank={self.lora_rank} must not be negative")
        if self.batch_tokens < 1024:
            raise ValueError(f"batch_tokens={self.batch_tokens} must be at least 1024")

    def rate(self, stage: Stage, done: float) -> float:
        """The learning rate when a share ``done`` of a stage's steps is done."""
        up = min(1.0, done / self.rise) if self.rise > 0 else 1.0
        down = min(1.0, (1.0 - done) / self.fall) if self.fall > 0 else 1.0
        return stage.learning_rate * min(up, down)

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


#: What a model that can read already is warmed up with: an adapter, and few episodes.
GIVEN_MODEL = WarmupSettings(
    stages=(Stage(4, 240, 0.3, 0.0, 0.0, 5e-4),), batch_tokens=4096, lora_rank=16, save_every=20
)


def read_settings(changes: Sequence[str], base: WarmupSettings | None = None) -> WarmupSettings:
    """Settings with changes such as ``habits.slips=0`` or ``stages.0.worlds=10``.

    Args:
        changes: ``field=value`` each.
        base: What is changed; the nano model's settings by default.

    Raises:
        LanguageModelError: If a field is unknown, or a value is no number or impossible.
    """
    settings: Any = base or WarmupSettings()
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise LanguageModelError(f"--set {change}: write field=value, as in habits.slips=0")
        settings = _changed(settings, name.strip().split("."), value, change)
    made: WarmupSettings = settings
    return made


def _changed(part: Any, path: Sequence[str], value: str, change: str) -> Any:
    """A part of the settings with one number in it changed."""
    if not path:
        return _number(part, value, change)
    name, *rest = path
    items = _items(part)
    if name not in items:
        known = did_you_mean(name, items) if items else "; it is one number"
        raise LanguageModelError(f"--set {change}: no field {name!r}{known}")
    new = _changed(items[name], rest, value, change)
    try:
        if isinstance(part, tuple):
            return tuple(new if str(at) == name else old for at, old in enumerate(part))
        return replace(part, **{name: new})
    except ValueError as error:
        raise LanguageModelError(f"--set {change}: {error}") from error


def _items(part: Any) -> dict[str, Any]:
    """What is inside a part of the settings, by name or number."""
    if isinstance(part, tuple):
        return {str(at): item for at, item in enumerate(part)}
    if is_dataclass(part):
        return {item.name: getattr(part, item.name) for item in fields(part)}
    return {}


def _number(old: Any, value: str, change: str) -> Any:
    if _items(old):
        known = ", ".join(_items(old))
        raise LanguageModelError(f"--set {change}: name what inside it; there are {known}")
    if old is None:
        raise LanguageModelError(f"--set {change}: nothing is set there that could be changed")
    try:
        return type(old)(value)
    except ValueError as error:
        kind = "whole number" if isinstance(old, int) else "number"
        raise LanguageModelError(f"--set {change}: {value!r} is no {kind}") from error
