"""BM25 on the disk, behind the face of every retriever."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.errors import BadIndexError
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.disk.layout import TEXT, DiskPostings, open_postings
from asl_env.retrieval.disk.lexicon import Lexicon
from asl_env.retrieval.postings import K1, floored_idf, length_norm
from asl_env.retrieval.ranked import NOTHING, Passages, RankedRetriever, Ranking

#: Query words whose terms are remembered.
_KNOWN_WORDS = 100_000

#: Rows of a window: ``1 << _SHIFT``. Smaller ones bound more tightly, larger ones are fewer.
_SHIFT = 12

#: Bounds of one query (terms times windows) that are kept at most; 8 bytes each.
_MOST_BOUNDS = 1 << 20

#: Passages from which one query is worth several threads, and how many.
_SHARED_FROM, _MOST_SHARES = 5_000_000, 4

#: Saturations are looked up for terms that occur fewer times than this in a passage.
_TABLED = 16

#: Queries that are worth handing to another thread.
_QUERIES_PER_TASK = 4


class DiskBM25Retriever(RankedRetriever):
    """The ranking of ``BM25Retriever`` over postings that stay on the disk.

    Rows, scores (bit for bit) and order are the same: best first, ties by row. Opening maps files
    and reads none. A search allocates no array of the size of the corpus: it needs about 150 kB,
    8 bytes per term and 4,096 passages, and 16 bytes per hit asked for. Batches are shared among
    threads, and so are the windows of one query over many passages. Safe to share between threads.

    Args:
        folder: What ``build_postings`` wrote.
        passages: The passages by row.
        analyser: The analyser that made the postings.
        threads: Threads of a search; the number of cores by default.

    Raises:
        BadIndexError: If a file is missing or damaged, or the passages are others.
    """

    def __init__(
        self, folder: Path, passages: Passages, analyser: Analyser, threads: int | None = None
    ) -> None:
        postings = open_postings(folder)
        if postings.header.passages != len(passages):
            raise BadIndexError(
                f"{folder}: indexes {postings.header.passages} passages, the store has "
                f"{len(passages)}"
            )
        self.passages = passages
        self.analyser = analyser
        self.postings = postings
        self.threads = threads or os.cpu_count() or 1
        self._lexicon = Lexicon(folder / TEXT, postings.terms)
        self._index = _kernel_arguments(postings)
        self._known: dict[str, int] = {}

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """Returns at most ``k`` rows per query, by score, then by row."""
        tasks = min(4 * self.threads, len(queries) // _QUERIES_PER_TASK)
        if self.threads < 2 or tasks < 2:
            many = self.postings.header.passages >= _SHARED_FROM
            shares = min(self.threads, _MOST_SHARES) if many else 1
            return [self._rank(query, k, shares) for query in queries]
        parts = [
            queries[n * len(queries) // tasks : (n + 1) * len(queries) // tasks]
            for n in range(tasks)
        ]
        with ThreadPoolExecutor(self.threads) as pool:
            done = pool.map(lambda part: [self._rank(query, k) for query in part], parts)
            return [ranking for part in done for ranking in part]

    def _terms(self, query: str) -> list[int]:
        """Numbers of the query's known terms, repetitions included, in order."""
        known, found = self._known, []
        for word in self.analyser.words(query):
            term = known.get(word)
            if term is None:
                term = self._learn(word)
            if term >= 0:
                found.append(term)
        return found

    def _learn(self, word: str) -> int:
        """Looks a surface word up and remembers its term; -1 for one that is not indexed."""
        term = self.analyser.term(word)
        number = self._lexicon.find(term) if term else -1
        if len(self._known) >= _KNOWN_WORDS:
            self._known.clear()
        self._known[word] = number
        return number

    def _rank(self, query: str, k: int, shares: int = 1) -> Ranking:
        words = self._terms(query)
        if not words or k < 1:
            return NOTHING
        from asl_env.retrieval.disk.pruning import best_rows, plan_windows

        postings = self.postings
        header = postings.header
        unique, sequence, repeats = np.unique(words, return_inverse=True, return_counts=True)
        frequencies = postings.frequencies[unique].astype(np.int64)
        idfs = np.array(
            [floored_idf(df, header.passages, header.mean_idf) for df in frequencies.tolist()]
        )
        shift = _SHIFT
        while len(unique) * (header.passages >> shift) > _MOST_BOUNDS:
            shift += 1
        k = min(k, header.passages, int(frequencies.sum()))
        terms = (postings.blocks[unique], postings.blocks[unique + 1], frequencies, idfs)
        prune = bool(idfs.min() > 0)
        gains: NDArray[np.float64] = idfs * repeats.astype(np.float64)
        windows = plan_windows(self._index, terms, gains, shift, prune)
        about = (terms, gains, sequence.astype(np.int64), windows)

        def search(share: int, floors: NDArray[np.float64]) -> Any:
            return best_rows(self._index, *about, (shift, k), prune, share, floors)

        rows, scores = _in_shares(search, shares)
        order = np.lexsort((rows, -scores))[:k]
        return Ranking(rows[order], scores[order])


def _in_shares(search: Callable[..., Any], shares: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Searches with so many threads; returns the best of each, one after another."""
    floors = np.full(shares, -np.inf)
    if shares == 1:
        rows, scores = search(0, floors)
        return rows, scores
    with ThreadPoolExecutor(shares - 1) as pool:
        others = [pool.submit(search, share, floors) for share in range(1, shares)]
        found = [search(0, floors), *(other.result() for other in others)]
    return np.concatenate([rows for rows, _ in found]), np.concatenate([s for _, s in found])


def _kernel_arguments(postings: DiskPostings) -> tuple[Any, ...]:
    """What ``pruning.best_rows`` takes as its index."""
    header = postings.header
    lengths = np.arange(header.longest + 1, dtype=np.int32)
    norms = length_norm(lengths, header.mean_length)
    times = np.arange(_TABLED, dtype=np.int64)[:, None]
    # The very operations of the kernel, so that it does not matter which one computes.
    table = times * (K1 + 1) / (times + norms)
    return (
        postings.words,
        postings.infos,
        postings.lasts,
        postings.peaks,
        postings.lengths,
        norms,
        K1 + 1,
        table,
    )
