"""How much memory a build may take, and how it shares it out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from asl_env.errors import BadIndexError

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", re.IGNORECASE)

#: What a process takes before it indexes anything: interpreter, numpy, numba, the compiled code.
_BASE = 250 << 20

#: Bytes that indexing takes at most per byte of text, with words that nearly all differ.
_BYTES_PER_TEXT_BYTE = 6

#: Larger runs do not get faster, and more work is lost with one.
_LARGEST_RUN = 128 << 20
_LARGEST_SEGMENT = 512 << 20

_SMALLEST = 512 << 20


def parse_size(size: int | str) -> int:
    """Returns a number of bytes; ``"8GB"`` and ``"8GiB"`` are both 8 times 2**30.

    Raises:
        BadIndexError: If it is no size.
    """
    if isinstance(size, int):
        return size
    found = _SIZE.fullmatch(size)
    if found is None:
        raise BadIndexError(f"{size!r} is no amount of memory; write it like 8GB or 512MB")
    return int(float(found[1]) * _UNITS[found[2].lower()])


@dataclass(frozen=True)
class Budget:
    """Memory and processes of a build.

    Attributes:
        memory: Bytes that all processes together may take, roughly.
        workers: Processes that index and merge; as many as the memory is enough for are used.

    Raises:
        BadIndexError: If the memory is too small for one process, or there is no worker.
    """

    memory: int = 4 << 30
    workers: int = 1

    def __post_init__(self) -> None:
        if self.memory < _SMALLEST:
            raise BadIndexError(
                f"{self.memory / (1 << 20):.0f} MB of memory are too few to build with; "
                f"give it at least {_SMALLEST >> 20} MB"
            )
        if self.workers < 1:
            raise BadIndexError(f"{self.workers} workers cannot build anything; use at least 1")

    @property
    def processes(self) -> int:
        """How many processes to start."""
        return max(1, min(self.workers, self.memory // _SMALLEST))

    @property
    def _each(self) -> int:
        return self.memory // self.processes - _BASE

    @property
    def run_bytes(self) -> int:
        """Bytes of text in a run."""
        return min(_LARGEST_RUN, self._each // _BYTES_PER_TEXT_BYTE)

    @property
    def segment_cost(self) -> int:
        """Bytes that merging one segment may take."""
        return min(_LARGEST_SEGMENT, self._each)
