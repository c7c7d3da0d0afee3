"""BM25 in memory: the ranking of rank-bm25's Okapi, at the speed of bm25s.

An index on disk is a bm25s index (``bm25s.BM25.load`` opens it), memory-mapped when opened.
Only the weights are our own (see ``postings``), and the selection: bm25s breaks ties in no
particular order, and fills up with passages that share no word with the query. bm25s itself is
not imported: that takes longer than opening the index of MiniWiki.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.postings import K1, B, Postings, PostingsBuilder
from asl_env.retrieval.ranked import NOTHING, Passages, RankedRetriever, Ranking

_VOCABULARY, _PARAMETERS = "vocab.index.json", "params.index.json"

#: The compiled scorer (numba) costs about a second to start. It is loaded at once for indexes of
#: this many passages, and after this many queries on smaller ones; both score bit for bit alike.
_COMPILED_FROM = 40_000
_QUERIES_BEFORE_COMPILING = 1_000

#: The compiled scorer keeps the best rows in a sorted list: good for few, slow for very many.
_COMPILED_K = 500

#: Query words whose columns are remembered.
_KNOWN_WORDS = 100_000


def indexed_text(passage: Passage) -> str:
    """What of a passage is indexed: title and text."""
    return f"{passage.title} {passage.text}" if passage.title else passage.text


def array_path(folder: Path, name: str) -> Path:
    """Returns the file of one of the arrays ``indptr``, ``indices``, ``data``."""
    return folder / f"{name}.csc.index.npy"


class BM25Retriever(RankedRetriever):
    """Okapi BM25 with k1 = 1.5, b = 0.75, epsilon = 0.25, exactly as rank-bm25 ranks.

    A hit shares at least one term with the query; a query without known terms finds nothing.
    Safe to share between threads.

    Args:
        passages: The passages by row.
        postings: What ``PostingsBuilder`` made of them.
        analyser: The analyser that made the postings.
        compiled: Whether to use the compiled scorer; by default, when it pays.
    """

    def __init__(
        self,
        passages: Passages,
        postings: Postings,
        analyser: Analyser,
        compiled: bool | None = None,
    ) -> None:
        self.passages = passages
        self.analyser = analyser
        self.postings = postings
        self._arrays = (postings.indptr, postings.indices, postings.data)
        for array in self._arrays:
            # As arrays mapped from a file are; the scorer is compiled for one kind alone.
            array.flags.writeable = False
        self._compiled = compiled
        self._known: dict[str, int] = {}
        self._served = 0
        self._top_rows: Any = None
        self._local = threading.local()

    @classmethod
    def from_passages(
        cls, passages: Iterable[Passage], analyser: str = "english", compiled: bool | None = None
    ) -> BM25Retriever:
        """Indexes passages in memory.

        Raises:
            BadIndexError: If there are none, or the analyser is unknown.
        """
        kept = passages if isinstance(passages, Sequence) else list(passages)
        if not kept:
            raise BadIndexError("no passages to index")
        maker = Analyser(analyser)
        builder = PostingsBuilder(maker)
        for passage in kept:
            builder.add(indexed_text(passage))
        return cls(kept, builder.finish(), maker, compiled)

    @classmethod
    def load(cls, folder: Path, passages: Passages, analyser: Analyser) -> BM25Retriever:
        """Opens what ``write_header`` and ``PostingsBuilder`` wrote to a folder, memory-mapped.

        Raises:
            BadIndexError: If a file is missing or damaged.
        """
        try:
            vocabulary = json.loads((folder / _VOCABULARY).read_text(encoding="utf-8"))
            size = json.loads((folder / _PARAMETERS).read_text(encoding="utf-8"))["num_docs"]
            # Indexing a plain view is several times faster than indexing the memmap subclass.
            indptr, indices, data = (
                np.load(array_path(folder, name), mmap_mode="r").view(np.ndarray)
                for name in ("indptr", "indices", "data")
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadIndexError(f"{folder}: is damaged ({error})") from error
        if len(indptr) != len(vocabulary) + 1 or not len(indices) == len(data) == indptr[-1]:
            raise BadIndexError(f"{folder}: is damaged (its arrays do not fit together)")
        if size != len(passages):
            raise BadIndexError(f"{folder}: indexes {size} passages, the store has {len(passages)}")
        return cls(passages, Postings(vocabulary, indptr, indices, data, size), analyser)

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """Returns at most ``k`` rows per query, by score, then by row."""
        if self._top_rows is None and self._wants_compiling(len(queries)):
            from asl_env.retrieval.kernel import top_rows

            self._top_rows = top_rows
        return [self._rank(self._columns(query), k) for query in queries]

    def _wants_compiling(self, queries: int) -> bool:
        # Threads may lose a count here; it only decides when to compile.
        self._served += queries
        if self._compiled is not None:
            return self._compiled
        return self.postings.size >= _COMPILED_FROM or self._served > _QUERIES_BEFORE_COMPILING

    def _columns(self, query: str) -> list[int]:
        """Columns of the query's known terms, repetitions included, in order."""
        known, columns = self._known, []
        for word in self.analyser.words(query):
            column = known.get(word)
            if column is None:
                column = self._learn(word)
            if column >= 0:
                columns.append(column)
        return columns

    def _learn(self, word: str) -> int:
        """Looks a surface word up and remembers its column; -1 for one that is not indexed."""
        column = self.postings.vocabulary.get(self.analyser.term(word), -1)
        if len(self._known) >= _KNOWN_WORDS:
            self._known.clear()
        self._known[word] = column
        return column

    def _rank(self, columns: list[int], k: int) -> Ranking:
        k = min(k, self.postings.size)
        if not columns or k < 1:
            return NOTHING
        if self._top_rows is not None and k <= _COMPILED_K:
            done, rows, scores = self._top_rows(
                np.array(columns), *self._arrays, self._scratch(), k
            )
            if done:
                return Ranking(rows, scores)
        return _rank_plainly(self.postings, columns, k)

    def _scratch(self) -> NDArray[np.float64]:
        """A zeroed array of one score per passage; each thread has its own."""
        scratch: NDArray[np.float64] | None = getattr(self._local, "scores", None)
        if scratch is None:
            scratch = self._local.scores = np.zeros(self.postings.size)
        return scratch


def write_header(folder: Path, postings: Postings) -> None:
    """Writes vocabulary and parameters beside the arrays, as bm25s does.

    bm25s has no name for our weights; ``atire`` names the nearest, and matters only if
    somebody indexes again with it.
    """
    text = json.dumps(postings.vocabulary, ensure_ascii=False)
    (folder / _VOCABULARY).write_text(text, encoding="utf-8")
    parameters = {
        "k1": K1,
        "b": B,
        "delta": 0.0,
        "method": "atire",
        "idf_method": "atire",
        "dtype": "float64",
        "int_dtype": "int32",
        "num_docs": postings.size,
        "version": "0.2.7",
        "backend": "numpy",
    }
    (folder / _PARAMETERS).write_text(json.dumps(parameters, indent=1), encoding="utf-8")


def _rank_plainly(matrix: Postings, columns: list[int], k: int) -> Ranking:
    """Scores in numpy alone. Adds in the order of the terms, as rank-bm25 does."""
    spans = [slice(matrix.indptr[c], matrix.indptr[c + 1]) for c in columns]
    rows = np.concatenate([matrix.indices[span] for span in spans])
    weights = np.concatenate([matrix.data[span] for span in spans])
    scores = np.bincount(rows, weights, minlength=matrix.size).astype(np.float64, copy=False)
    if weights.min() > 0:
        found = np.flatnonzero(scores >= _bound(scores, [matrix.indices[s] for s in spans], k))
    else:
        found = np.unique(rows).astype(np.int64)
    best = found[np.argsort(-scores[found], kind="stable")[:k]]
    return Ranking(best, scores[best])


def _bound(scores: NDArray[np.float64], lists: list[NDArray[np.int32]], k: int) -> float:
    """A positive lower bound of the k-th best score: the k-th best within one column."""
    long_enough = [rows for rows in lists if len(rows) >= k]
    if not long_enough:
        return float(np.finfo(np.float64).tiny)
    inside = scores[min(long_enough, key=len)]
    return float(np.partition(inside, len(inside) - k)[len(inside) - k])
