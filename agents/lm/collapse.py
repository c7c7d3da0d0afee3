"""Notices when a learner loses its way: nonsense, certainty, short or endless turns, no spread."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asl_env.errors import LanguageModelError


@dataclass(frozen=True)
class CollapseLimits:
    """When to warn. All values are means over the last ``window`` updates of a seat.

    Attributes:
        window: Updates that are averaged.
        invalid_turns: Most turns, as a share, that may be neither a well-formed call nor an answer.
        entropy: Least entropy per token, in nats.
        shrink: Least length of the sampled text, relative to the seat's first ``window`` updates.
        grow: Greatest length, relative to the same.
        spread: Least share of groups whose members earn different rewards; the others teach
            nothing.
    """

    window: int = 5
    invalid_turns: float = 0.5
    entropy: float = 0.02
    shrink: float = 0.3
    grow: float = 3.0
    spread: float = 0.1

    def __post_init__(self) -> None:
        if self.window < 1:
            raise LanguageModelError(f"collapse: window={self.window} must be at least 1")


class Detector(ABC):
    """Watches one number; warns when its mean goes wrong, and again only after it was right.

    Args:
        name: Name of the warning.
        metric: The metric that is watched.
        window: Updates that are averaged; there is no warning before that many.
    """

    def __init__(self, name: str, metric: str, window: int) -> None:
        self.name = name
        self.metric = metric
        self._window = window
        self._values: list[float] = []
        self._wrong = False

    def look(self, metrics: Mapping[str, Any]) -> str | None:
        """Takes in an update; returns a warning, or ``None``."""
        value = metrics.get(self.metric)
        if value is None or not math.isfinite(value):
            return None
        self._values = [*self._values, float(value)][-self._window :]
        if len(self._values) < self._window:
            return None
        warning = self.judge(math.fsum(self._values) / self._window)
        news = warning if not self._wrong else None
        self._wrong = warning is not None
        return news

    @abstractmethod
    def judge(self, mean: float) -> str | None:
        """Returns what is wrong with the mean, or ``None``."""

    def state(self) -> dict[str, Any]:
        """What ``restore`` needs; JSON-serialisable."""
        return {"values": list(self._values), "wrong": self._wrong}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what ``state`` returned."""
        self._values = [float(value) for value in state["values"]]
        self._wrong = bool(state["wrong"])


class Ceiling(Detector):
    """Warns above a limit."""

    def __init__(self, name: str, metric: str, window: int, most: float, advice: str) -> None:
        super().__init__(name, metric, window)
        self._most, self._advice = most, advice

    def judge(self, mean: float) -> str | None:
        """Returns a warning above the limit."""
        if mean <= self._most:
            return None
        return f"{self.metric} is {mean:.3g}, above {self._most:g}; {self._advice}"


class Floor(Detector):
    """Warns below a limit."""

    def __init__(self, name: str, metric: str, window: int, least: float, advice: str) -> None:
        super().__init__(name, metric, window)
        self._least, self._advice = least, advice

    def judge(self, mean: float) -> str | None:
        """Returns a warning below the limit."""
        if mean >= self._least:
            return None
        return f"{self.metric} is {mean:.3g}, below {self._least:g}; {self._advice}"


class Drift(Detector):
    """Warns when the mean leaves a range around its first value."""

    def __init__(self, name: str, metric: str, window: int, low: float, high: float) -> None:
        super().__init__(name, metric, window)
        self._low, self._high = low, high
        self._first: float | None = None

    def judge(self, mean: float) -> str | None:
        """Returns a warning outside the range; the first mean sets it."""
        if self._first is None:
            self._first = mean
        if self._low * self._first <= mean <= self._high * self._first:
            return None
        return (
            f"{self.metric} went from {self._first:.3g} to {mean:.3g}; look at the trajectories: "
            "the model may have found a way around the task"
        )

    def state(self) -> dict[str, Any]:
        """What ``restore`` needs."""
        return {**super().state(), "first": self._first}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what ``state`` returned."""
        super().restore(state)
        self._first = None if state["first"] is None else float(state["first"])


def make_detectors(limits: CollapseLimits) -> list[Detector]:
    """Returns the detectors of one seat."""
    window = limits.window
    return [
        Ceiling(
            "invalid_turns",
            "invalid_turns",
            window,
            limits.invalid_turns,
            "lower learning_rate, or go back to an earlier checkpoint",
        ),
        Floor(
            "entropy",
            "entropy",
            window,
            limits.entropy,
            "raise the setting entropy or lower learning_rate",
        ),
        Drift("length", "length", window, limits.shrink, limits.grow),
        Floor(
            "spread",
            "group_spread",
            window,
            limits.spread,
            "give tasks that are neither always nor never solved, or larger groups",
        ),
    ]
