"""The best passages so far, the worst of them on top. Imports numba."""

from __future__ import annotations

from typing import Any

import numba


@numba.njit(nogil=True, cache=True)
def _worse(scores: Any, rows: Any, a: int, b: int) -> Any:
    """Whether entry ``a`` ranks behind entry ``b``: a lower score, or the same and a later row."""
    return scores[a] < scores[b] or (scores[a] == scores[b] and rows[a] > rows[b])


@numba.njit(nogil=True, cache=True)
def _swap(scores: Any, rows: Any, a: int, b: int) -> None:
    scores[a], scores[b] = scores[b], scores[a]
    rows[a], rows[b] = rows[b], rows[a]


@numba.njit(nogil=True, cache=True)
def offer(scores: Any, rows: Any, kept: int, row: int, score: float) -> int:
    """Offers a passage to the heap whose root is the worst one kept; returns how many are kept."""
    if kept < len(rows):
        at = kept
        scores[at], rows[at] = score, row
        while at > 0 and _worse(scores, rows, at, (at - 1) >> 1):
            _swap(scores, rows, at, (at - 1) >> 1)
            at = (at - 1) >> 1
        return kept + 1
    if score < scores[0] or (score == scores[0] and row > rows[0]):
        return kept
    scores[0], rows[0] = score, row
    at = 0
    while 2 * at + 1 < kept:
        child = 2 * at + 1
        if child + 1 < kept and _worse(scores, rows, child + 1, child):
            child += 1
        if not _worse(scores, rows, child, at):
            break
        _swap(scores, rows, child, at)
        at = child
    return kept
