"""The compiled BM25 scorer. Importing this module imports numba; do it when first needed."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def _insert(
    rows: NDArray[np.int64], best: NDArray[np.float64], kept: int, row: int, score: float
) -> int:
    """Puts a row into its place among the best, dropping the last if full; returns how many."""
    place = min(kept, len(rows) - 1)
    while place > 0 and (
        best[place - 1] < score or (best[place - 1] == score and rows[place - 1] > row)
    ):
        best[place] = best[place - 1]
        rows[place] = rows[place - 1]
        place -= 1
    best[place] = score
    rows[place] = row
    return min(kept + 1, len(rows))


@numba.njit(nogil=True, cache=True)
def _drain_all(
    scores: NDArray[np.float64], rows: NDArray[np.int64], best: NDArray[np.float64]
) -> int:
    """Keeps the best rows of the whole scratch array, and clears it."""
    kept = 0
    floor = 0.0
    for row in range(len(scores)):
        score = scores[row]
        if score > floor:
            kept = _insert(rows, best, kept, row, score)
            if kept == len(rows):
                floor = best[kept - 1]
    scores[:] = 0.0
    return kept


@numba.njit(nogil=True, cache=True)
def _drain_touched(
    columns: NDArray[np.int64],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    scores: NDArray[np.float64],
    rows: NDArray[np.int64],
    best: NDArray[np.float64],
) -> int:
    """The same when few rows were touched: visits those alone, and clears them."""
    kept = 0
    last = len(rows) - 1
    for column in columns:
        for at in range(indptr[column], indptr[column + 1]):
            row = indices[at]
            score = scores[row]
            if score == 0.0:  # visited before, through another term
                continue
            scores[row] = 0.0
            full = kept > last
            if full and (score < best[last] or (score == best[last] and row > rows[last])):
                continue
            kept = _insert(rows, best, kept, row, score)
    return kept


@numba.njit(nogil=True, cache=True)
def top_rows(
    columns: NDArray[np.int64],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[np.float64],
    scores: NDArray[np.float64],
    k: int,
) -> Any:
    """Adds up the columns of one query and keeps the best rows.

    Args:
        columns: Shape ``[terms]``: columns of the query's terms, repetitions included.
        indptr: Where each column starts.
        indices: Rows, increasing within a column.
        data: Weights; within a column they have one sign.
        scores: Shape ``[passages]``: scratch, zero before and after.
        k: How many rows to keep, at least 1.

    Returns:
        Whether all weights are positive; if not, nothing was computed. Then rows and scores,
        each of shape ``[at most k]``, by score, then by row.
    """
    rows = np.empty(k, np.int64)
    best = np.empty(k, np.float64)
    touched = 0
    for column in columns:
        if data[indptr[column]] <= 0.0:
            return False, rows[:0], best[:0]
        touched += indptr[column + 1] - indptr[column]
    for column in columns:
        for at in range(indptr[column], indptr[column + 1]):
            scores[indices[at]] += data[at]
    if 2 * touched > len(scores):
        kept = _drain_all(scores, rows, best)
    else:
        kept = _drain_touched(columns, indptr, indices, scores, rows, best)
    return True, rows[:kept], best[:kept]
