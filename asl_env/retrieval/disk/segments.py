"""Segments: all runs merged over a range of terms, encoded; end to end they are the index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl_env.retrieval.disk.layout import TEXT, map_array
from asl_env.retrieval.disk.lexicon import Lexicon
from asl_env.retrieval.disk.pieces import read_array, write_piece
from asl_env.retrieval.disk.runs import ENDS, STARTS, Part, read_part
from asl_env.retrieval.postings import K1, length_norm

#: Bytes that merging takes per posting and per term of a run, roughly.
POSTING_COST, TERM_COST = 24, 250

#: Number of a term's run and its place there, in one integer that sorts by first occurrence.
_RUN_BITS = 32


class Stretch(NamedTuple):
    """A range of terms.

    Attributes:
        low: The first one.
        high: The first one behind it; ``None`` for no end.
    """

    low: bytes
    high: bytes | None


def split_terms(runs: Sequence[Path], cost: int) -> list[Stretch]:
    """Cuts the vocabulary into ranges that take about ``cost`` bytes each to merge.

    A term is never cut, so one that is in nearly every passage may take more.
    """
    step = max(1, cost // (4 * len(runs)))
    marks = sorted(mark for folder in runs for mark in _marks(folder, step))
    cuts, spent = [b""], 0
    for mark in marks:
        spent += step
        if spent + step * len(runs) > cost and mark > cuts[-1]:
            cuts.append(mark)
            spent = 0
    return [Stretch(low, high) for low, high in zip(cuts, [*cuts[1:], None], strict=True)]


def _marks(folder: Path, step: int) -> list[bytes]:
    """The terms of a run that stand ``step`` bytes of cost apart."""
    starts = read_array(folder / STARTS, "<i8")
    costs = starts[1:] * POSTING_COST + np.arange(1, len(starts)) * TERM_COST
    if not len(costs):
        return []
    places = np.searchsorted(costs, np.arange(step, int(costs[-1]) + 1, step))
    with Lexicon(folder / TEXT, read_array(folder / ENDS, "<u8")) as lexicon:
        return [lexicon[place] for place in places.tolist()]


def make_segment(
    runs: Sequence[Path], stretch: Stretch, lengths: Path, mean: float, folder: Path
) -> int:
    """Merges a range of terms of all runs into a segment.

    Args:
        runs: Every run, in the order of their rows.
        stretch: The range.
        lengths: File of the terms per passage, all of them.
        mean: Their mean.
        folder: The segment to write.

    Returns:
        Number of postings.
    """
    parts = [read_part(run, stretch.low, stretch.high) for run in runs]
    terms = sorted({term for part in parts for term in part.terms})
    place = {term: number for number, term in enumerate(terms)}
    numbers = [np.array([place[term] for term in part.terms], np.int64) for part in parts]
    del place
    frequencies = np.zeros(len(terms), np.int64)
    firsts = np.full(len(terms), -1, np.int64)
    for index, (part, mine) in enumerate(zip(parts, numbers, strict=True)):
        part.terms.clear()
        frequencies[mine] += part.frequencies
        new = firsts[mine] < 0
        firsts[mine[new]] = part.firsts[new].astype(np.int64) | (index << _RUN_BITS)
    starts = np.zeros(len(terms) + 1, np.int64)
    np.cumsum(frequencies, out=starts[1:])
    rows, counts = _gather(parts, numbers, starts)
    blocks = _encode(starts, rows, counts, lengths, mean)
    files: dict[str, Any] = {
        TEXT: b"".join(terms),
        "sizes": np.array([len(term) for term in terms], np.uint32),
        "frequencies": frequencies.astype(np.uint32),
        "firsts": firsts,
        **blocks,
    }
    write_piece(folder, files, {"postings": len(rows)})
    return len(rows)


def _gather(
    parts: Sequence[Part], numbers: Sequence[NDArray[np.int64]], starts: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Brings the postings of all runs together, by term, then by row."""
    from asl_env.retrieval.disk.inversion import append_run

    rows = np.empty(int(starts[-1]), np.uint32)
    counts = np.empty(len(rows), np.uint32)
    heads = starts[:-1].copy()
    for part, mine in zip(parts, numbers, strict=True):
        append_run(mine, part.frequencies, *part.postings(), heads, rows, counts)
    return rows, counts


def _encode(
    starts: NDArray[np.int64],
    rows: NDArray[np.uint32],
    counts: NDArray[np.uint32],
    lengths: Path,
    mean: float,
) -> dict[str, NDArray[Any]]:
    """Packs postings into blocks."""
    from asl_env.retrieval.disk import codec

    blocks = int(block_counts(np.diff(starts)).sum())
    infos, lasts = np.empty(blocks, np.int64), np.empty(blocks, np.uint32)
    words = np.zeros(codec.measure_blocks(starts, rows, counts, infos, lasts), np.uint32)
    codec.pack_blocks(starts, rows, counts, infos, words)
    sizes = map_array(lengths, "<u4")
    norms = length_norm(np.arange(int(sizes.max(initial=0)) + 1, dtype=np.int32), mean)
    best = np.empty(blocks)
    codec.peak_saturations(starts, rows, counts, sizes, norms, K1 + 1, best)
    peaks = best.astype(np.float32)
    low = peaks < best
    peaks[low] = np.nextafter(peaks[low], np.float32(np.inf))
    return {"words": words, "infos": infos, "lasts": lasts, "peaks": peaks}


def block_counts(frequencies: NDArray[Any]) -> NDArray[np.int64]:
    """Returns how many blocks each term has.

    Args:
        frequencies: Shape ``[terms]``: postings of each.
    """
    from asl_env.retrieval.disk.codec import BLOCK

    return -(-frequencies.astype(np.int64) // BLOCK)
