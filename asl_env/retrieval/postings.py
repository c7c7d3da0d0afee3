"""Streaming construction of BM25 postings with Okapi weights.

The result is the eager sparse layout of bm25s (Lù, 2024, arXiv:2407.03618): one column per term
with the rows of the passages that contain it and the finished weight of the term in each. The
weights are those of rank-bm25's ``BM25Okapi``, computed with the same operations in the same
order in double precision, so that scores agree bit for bit::

    idf(t)      = ln(N - df + 0.5) - ln(df + 0.5);  where negative: epsilon * mean idf
    weight(t,d) = idf(t) * (tf * (k1 + 1)) / (tf + k1 * (1 - b + b * |d| / avgdl))

bm25s cannot compute them itself: its idf is a function of df and N, the floor needs the mean
over the vocabulary.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl_env.retrieval.analyser import Analyser

K1, B, EPSILON = 1.5, 0.75, 0.25

#: Tokens gathered before they are sorted into a run; about 250 MB while sorting.
_TOKENS_PER_RUN = 4_000_000

#: Makes the array that the result is written to: (name, length, dtype) -> array.
Allocate = Callable[[str, int, str], NDArray[Any]]


class Postings(NamedTuple):
    """A term-by-passage matrix in compressed sparse columns.

    Attributes:
        vocabulary: Column of each term, in order of first occurrence.
        indptr: Shape ``[terms + 1]``: where each column starts.
        indices: Shape ``[postings]``: rows, increasing within a column.
        data: Shape ``[postings]``: weights.
        size: Number of passages.
    """

    vocabulary: dict[str, int]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.float64]
    size: int


class Run(NamedTuple):
    """Sorted postings of a stretch of passages: parallel arrays, by term, then by row."""

    terms: NDArray[np.int32]
    rows: NDArray[np.int32]
    frequencies: NDArray[np.int32]


def in_memory(name: str, length: int, dtype: str) -> NDArray[Any]:
    """Allocates an array in memory."""
    return np.empty(length, dtype)


class PostingsBuilder:
    """Collects texts one at a time, then computes their postings.

    Memory: the vocabulary, four bytes per passage, and about 250 MB; the runs go to
    ``workspace`` if there is one (12 bytes per posting), otherwise they stay in memory.

    Args:
        analyser: Makes terms.
        workspace: Folder for temporary files.
    """

    def __init__(self, analyser: Analyser, workspace: Path | None = None) -> None:
        self._analyser = analyser
        self._workspace = workspace
        self._columns: dict[str, int] = {}  # by term
        self._known: dict[str, int] = {}  # by surface word; -1 for a stopword
        self._tokens = array("i")
        self._lengths = array("i")
        self._first = 0  # row at which the current run starts
        self._runs: list[Run | Path] = []

    def add(self, text: str) -> None:
        """Indexes the next passage."""
        known, before = self._known, len(self._tokens)
        columns = []
        for word in self._analyser.words(text):
            column = known.get(word)
            if column is None:
                column = known[word] = self._column(word)
            if column >= 0:
                columns.append(column)
        self._tokens.extend(columns)
        self._lengths.append(len(self._tokens) - before)
        if len(self._tokens) >= _TOKENS_PER_RUN:
            self._close_run()

    def _column(self, word: str) -> int:
        term = self._analyser.term(word)
        return self._columns.setdefault(term, len(self._columns)) if term else -1

    def _close_run(self) -> None:
        lengths = np.frombuffer(self._lengths, np.int32)[self._first :]
        rows = np.repeat(np.arange(self._first, self._first + len(lengths)), lengths)
        keys = (np.frombuffer(self._tokens, np.int32).astype(np.int64) << 32) | rows
        keys, counts = np.unique(keys, return_counts=True)
        run = Run(
            (keys >> 32).astype(np.int32),
            (keys & 0xFFFFFFFF).astype(np.int32),
            counts.astype(np.int32),
        )
        self._first = len(self._lengths)
        self._tokens = array("i")
        if self._workspace is None:
            self._runs.append(run)
        else:
            path = self._workspace / f"run-{len(self._runs)}.i32"
            path.write_bytes(np.stack(run).tobytes())
            self._runs.append(path)

    def _open_runs(self) -> Iterator[Run]:
        for run in self._runs:
            yield Run(*_read(run)) if isinstance(run, Path) else run

    def finish(self, allocate: Allocate = in_memory) -> Postings:
        """Computes the weights and sorts everything by term.

        Args:
            allocate: Where the arrays ``indptr``, ``indices`` and ``data`` live.
        """
        if self._tokens or not self._runs:
            self._close_run()
        count, terms = len(self._lengths), len(self._columns)
        frequency = np.zeros(terms, np.int64)
        for run in self._open_runs():
            frequency += np.bincount(run.terms, minlength=terms)
        idf = okapi_idf(frequency, count)
        norm = self._length_norm()
        indptr = allocate("indptr", terms + 1, "int64")
        indptr[0] = 0
        np.cumsum(frequency, out=indptr[1:])
        indices = allocate("indices", int(indptr[-1]), "int32")
        data = allocate("data", int(indptr[-1]), "float64")
        heads = np.array(indptr[:-1])
        for run in self._open_runs():
            here = np.bincount(run.terms, minlength=terms)
            starts = np.cumsum(here) - here
            place = (heads - starts)[run.terms] + np.arange(len(run.terms))
            indices[place] = run.rows
            saturation = run.frequencies * (K1 + 1) / (run.frequencies + norm[run.rows])
            data[place] = idf[run.terms] * saturation
            heads += here
        for path in self._runs:
            if isinstance(path, Path):
                path.unlink()
        return Postings(self._columns, indptr, indices, data, count)

    def _length_norm(self) -> NDArray[np.float64]:
        lengths = np.frombuffer(self._lengths, np.int32)
        return length_norm(lengths, mean_length(int(lengths.sum(dtype=np.int64)), len(lengths)))


def mean_length(total: int, count: int) -> float:
    """Terms per passage; 1 where no passage has any, so that it can be divided by."""
    return total / count or 1.0


def length_norm(lengths: NDArray[np.int32], mean: float) -> NDArray[np.float64]:
    """Returns ``k1 * (1 - b + b * |d| / avgdl)``.

    Args:
        lengths: Shape ``[n]``: terms in each passage, |d|.
        mean: Their mean, avgdl.
    """
    norm = K1 * (1 - B + B * lengths / mean)
    return norm.astype(np.float64, copy=False)


def _read(path: Path) -> NDArray[np.int32]:
    return np.fromfile(path, np.int32).reshape(3, -1)


def plain_idf(frequency: int, count: int) -> float:
    """Inverse document frequency before the floor.

    Args:
        frequency: Passages that contain the term, at least 1.
        count: Number of passages.
    """
    return math.log(count - frequency + 0.5) - math.log(frequency + 0.5)


def floored_idf(frequency: int, count: int, mean: float) -> float:
    """Inverse document frequency with the floor: ``epsilon * mean`` where it would be negative."""
    idf = plain_idf(frequency, count)
    return idf if idf >= 0 else EPSILON * mean


def mean_idf(frequency: NDArray[np.int64], count: int) -> float:
    """Mean over the vocabulary of the idf before the floor; 0 for no vocabulary.

    Args:
        frequency: Shape ``[terms]``, in order of first occurrence: rank-bm25 adds from left to
            right, and the last bits depend on the order.
        count: Number of passages.
    """
    return _mean(_plain_idfs(frequency, count))


def okapi_idf(frequency: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Inverse document frequencies as rank-bm25's ``BM25Okapi`` computes them.

    Args:
        frequency: Shape ``[terms]``: passages that contain the term, at least 1 each, in order
            of first occurrence.
        count: Number of passages.
    """
    idf = _plain_idfs(frequency, count)
    idf[idf < 0] = EPSILON * _mean(idf)
    return idf


def _plain_idfs(frequency: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    values, which = np.unique(frequency, return_inverse=True)
    table = [plain_idf(df, count) for df in values.tolist()]
    idf: NDArray[np.float64] = np.array(table, np.float64)[which]
    return idf


def _mean(idf: NDArray[np.float64]) -> float:
    return float(np.add.accumulate(idf)[-1] / len(idf)) if len(idf) else 0.0
