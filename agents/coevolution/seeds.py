"""Randomness that depends on where in a run it is drawn, never on what was drawn before."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from asl_env.episode import Assignment


def generator(seed: int, *place: int | str) -> np.random.Generator:
    """A generator for one place of a run, such as ``(seed, round, "solve", chunk)``."""
    return np.random.default_rng(_key(seed, place))


def derive(seed: int, *place: int | str) -> int:
    """A seed below 2**31 for one place of a run."""
    return int(np.random.SeedSequence(_key(seed, place)).generate_state(1)[0] >> 1)


def derive_many(count: int, seed: int, *place: int | str) -> list[int]:
    """``count`` seeds below 2**31 for one place of a run."""
    return [int(n >> 1) for n in np.random.SeedSequence(_key(seed, place)).generate_state(count)]


def _key(seed: int, place: Sequence[int | str]) -> list[int]:
    return [seed, *(zlib.crc32(p.encode()) if isinstance(p, str) else p for p in place)]


class Deck:
    """Deals assignments in shuffled passes, so that all are played equally often.

    Args:
        assignments: What is dealt; at least one.
        seed: Seed of the run.
        place: Where in the run; each pass of a place has its own order.
        drawn: How many were dealt before (a resumed phase goes on from there).

    Attributes:
        drawn: How many have been dealt.
    """

    def __init__(
        self, assignments: Sequence[Assignment], seed: int, place: Sequence[int | str], drawn: int
    ) -> None:
        self._assignments = assignments
        self._seed = seed
        self._place = tuple(place)
        self._order: list[int] = []
        self._pass = -1
        self.drawn = drawn

    def __call__(self, rng: np.random.Generator | None = None) -> Assignment:
        """Deals the next one; ``rng`` is ignored, the order belongs to the place in the run."""
        number, position = divmod(self.drawn, len(self._assignments))
        if number != self._pass:
            self._pass = number
            shuffler = generator(self._seed, *self._place, "deck", number)
            self._order = shuffler.permutation(len(self._assignments)).tolist()
        self.drawn += 1
        return self._assignments[self._order[position]]
