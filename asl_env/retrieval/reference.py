"""rank-bm25 behind the same face: slow, and the measure of what BM25 here must find."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.bm25 import indexed_text
from asl_env.retrieval.ranked import NOTHING, RankedRetriever, Ranking


class RankBM25Retriever(RankedRetriever):
    """``rank_bm25.BM25Okapi`` over the terms of an analyser; looks at every passage per query.

    A hit shares a term with the query (rank-bm25 itself fills up with passages that do not).

    Args:
        passages: The passages by row.
        analyser: Name of the analyser.

    Raises:
        BadIndexError: If there are no passages, or the analyser is unknown.
    """

    def __init__(self, passages: Iterable[Passage], analyser: str = "english") -> None:
        from rank_bm25 import BM25Okapi

        self.passages = passages if isinstance(passages, Sequence) else list(passages)
        if not self.passages:
            raise BadIndexError("no passages to index")
        self.analyser = Analyser(analyser)
        texts = [self.analyser.terms(indexed_text(passage)) for passage in self.passages]
        # rank-bm25 divides by the number of distinct terms.
        self._okapi = BM25Okapi(texts) if any(texts) else None

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """Returns at most ``k`` rows per query, by score, then by row."""
        return [self._rank(self.analyser.terms(query), k) for query in queries]

    def _rank(self, terms: list[str], k: int) -> Ranking:
        if self._okapi is None:
            return NOTHING
        scores = self._okapi.get_scores(terms)
        wanted = set(terms)
        touched = np.array([not wanted.isdisjoint(counts) for counts in self._okapi.doc_freqs])
        order = np.argsort(-scores, kind="stable")
        best = order[touched[order]][: max(k, 0)]
        return Ranking(best, scores[best])
