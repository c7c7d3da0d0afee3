"""What the local retrievers share: rank row numbers, then read the passages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.protocols import Hit

Self = TypeVar("Self", bound="RankedRetriever")


class Passages(Protocol):
    """Passages by row: a list, or a ``PassageStore``."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> Passage: ...


class Ranking(NamedTuple):
    """Rows of the passages found for one query, best first.

    Attributes:
        rows: Shape ``[n]``, n at most k.
        scores: Shape ``[n]``, not increasing; among equal scores the rows increase.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


#: The ranking of a query that finds nothing.
NOTHING = Ranking(np.empty(0, np.int64), np.empty(0, np.float64))


class RankedRetriever(ABC):
    """A retriever over a sequence of passages.

    The first hits of a search for many are the hits of a search for few, so that a cached
    answer can be cut.

    Attributes:
        passages: The passages by row.
    """

    passages: Passages

    @abstractmethod
    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """Returns at most ``k`` rows per query."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns for each query at most ``k`` hits, best first; ties by passage order."""
        passages = self.passages
        return [
            [
                Hit(passages[row], score)
                for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True)
            ]
            for found in self.rank(queries, k)
        ]

    def __deepcopy__(self: Self, memo: dict[int, object]) -> Self:
        # Gymnasium deep-copies the specification of an environment, arguments included; an
        # index is read-only and may be large, so the copy is the index itself.
        return self
