"""Hybrid search by reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asl_env.errors import BadIndexError
from asl_env.retrieval.ranked import RankedRetriever, Ranking


class HybridRetriever(RankedRetriever):
    """Fuses the rankings of several retrievers over the same passages.

    Reciprocal rank fusion (Cormack, Clarke, Büttcher, SIGIR 2009): a passage scores the sum of
    ``1 / (constant + rank)`` over the rankings that hold it, ranks counted from 1.

    Args:
        parts: Retrievers over one and the same sequence of passages.
        constant: Damps the lead of the first ranks.
        depth: How far each ranking is read. Fixed, so that asking for more hits does not
            change the first ones.

    Raises:
        BadIndexError: If there are no parts, or their passages differ in number.
    """

    def __init__(
        self, parts: Sequence[RankedRetriever], constant: float = 60.0, depth: int = 100
    ) -> None:
        if not parts:
            raise BadIndexError("a hybrid needs at least one retriever")
        if len({len(part.passages) for part in parts}) > 1:
            raise BadIndexError("the retrievers of a hybrid must be over the same passages")
        self.parts = tuple(parts)
        self.passages = parts[0].passages
        self.constant = constant
        self.depth = depth

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """Returns at most ``k`` rows per query, by fused score, then by row."""
        depth = max(k, self.depth)
        rankings = [part.rank(queries, depth) for part in self.parts]
        return [self._fuse(found, k) for found in zip(*rankings, strict=True)]

    def _fuse(self, found: Sequence[Ranking], k: int) -> Ranking:
        rows = np.concatenate([ranking.rows for ranking in found])
        shares = [1.0 / (self.constant + 1.0 + np.arange(len(ranking.rows))) for ranking in found]
        unique, where = np.unique(rows, return_inverse=True)
        scores = np.bincount(where, np.concatenate(shares), minlength=len(unique))
        best = np.argsort(-scores, kind="stable")[: max(k, 0)]
        return Ranking(unique[best], scores[best].astype(np.float64, copy=False))
