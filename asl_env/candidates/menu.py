"""A menu: the finite set of turns that a candidate agent may choose from in one state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from asl_env.protocols import Dialect

#: Rows of the padded feature matrix (K) and its columns (F); the same for the three seats.
MAX_CANDIDATES = 48
FEATURES = 128
#: Column in which every seat puts its hand-made score, so that a lexical agent is an argmax.
PRIOR = 0


def observation_space() -> spaces.Box:
    """The space of padded menus: one flat vector, as Stable-Baselines3's checker wants it."""
    return spaces.Box(-np.inf, np.inf, (MAX_CANDIDATES * FEATURES,), np.float32)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One turn on the menu, before it is written in a dialect."""

    kind: str
    text: str
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Menu:
    """Candidates with their features.

    Attributes:
        candidates: At most ``MAX_CANDIDATES``, at least one.
        features: Array ``[len(candidates), FEATURES]``, finite; column ``PRIOR`` is the hand-made
            score.
    """

    candidates: tuple[Candidate, ...]
    features: NDArray[np.float32]

    def padded(self) -> NDArray[np.float32]:
        """All rows behind each other and zeros behind the last, ``[MAX_CANDIDATES * FEATURES]``."""
        out = np.zeros(MAX_CANDIDATES * FEATURES, np.float32)
        out[: self.features.size] = self.features.reshape(-1)
        return out

    def mask(self) -> NDArray[np.bool_]:
        """True for rows that are candidates, shape ``[MAX_CANDIDATES]``."""
        out = np.zeros(MAX_CANDIDATES, np.bool_)
        out[: len(self.candidates)] = True
        return out

    def write(self, index: int, dialect: Dialect) -> str:
        """Writes one candidate as an assistant turn."""
        candidate = self.candidates[index]
        if candidate.kind == "search":
            return dialect.write_search(candidate.text, think=f"I look up {candidate.text}.")
        return dialect.write_final(
            candidate.text, question=candidate.question, think="I have read enough to answer."
        )


class MenuRows:
    """Collects candidates with named feature columns until the menu is full.

    Args:
        columns: Names of the leading feature columns; the first must be ``prior``.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._column = {name: i for i, name in enumerate(columns)}
        self._candidates: list[Candidate] = []
        self._matrix = np.zeros((MAX_CANDIDATES, FEATURES), np.float32)

    def __len__(self) -> int:
        return len(self._candidates)

    @property
    def full(self) -> bool:
        """Whether no candidate fits any more."""
        return len(self._candidates) == MAX_CANDIDATES

    def add(
        self,
        candidate: Candidate,
        tail: NDArray[np.float32] | None = None,
        /,
        **values: float,
    ) -> None:
        """Adds a candidate, unless the menu is full.

        Args:
            candidate: The turn.
            tail: Features behind the named columns, shape ``[<= FEATURES - columns]``.
            **values: Named features; the others are zero.
        """
        if self.full:
            return
        row = self._matrix[len(self._candidates)]
        for name, value in values.items():
            row[self._column[name]] = value
        if tail is not None:
            start = len(self._column)
            row[start : start + len(tail)] = tail
        self._candidates.append(candidate)

    def menu(self) -> Menu:
        """The finished menu."""
        n = len(self._candidates)
        return Menu(tuple(self._candidates), self._matrix[:n])
