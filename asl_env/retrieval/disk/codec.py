"""Posting lists in blocks of 128, bit-packed. Importing this module imports numba.

A block holds the gaps between its rows, less one, each in as many bits as the largest of them
needs; then how often the term occurs in each passage, less one, alike. The last row of a block is
kept beside it (searches skip by it), so the last gap is not stored. A block without any bits, such
as that of a term that occurs once in the corpus, takes no space at all.

``infos`` says where a block starts and how wide it is: ``word << 16 | row bits << 8 | count bits``.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

#: Postings of a block; the last block of a term may have fewer.
BLOCK = 128

#: Words behind the last block, so that a reader may always take two words at once.
PADDING = 2


@numba.njit(nogil=True, cache=True)
def take(words: NDArray[np.uint32], place: int, bits: int) -> Any:
    """Returns the ``bits`` (at most 32) that start at bit ``place``."""
    at = place >> 5
    pair = np.int64(words[at]) | (np.int64(words[at + 1]) << 32)
    return (pair >> (place & 31)) & ((1 << bits) - 1)


@numba.njit(nogil=True, cache=True)
def _put(words: NDArray[np.uint32], place: int, bits: int, value: Any) -> None:
    """Writes what ``take`` reads, where there was nothing but zeros."""
    at, shift = place >> 5, place & 31
    words[at] |= np.uint32((value << shift) & 0xFFFFFFFF)
    if shift + bits > 32:
        words[at + 1] |= np.uint32(value >> (32 - shift))


@numba.njit(nogil=True, cache=True)
def _width(value: Any) -> int:
    bits = 0
    while value > 0:
        value >>= 1
        bits += 1
    return bits


@numba.njit(nogil=True, cache=True)
def unpack_rows(
    words: NDArray[np.uint32], info: int, before: Any, last: Any, count: int, rows: NDArray[Any]
) -> None:
    """Reads the rows of a block.

    Args:
        words: Shape ``[words]``: every block.
        info: Place and widths of this one.
        before: Last row of the term's block before, -1 if this is the first.
        last: Last row of this block.
        count: How many postings it has.
        rows: Shape ``[at least count]``: where the rows go.
    """
    bits = (info >> 8) & 255
    mask = (1 << bits) - 1
    place = (info >> 16) << 5
    row = before
    for i in range(count - 1):
        at = place >> 5
        pair = np.int64(words[at]) | (np.int64(words[at + 1]) << 32)
        row += ((pair >> (place & 31)) & mask) + 1
        rows[i] = row
        place += bits
    rows[count - 1] = last


@numba.njit(nogil=True, cache=True)
def row_gap(words: NDArray[np.uint32], info: Any, i: Any) -> Any:
    """Returns how far the ``i``-th row of a block, not the last one, lies behind the one before."""
    bits = (info >> 8) & 255
    return take(words, ((info >> 16) << 5) + i * bits, bits) + 1


@numba.njit(nogil=True, cache=True)
def occurrences(words: NDArray[np.uint32], info: int, count: Any, i: Any) -> Any:
    """Returns how often the term occurs in the ``i``-th passage of a block of ``count``."""
    bits = info & 255
    if bits == 0:
        return 1
    place = ((info >> 16) << 5) + (count - 1) * ((info >> 8) & 255) + i * bits
    return take(words, place, bits) + 1


@numba.njit(nogil=True, cache=True)
def measure_blocks(
    starts: NDArray[np.int64],
    rows: NDArray[np.uint32],
    counts: NDArray[np.uint32],
    infos: NDArray[np.int64],
    lasts: NDArray[np.uint32],
) -> int:
    """Lays out the blocks of many terms.

    Args:
        starts: Shape ``[terms + 1]``: where the postings of each term start.
        rows: Shape ``[postings]``: rows, increasing within a term.
        counts: Shape ``[postings]``: occurrences, at least 1.
        infos: Shape ``[blocks]``: gets place and widths.
        lasts: Shape ``[blocks]``: gets last rows.

    Returns:
        How many words they take.
    """
    block, word = 0, 0
    for term in range(len(starts) - 1):
        before: Any = -1
        for first in range(starts[term], starts[term + 1], BLOCK):
            stop = min(first + BLOCK, starts[term + 1])
            gap: Any = 0
            count: Any = 0
            for i in range(first, stop):
                row = np.int64(rows[i])
                if i < stop - 1:
                    gap = max(gap, row - before - 1)
                count = max(count, np.int64(counts[i]) - 1)
                before = row
            gap_bits, count_bits = _width(gap), _width(count)
            infos[block] = (word << 16) | (gap_bits << 8) | count_bits
            lasts[block] = before
            block += 1
            word += ((stop - first - 1) * gap_bits + (stop - first) * count_bits + 31) >> 5
    return word


@numba.njit(nogil=True, cache=True)
def pack_blocks(
    starts: NDArray[np.int64],
    rows: NDArray[np.uint32],
    counts: NDArray[np.uint32],
    infos: NDArray[np.int64],
    words: NDArray[np.uint32],
) -> None:
    """Writes the blocks that ``measure_blocks`` laid out into zeroed words."""
    block = 0
    for term in range(len(starts) - 1):
        before: Any = -1
        for first in range(starts[term], starts[term + 1], BLOCK):
            stop = min(first + BLOCK, starts[term + 1])
            gap_bits, count_bits = (infos[block] >> 8) & 255, infos[block] & 255
            place = (infos[block] >> 16) << 5
            for i in range(first, stop):
                row = np.int64(rows[i])
                if i < stop - 1 and gap_bits:
                    _put(words, place, gap_bits, row - before - 1)
                    place += gap_bits
                before = row
            for i in range(first, stop):
                if count_bits:
                    _put(words, place, count_bits, np.int64(counts[i]) - 1)
                    place += count_bits
            block += 1


@numba.njit(nogil=True, cache=True)
def peak_saturations(
    starts: NDArray[np.int64],
    rows: NDArray[np.uint32],
    counts: NDArray[np.uint32],
    lengths: NDArray[np.uint32],
    norms: NDArray[np.float64],
    gain: float,
    peaks: NDArray[np.float64],
) -> None:
    """Finds the largest ``tf * gain / (tf + norm)`` of every block; see ``pruning``.

    Args:
        starts: As for ``measure_blocks``; so are ``rows`` and ``counts``.
        rows: Rows.
        counts: Occurrences, tf.
        lengths: Shape ``[passages]``: terms in each.
        norms: Shape ``[longest + 1]``: norm by length.
        gain: k1 + 1.
        peaks: Shape ``[blocks]``: gets the result.
    """
    block = 0
    for term in range(len(starts) - 1):
        for first in range(starts[term], starts[term + 1], BLOCK):
            best = 0.0
            for i in range(first, min(first + BLOCK, starts[term + 1])):
                best = max(best, counts[i] * gain / (counts[i] + norms[lengths[rows[i]]]))
            peaks[block] = best
            block += 1
