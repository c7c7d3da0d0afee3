"""From passages as numbers to postings by term. Importing this module imports numba."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def count_terms(
    tokens: NDArray[np.int32],
    ends: NDArray[np.int64],
    frequencies: NDArray[np.int64],
    lengths: NDArray[np.uint32],
) -> None:
    """Counts passages by term, and terms by passage.

    Args:
        tokens: Shape ``[words]``: number of the term of each word; -1 for a stopword.
        ends: Shape ``[passages]``: where the words of each passage end.
        frequencies: Shape ``[terms]``, zeros: gets the passages that contain each term.
        lengths: Shape ``[passages]``: gets the terms of each passage.
    """
    seen = np.full(len(frequencies), -1, np.int64)
    start = 0
    for row in range(len(ends)):
        length = 0
        for at in range(start, ends[row]):
            term = tokens[at]
            if term >= 0:
                length += 1
                if seen[term] != row:
                    seen[term] = row
                    frequencies[term] += 1
        lengths[row] = length
        start = ends[row]


@numba.njit(nogil=True, cache=True)
def place_postings(
    tokens: NDArray[np.int32],
    ends: NDArray[np.int64],
    heads: NDArray[np.int64],
    first: int,
    rows: NDArray[np.uint32],
    counts: NDArray[np.uint32],
) -> None:
    """Writes the postings of every term to its place, by row.

    Args:
        tokens: As for ``count_terms``.
        ends: As for ``count_terms``.
        heads: Shape ``[terms]``: where the postings of each term start; moved to their ends.
        first: Row of the first passage.
        rows: Shape ``[postings]``: gets rows.
        counts: Shape ``[postings]``: gets occurrences.
    """
    seen = np.full(len(heads), -1, np.int64)
    start = 0
    for row in range(len(ends)):
        for at in range(start, ends[row]):
            term = tokens[at]
            if term < 0:
                continue
            if seen[term] == row:
                counts[heads[term] - 1] += 1
            else:
                seen[term] = row
                rows[heads[term]] = first + row
                counts[heads[term]] = 1
                heads[term] += 1
        start = ends[row]


@numba.njit(nogil=True, cache=True)
def append_run(
    numbers: NDArray[np.int64],
    frequencies: NDArray[np.int64],
    run_rows: NDArray[np.uint32],
    run_counts: NDArray[np.uint32],
    heads: NDArray[np.int64],
    rows: NDArray[np.uint32],
    counts: NDArray[np.uint32],
) -> None:
    """Appends the postings of a run, sorted by its own terms, to those of all terms.

    Args:
        numbers: Shape ``[terms of the run]``: number of each among all terms.
        frequencies: Shape ``[terms of the run]``: postings of each.
        run_rows: Shape ``[postings of the run]``: rows.
        run_counts: Shape ``[postings of the run]``: occurrences.
        heads: Shape ``[terms]``: where the next postings of each term go; moved on.
        rows: Shape ``[postings]``: gets rows.
        counts: Shape ``[postings]``: gets occurrences.
    """
    at = 0
    for term in range(len(numbers)):
        head = heads[numbers[term]]
        for i in range(frequencies[term]):
            rows[head + i] = run_rows[at + i]
            counts[head + i] = run_counts[at + i]
        at += frequencies[term]
        heads[numbers[term]] = head + frequencies[term]
