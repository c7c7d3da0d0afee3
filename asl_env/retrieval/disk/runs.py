"""A run: the postings of a stretch of passages, sorted by term, as a piece on the disk."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.store import PassageStore
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.bm25 import indexed_text
from asl_env.retrieval.disk.layout import TEXT, map_array
from asl_env.retrieval.disk.lexicon import Lexicon
from asl_env.retrieval.disk.pieces import read_array, read_facts, write_piece

#: Files of a run beside the text of its terms: where each term ends, where its postings start, and
#: its place in the order of first occurrence; postings; terms per passage.
ENDS, STARTS, FIRSTS = "terms.u64", "starts.u64", "firsts.u32"
ROWS, COUNTS, LENGTHS = "rows.u32", "counts", "lengths.u32"


class Columns(dict[str, int]):
    """Number of the term of every surface word; -1 for a stopword. Learns a word when asked."""

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser
        self.terms: dict[str, int] = {}  # in order of first occurrence

    def __missing__(self, word: str) -> int:
        term = self._analyser.term(word)
        column = self.terms.setdefault(term, len(self.terms)) if term else -1
        self[word] = column
        return column


def make_run(store_folder: Path, rows: range, analyser: str, folder: Path) -> int:
    """Indexes a stretch of passages into a run.

    The store is opened anew, and closed, so that what was read of it does not stay mapped.

    Args:
        store_folder: A passage store.
        rows: Its rows, consecutive.
        analyser: Name of the analyser.
        folder: The run to write.

    Returns:
        Number of passages.
    """
    maker = Analyser(analyser)
    columns = Columns(maker)
    tokens, ends = array("i"), array("q")
    with PassageStore(store_folder) as store:
        for passage in store.between(rows.start, rows.stop):
            tokens.extend(map(columns.__getitem__, maker.words(indexed_text(passage))))
            ends.append(len(tokens))
    files = _invert(
        np.frombuffer(tokens, np.int32), np.frombuffer(ends, np.int64), columns.terms, rows.start
    )
    counts = files[COUNTS]
    facts = {
        "rows": [rows.start, rows.stop],
        "terms": len(columns.terms),
        "postings": len(counts),
        "counts": np.dtype(counts.dtype).str,
    }
    write_piece(folder, {**files, TEXT: "".join(sorted(columns.terms)).encode()}, facts)
    return len(rows)


def _invert(
    tokens: NDArray[np.int32], ends: NDArray[np.int64], terms: Iterable[str], first: int
) -> dict[str, NDArray[Any]]:
    """Returns the arrays of a run by file name."""
    from asl_env.retrieval.disk.inversion import count_terms, place_postings

    names = list(terms)
    frequencies = np.zeros(len(names), np.int64)
    lengths = np.empty(len(ends), np.uint32)
    count_terms(tokens, ends, frequencies, lengths)
    # UTF-8 sorts as its code points do.
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    ordered = frequencies[order]
    heads = np.empty(len(names), np.int64)
    heads[order] = np.cumsum(ordered) - ordered
    rows = np.empty(int(ordered.sum()), np.uint32)
    counts = np.empty(len(rows), np.uint32)
    place_postings(tokens, ends, heads, first, rows, counts)
    sizes = np.array([len(names[n].encode()) for n in order.tolist()], np.uint64)
    return {
        ENDS: np.cumsum(sizes, dtype=np.uint64),
        STARTS: np.concatenate([[0], np.cumsum(ordered)]).astype(np.int64),
        FIRSTS: order.astype(np.uint32),
        ROWS: rows,
        COUNTS: counts.astype(np.min_scalar_type(int(counts.max(initial=0))), copy=False),
        LENGTHS: lengths,
    }


class Part(NamedTuple):
    """The terms of a run that lie in a range.

    Attributes:
        folder: The run.
        terms: The terms, sorted.
        firsts: Shape ``[terms]``: their places in the order of first occurrence in the run.
        starts: Shape ``[terms + 1]``: where their postings start in the run's files.
    """

    folder: Path
    terms: list[bytes]
    firsts: NDArray[np.uint32]
    starts: NDArray[np.int64]

    @property
    def frequencies(self) -> NDArray[np.int64]:
        """Shape ``[terms]``: passages of the run that contain each term."""
        return np.diff(self.starts)

    def postings(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Reads the rows and the occurrences of all its postings."""
        start, stop = int(self.starts[0]), int(self.starts[-1])
        rows = read_array(self.folder / ROWS, "<u4", start, stop)
        counts = read_array(self.folder / COUNTS, read_facts(self.folder)["counts"], start, stop)
        return rows, counts.astype(np.uint32, copy=False)


def read_part(folder: Path, low: bytes, high: bytes | None) -> Part:
    """Reads the terms of a run from ``low`` to before ``high`` (``None``: to the end)."""
    with Lexicon(folder / TEXT, map_array(folder / ENDS, "<u8")) as lexicon:
        first = lexicon.place(low)
        last = len(lexicon) if high is None else lexicon.place(high)
        terms = lexicon.between(first, last)
    firsts = read_array(folder / FIRSTS, "<u4", first, last)
    return Part(folder, terms, firsts, read_array(folder / STARTS, "<i8", first, last + 1))
