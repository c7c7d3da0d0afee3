"""Passages of recent queries, so that a repeated query costs no search."""

from __future__ import annotations

from collections import OrderedDict

from asl_env.protocols import Hit


class QueryCache:
    """Remembers what was found, least recently used queries go first. For one thread.

    The first hits of a search for many are the hits of a search for few, so an entry serves
    every smaller ``k`` too.

    Args:
        size: Queries at most; 0 remembers nothing.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._found: OrderedDict[str, tuple[tuple[Hit, ...], int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, query: str, k: int) -> tuple[Hit, ...] | None:
        """Returns the first ``k`` hits, or ``None`` if a search is needed."""
        entry = self._found.get(query)
        if entry is None:
            return None
        hits, asked = entry
        if k > asked and len(hits) >= asked:
            return None
        self._found.move_to_end(query)
        return hits[:k]

    def put(self, query: str, hits: tuple[Hit, ...], asked: int) -> None:
        """Remembers the hits of a search for ``asked`` passages."""
        self._found[query] = (hits, asked)
        self._found.move_to_end(query)
        while len(self._found) > self._size:
            self._found.popitem(last=False)
