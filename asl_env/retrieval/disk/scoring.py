"""The score of one passage, from the blocks of postings. Imports numba."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from asl_env.retrieval.disk.codec import BLOCK, occurrences, row_gap


@numba.njit(nogil=True, cache=True)
def slot(lasts: NDArray[np.uint32], first: int, stop: int, row: int) -> int:
    """Returns the first block of a term whose last row is not before ``row``."""
    while first < stop:
        middle = (first + stop) >> 1
        if lasts[middle] < row:
            first = middle + 1
        else:
            stop = middle
    return first


@numba.njit(nogil=True, cache=True)
def count_of(block: int, stop: int, first: int, frequency: int) -> int:
    """Returns how many postings a block of a term has."""
    return BLOCK if block < stop - 1 else frequency - BLOCK * (stop - 1 - first)


@numba.njit(nogil=True, cache=True)
def saturate(index: Any, tf: Any, row: Any) -> Any:
    """Returns the saturation of ``tf`` occurrences in a passage: from the table, where it goes."""
    lengths, norms, gain, table = index[4], index[5], index[6], index[7]
    length = lengths[row]
    if tf < table.shape[0]:
        return table[tf, length]
    return tf * gain / (tf + norms[length])


@numba.njit(nogil=True, cache=True)
def saturation(index: Any, first: int, stop: int, frequency: int, row: int) -> Any:
    """Returns the saturation of one term in one passage; 0 where it does not occur."""
    words, infos, lasts = index[:3]
    block = slot(lasts, first, stop, row)
    if block == stop:
        return 0.0
    info, count = infos[block], count_of(block, stop, first, frequency)
    here: Any = np.int64(lasts[block - 1]) if block > first else -1
    for i in range(count):
        here = np.int64(lasts[block]) if i == count - 1 else here + row_gap(words, info, i)
        if here == row:
            return saturate(index, occurrences(words, info, count, i), row)
        if here > row:
            break
    return 0.0


@numba.njit(nogil=True, cache=True)
def exact(index: Any, terms: Any, sequence: NDArray[np.int64], row: int) -> float:
    """Returns the score of one passage, added up in the order of the query."""
    firsts, stops, frequencies, idfs = terms
    score = 0.0
    for term in sequence:
        found = saturation(index, firsts[term], stops[term], frequencies[term], row)
        if found > 0.0:
            score += idfs[term] * found
    return score
