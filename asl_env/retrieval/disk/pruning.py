"""The best passages of a query, exactly, without looking at most of them. Imports numba.

The rows are cut into windows. For every window an upper bound of any score inside follows from
the largest weights of the blocks that reach into it (block maxima: Ding and Suel, "Faster top-k
document retrieval using block-max indexes", SIGIR 2011). Windows are visited by falling bound until
the bound is below the k-th best score so far. Inside a window, terms whose bounds together stay
below that score only complete passages that a stronger term found (MaxScore: Turtle and Flood,
"Query evaluation: strategies and optimizations", IPM 31(6), 1995).

Every score that is kept is the sum over the terms of the query, in their order, of::

    idf(t) * (tf * (k1 + 1)) / (tf + norm(|d|))

in double precision: the bits are those of the eager weights of ``postings``. Bounds are sums in
another order, so they are raised by ``SLACK`` before they may exclude anything.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from asl_env.retrieval.disk.codec import BLOCK, occurrences, row_gap, unpack_rows
from asl_env.retrieval.disk.heap import offer
from asl_env.retrieval.disk.scoring import count_of, exact, saturate, slot

#: Many times what rounding can do to a sum of thousands of terms.
SLACK = 1.0 + 1e-9

#: A term with fewer postings per window than this is looked at posting by posting for its bounds.
_SPARSE = 4

#: Rows of a window that share a mark, as a power of two.
_GROUP_BITS = 6


@numba.njit(nogil=True, cache=True)
def _tops(index: Any, first: int, stop: int, frequency: int, shift: int, out: Any) -> None:
    """Fills the largest saturation of one term in every window; 0 where it does not occur."""
    words, infos, lasts, peaks = index[:4]
    rows = np.empty(BLOCK, np.int64)
    sparse = frequency <= _SPARSE * len(out)
    before: Any = -1
    for block in range(first, stop):
        last = np.int64(lasts[block])
        if sparse:
            count = count_of(block, stop, first, frequency)
            unpack_rows(words, infos[block], before, last, count, rows)
            for i in range(count):
                tf = occurrences(words, infos[block], count, i)
                window = rows[i] >> shift
                out[window] = max(out[window], saturate(index, tf, rows[i]))
        else:
            peak = np.float64(peaks[block])
            for window in range((before + 1) >> shift, (last >> shift) + 1):
                out[window] = max(out[window], peak)
        before = last


@numba.njit(nogil=True, cache=True)
def _accumulate(
    index: Any, term: Any, bounds: tuple[float, float], low: int, high: int, state: Any
) -> None:
    """Adds one term to the scores of a window, rows ``low`` to ``high``.

    Blocks whose passages cannot reach the floor, whatever else they hold, are left out: their
    passages end up with less than their score, which is too little anyway.

    Args:
        index: The index.
        term: First block, stop, frequency, idf and gain of the term.
        bounds: What the other terms can add, and the floor.
        low: First row of the window.
        high: First row behind it.
        state: The window.
    """
    words, infos, lasts, peaks = index[:4]
    first, stop, frequency, idf, weight = term
    others, floor = bounds
    scores, marks, groups = state
    block = slot(lasts, first, stop, low)
    before: Any = np.int64(lasts[block - 1]) if block > first else -1
    while block < stop and before < high - 1:
        count, info, last = count_of(block, stop, first, frequency), infos[block], lasts[block]
        reaches = not (weight * np.float64(peaks[block]) + others) * SLACK < floor
        block += 1
        if reaches:
            row = before
            for i in range(count):  # not further than the window, and no list of rows in between
                row = np.int64(last) if i == count - 1 else row + row_gap(words, info, i)
                if row >= high:
                    break
                if row >= low:
                    found = saturate(index, occurrences(words, info, count, i), row)
                    scores[row - low] += idf * found
                    marks[row - low] = 1
                    groups[(row - low) >> _GROUP_BITS] = 1
        before = np.int64(last)


@numba.njit(nogil=True, cache=True)
def _collect(low: int, rest: float, floor: float, state: Any, found: Any, found_scores: Any) -> int:
    """Takes the passages that may still reach ``floor``, in order, and clears the window."""
    scores, marks, groups = state
    kept = 0
    for group in range(len(groups)):
        if groups[group] == 0:
            continue
        groups[group] = 0
        for at in range(group << _GROUP_BITS, (group + 1) << _GROUP_BITS):
            if marks[at] == 0:
                continue
            if not (scores[at] + rest) * SLACK < floor:
                found[kept], found_scores[kept] = low + at, scores[at]
                kept += 1
            marks[at] = 0
            scores[at] = 0.0
    return kept


@numba.njit(nogil=True, cache=True)
def _complete(
    index: Any,
    term: Any,
    bounds: tuple[float, float, float],
    found: Any,
    found_scores: Any,
    kept: int,
) -> int:
    """Adds one weak term to the passages that were found; drops those that cannot reach the floor.

    Args:
        index: The index.
        term: First block, stop, frequency and gain of the term.
        bounds: What this term and the weaker ones can add, the weaker ones alone, and the floor.
        found: Rows.
        found_scores: Their scores so far.
        kept: How many there are.

    Returns:
        How many are left.
    """
    words, infos, lasts, peaks = index[:4]
    first, stop, frequency, weight = term
    rest, after, floor = bounds
    left, opened, at, count = 0, -1, 0, 0
    here: Any = -1
    block = slot(lasts, first, stop, found[0]) if kept else stop
    for each in range(kept):
        row, score = found[each], found_scores[each]
        if (score + rest) * SLACK < floor:
            continue
        while block < stop and lasts[block] < row:
            block += 1
        if block < stop:
            if (score + weight * np.float64(peaks[block]) + after) * SLACK < floor:
                continue
            if opened != block:
                opened, at, count = block, -1, count_of(block, stop, first, frequency)
                here = np.int64(lasts[block - 1]) if block > first else -1
            while at < 0 or here < row:  # only as far into the block as the passage lies
                at += 1
                here = (
                    np.int64(lasts[block])
                    if at == count - 1
                    else here + row_gap(words, infos[block], at)
                )
            if here == row:
                tf = occurrences(words, infos[block], count, at)
                score += weight * saturate(index, tf, row)
        if not (score + after) * SLACK < floor:
            found[left], found_scores[left] = row, score
            left += 1
    return left


@numba.njit(nogil=True, cache=True)
def _rank_terms(tops: Any, window: int, gains: Any, ranks: Any, sums: Any) -> None:
    """Sorts the terms by what they can add in a window, weakest first, and adds that up."""
    for term in range(len(ranks)):
        bound = tops[window, term] * gains[term]
        place = term
        while place > 0 and tops[window, ranks[place - 1]] * gains[ranks[place - 1]] > bound:
            ranks[place] = ranks[place - 1]
            place -= 1
        ranks[place] = term
    total = 0.0
    for place in range(len(ranks)):
        total += tops[window, ranks[place]] * gains[ranks[place]]
        sums[place] = total


@numba.njit(nogil=True, cache=True)
def _visit(
    index: Any, terms: Any, sequence: Any, plan: Any, low: int, high: int, floor: float, work: Any
) -> Any:
    """Finds the passages of one window that may reach the floor.

    Returns:
        How many, and whether their scores are final already.
    """
    firsts, stops, frequencies, idfs = terms
    ranks, sums, gains, present = plan
    scores, marks, groups, found, found_scores, strong = work
    state = (scores, marks, groups)
    weak = 0
    while weak < len(ranks) and sums[weak] * SLACK < floor:
        weak += 1
    strong[:] = False
    for place in range(weak, len(ranks)):
        strong[ranks[place]] = True
    for term in sequence:
        if strong[term] and present[term] > 0.0:
            others = 0.0
            for other in range(len(gains)):
                if other != term:
                    others += present[other] * gains[other]
            each = (firsts[term], stops[term], frequencies[term], idfs[term], gains[term])
            _accumulate(index, each, (others, floor), low, high, state)
    rest = sums[weak - 1] if weak else 0.0
    kept = _collect(low, rest, floor, state, found, found_scores)
    for place in range(weak - 1, -1, -1):
        term = ranks[place]
        if kept == 0 or present[term] == 0.0:  # so are all that are weaker
            break
        bounds = (sums[place], sums[place - 1] if place else 0.0, floor)
        weaker = (firsts[term], stops[term], frequencies[term], gains[term])
        kept = _complete(index, weaker, bounds, found, found_scores, kept)
    return kept, weak == 0


@numba.njit(nogil=True, cache=True)
def plan_windows(
    index: Any, terms: Any, gains: NDArray[np.float64], shift: int, prune: bool
) -> Any:
    """Bounds the scores of one query in every window.

    Args:
        index: As for ``best_rows``; so are the others.
        terms: First blocks, stops, frequencies and idfs.
        gains: Idf times how often the query has the term.
        shift: A window has ``1 << shift`` rows.
        prune: Whether to sum up what the terms can add, or only to count them.

    Returns:
        The largest saturations, shape ``[windows, terms]``; the windows' bounds, shape
        ``[windows]``; and the windows by falling bound.
    """
    firsts, stops, frequencies, _ = terms
    windows = ((len(index[4]) - 1) >> shift) + 1
    tops = np.zeros((windows, len(firsts)))
    bounds = np.zeros(windows)
    for term in range(len(firsts)):
        _tops(index, firsts[term], stops[term], frequencies[term], shift, tops[:, term])
        for window in range(windows):
            if prune:
                bounds[window] += tops[window, term] * gains[term]
            elif tops[window, term] > 0.0:
                bounds[window] += 1.0
    return tops, bounds, np.argsort(-bounds)


@numba.njit(nogil=True, cache=True)
def best_rows(
    index: Any,
    terms: Any,
    gains: NDArray[np.float64],
    sequence: NDArray[np.int64],
    windows: Any,
    size: tuple[int, int],
    prune: bool,
    share: int,
    floors: NDArray[np.float64],
) -> Any:
    """Finds the best passages of one query in a share of the windows.

    Every thread that works on a query has a share: every so-manieth window by falling bound. The
    k-th best score of any share excludes what is below it in all of them.

    Args:
        index: Words, infos, last rows and peaks of all blocks, lengths of all passages, norms by
            length, k1 + 1, and saturations by occurrences and length.
        terms: First blocks, stops, frequencies and idfs of the query's different terms.
        gains: Shape ``[terms]``: idf times how often the query has the term.
        sequence: Shape ``[words]``: the query as numbers of its terms, in order.
        windows: What ``plan_windows`` made.
        size: The shift of a window, at least 6; and how many passages to keep, at least 1.
        prune: Whether to leave out what cannot be among the best; needs positive idfs.
        share: Number of this share.
        floors: Shape ``[shares]``: the k-th best scores so far, minus infinity at first.

    Returns:
        Rows and scores, each of shape ``[at most k]``, in no order.
    """
    tops, bounds, order = windows
    shift, k = size
    last, width, count = len(index[4]), 1 << shift, len(gains)
    best_rows, best_scores, kept = np.empty(k, np.int64), np.empty(k, np.float64), 0
    ranks, sums = np.zeros(count, np.int64), np.zeros(count)
    found, found_scores = np.empty(width, np.int64), np.empty(width)
    work = (
        np.zeros(width),
        np.zeros(width, np.uint8),
        np.zeros(width >> _GROUP_BITS, np.uint8),
        found,
        found_scores,
        np.zeros(count, np.bool_),
    )
    for window in order[share :: len(floors)]:
        floor = floors.max()
        if bounds[window] == 0.0 or (prune and bounds[window] * SLACK < floor):
            break
        _rank_terms(tops, window, gains, ranks, sums)
        low = window << shift
        plan = (ranks, sums, gains, tops[window])
        high = min(low + width, last)
        number, final = _visit(index, terms, sequence, plan, low, high, floor, work)
        for each in range(number):
            row, score = found[each], found_scores[each]
            if not final:
                if (score * SLACK) < floors[share]:
                    continue
                score = exact(index, terms, sequence, row)
            kept = offer(best_scores, best_rows, kept, row, score)
            if prune and kept == k:
                floors[share] = best_scores[0]
    return best_rows[:kept], best_scores[:kept]
