"""Blocks of postings give back what was packed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asl_env.retrieval.disk.codec import (
    BLOCK,
    PADDING,
    measure_blocks,
    occurrences,
    pack_blocks,
    peak_saturations,
    unpack_rows,
)
from asl_env.retrieval.disk.segments import block_counts

lists = st.lists(
    st.lists(st.tuples(st.integers(1, 1 << 24), st.integers(1, 70_000)), min_size=1, max_size=300),
    max_size=5,
)


@given(lists, st.integers(0, 3))
def test_what_is_packed_comes_back(terms: list[list[tuple[int, int]]], scale: int) -> None:
    """Gaps from 1 to millions, occurrences from 1 on, lists of any length."""
    gaps = [np.array([1 + gap % 10 ** (2 * scale) for gap, _ in term]) for term in terms]
    rows = [np.cumsum(each) - 1 for each in gaps]
    counts = [np.array([1 + (count - 1) % 10**scale for _, count in term]) for term in terms]
    starts = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    flat = np.concatenate([*rows, []]).astype(np.uint32)
    tfs = np.concatenate([*counts, []]).astype(np.uint32)
    blocks = int(block_counts(np.diff(starts)).sum())
    infos, lasts = np.empty(blocks, np.int64), np.empty(blocks, np.uint32)
    words = np.zeros(measure_blocks(starts, flat, tfs, infos, lasts) + PADDING, np.uint32)
    pack_blocks(starts, flat, tfs, infos, words[:-PADDING])
    block = 0
    for term in range(len(terms)):
        before = -1
        for first in range(0, len(rows[term]), BLOCK):
            count = min(BLOCK, len(rows[term]) - first)
            found = np.empty(BLOCK, np.int64)
            unpack_rows(words, infos[block], before, int(lasts[block]), count, found)
            assert found[:count].tolist() == rows[term][first : first + count].tolist()
            there = [occurrences(words, infos[block], count, i) for i in range(count)]
            assert there == counts[term][first : first + count].tolist()
            before = int(lasts[block])
            block += 1
    assert block == blocks


def test_a_term_that_occurs_once_takes_no_words() -> None:
    starts, rows, counts = np.array([0, 1]), np.array([7], np.uint32), np.array([1], np.uint32)
    infos, lasts = np.empty(1, np.int64), np.empty(1, np.uint32)
    assert measure_blocks(starts, rows, counts, infos, lasts) == 0
    assert lasts.tolist() == [7]


def test_the_peak_of_a_block_is_its_largest_saturation() -> None:
    rows = np.arange(200, dtype=np.uint32)
    counts = (1 + rows % 5).astype(np.uint32)
    lengths, norms = rows % 3, np.array([0.5, 1.0, 2.0])
    peaks = np.empty(2)
    peak_saturations(np.array([0, 200]), rows, counts, lengths, norms, 2.5, peaks)
    values = counts * 2.5 / (counts + norms[lengths])
    assert peaks.tolist() == [values[:128].max(), values[128:].max()]
