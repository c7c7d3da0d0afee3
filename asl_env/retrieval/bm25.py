"""BM25 in memory: the ranking of rank-bm25's Okapi, at the speed of bm25s.

An index on disk is a bm25s index (``bm25s.BM25.load`` opens it), memory-mapped when opened.
Only the weights are our own (see ``postings``), and the selection: bm25s breaks ties in no
particular order, and fills up with passages that share no word with the query.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.postings import Postings, PostingsBuilder
from asl_env.retrieval.ranked import RankedRetriever, Ranking

_FILES = {name: f"{name}.csc.index.npy" for name in ("data", "indices", "indptr")}
_VOCABULARY, _PARAMETERS = "vocab.index.json", "params.index.json"

#: From this many passages on the compiled scorer pays for its start (numba, about a second).
_COMPILED_FROM = 40_000


def indexed_text(passage: Passage) -> str:
    """What of a passage is indexed: title and text."""
    return f"{passage.title} {passage.text}" if passage.title else passage.text


class BM25Retriever(RankedRetriever):
    """Okapi BM25 with k1 = 1.5, b = 0.75, epsilon = 0.25, exactly as rank-bm25 ranks.

    A hit shares at least one term with the query; a query without known terms finds nothing.
    Safe to share between threads.

    Args:
        passages: The passages by row.
        postings: What ``PostingsBuilder`` made of them.
        analyser: The analyser that made the postings.
        compiled: Use the numba scorer (default: on large indexes).
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        postings: Postings,
        analyser: Analyser,
        compiled: bool | None = None,
    ) -> None:
        self.passages = passages
        self.analyser = analyser
        self.postings = postings
        self._compiled = postings.size >= _COMPILED_FROM if compiled is None else compiled
        self._local = threading.local()

    @classmethod
    def from_passages(
        cls, passages: Iterable[Passage], analyser: str = "english", compiled: bool | None = None
    ) -> BM25Retriever:
        """Indexes passages in memory."""
        kept = passages if isinstance(passages, Sequence) else list(passages)
        maker = Analyser(analyser)
        builder = PostingsBuilder(maker)
        for passage in kept:
            builder.add(indexed_text(passage))
        return cls(kept, builder.finish(), maker, compiled)

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """Returns at most ``k`` rows per query, by score, then by row."""
        return [self._rank(self._columns(query), k) for query in queries]

    def _columns(self, query: str) -> list[int]:
        """Columns of the query's known terms, repetitions included, in order."""
        get = self.postings.vocabulary.get
        columns = [get(term, -1) for term in self.analyser.terms(query)]
        return [column for column in columns if column >= 0]

    def _rank(self, columns: list[int], k: int) -> Ranking:
        if not columns or k < 1:
            return Ranking(np.empty(0, np.int64), np.empty(0))
        matrix = self.postings
        spans = [slice(matrix.indptr[c], matrix.indptr[c + 1]) for c in columns]
        rows = np.concatenate([matrix.indices[span] for span in spans])
        weights = np.concatenate([matrix.data[span] for span in spans])
        scores = np.bincount(rows, weights, minlength=matrix.size)
        found = _candidates(scores, rows, spans, k, positive=bool(weights.min() > 0))
        order = np.argsort(-scores[found], kind="stable")[:k]
        best = found[order]
        return Ranking(best, scores[best])


def _candidates(
    scores: NDArray[np.float64],
    rows: NDArray[np.int32],
    spans: list[slice],
    k: int,
    positive: bool,
) -> NDArray[np.int64]:
    """Rows, increasing, that certainly include the best ``k`` of those that were touched."""
    if not positive:
        return np.unique(rows).astype(np.int64)
    # The k-th best score within any one column is a lower bound of the k-th best overall.
    at, bound = 0, 0.0
    shortest = None
    for span in spans:
        length = span.stop - span.start
        if length >= k and (shortest is None or length < shortest[1]):
            shortest = (at, length)
        at += length
    if shortest is not None:
        start, length = shortest
        inside = scores[rows[start : start + length]]
        bound = np.partition(inside, length - k)[length - k]
        return np.flatnonzero(scores >= bound)
    return np.flatnonzero(scores)
