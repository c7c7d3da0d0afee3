"""Where the wall time of a step went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Timing(Mapping[str, float]):
    """Seconds of one step: ``search`` in the tool, ``reward`` in the reward model, ``step`` in all.

    Two timings always compare equal: a duration is a measurement, not part of the transition, and
    whoever checks that an environment is deterministic compares infos.
    """

    __slots__ = ("reward", "search", "step")

    def __init__(self, search: float = 0.0, reward: float = 0.0, step: float = 0.0) -> None:
        self.search = search
        self.reward = reward
        self.step = step

    def __getitem__(self, name: str) -> float:
        if name in self.__slots__:
            return float(getattr(self, name))
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__slots__)

    def __len__(self) -> int:
        return len(self.__slots__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timing)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Timing(search={self.search:.6f}, reward={self.reward:.6f}, step={self.step:.6f})"
