"""A retriever that finds the same passages whatever is asked: for benchmarks and tests."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.corpora.passages import Passage
from asl_env.protocols import Hit

_PASSAGES = tuple(
    Passage(f"null-{n}", f"Nothing {n}", f"This is passage {n} of a retriever that finds nothing.")
    for n in range(1, 21)
)


class NullRetriever:
    """Answers every query with the first ``k`` of a fixed list.

    Args:
        passages: The list; by default twenty short made-up passages.
    """

    def __init__(self, passages: Sequence[Passage] = _PASSAGES) -> None:
        self._hits = [Hit(passage, 1.0 / n) for n, passage in enumerate(passages, start=1)]

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns the same hits for every query."""
        return [self._hits[:k] for _ in queries]
