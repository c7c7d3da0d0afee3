"""A space for text: any string up to a length.

``gymnasium.spaces.Text`` has no blank in its default alphabet, rejects accents, costs hundreds of
microseconds per check of a long text, and gives wrong data under ``AsyncVectorEnv`` with shared
memory. ``Unicode`` has no alphabet, checks a length, and is refused loudly where shared memory
would be needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium.spaces import Space

#: Characters that samples are drawn from: what people type, and some of what models write.
_SAMPLED = np.array(list("abcdefghijklmnopqrstuvwxyz ABCDEFG 0123456789 .,?!'\"<>/{}:-éß中\n"))
#: Longest sample, in characters.
_SAMPLE_CHARS = 24


class Unicode(Space[str]):
    """All strings of at most ``max_length`` characters, the empty one included.

    Args:
        max_length: Longest string in the space, in characters (code points).
        seed: Seed of ``sample``.
    """

    def __init__(
        self, max_length: int = 1_000_000, *, seed: int | np.random.Generator | None = None
    ) -> None:
        if max_length < 1:
            raise ValueError(f"max_length must be at least 1, got {max_length}")
        self.max_length = int(max_length)
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Text has no fixed-size array form."""
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """Draws a short string of mixed characters.

        Args:
            mask: Not supported, must be ``None``.
            probability: Not supported, must be ``None``.

        Returns:
            Between 1 and 24 characters, reproducible by ``seed``.
        """
        if mask is not None or probability is not None:
            raise ValueError("a Unicode space samples without mask and probability")
        length = int(self.np_random.integers(1, min(_SAMPLE_CHARS, self.max_length) + 1))
        picks = self.np_random.integers(0, len(_SAMPLED), size=length)
        return "".join(_SAMPLED[picks])

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a string that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length

    __contains__ = contains

    def to_jsonable(self, sample_n: Iterable[str]) -> list[str]:
        """Returns the samples as plain strings."""
        return [str(sample) for sample in sample_n]

    def from_jsonable(self, sample_n: list[Any]) -> list[str]:
        """Inverse of ``to_jsonable``."""
        return [str(sample) for sample in sample_n]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unicode) and other.max_length == self.max_length

    def __hash__(self) -> int:
        return hash((Unicode, self.max_length))

    def __repr__(self) -> str:
        return f"Unicode({self.max_length})"
