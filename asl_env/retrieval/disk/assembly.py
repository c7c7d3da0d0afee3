"""Segments end to end: the finished files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asl_env.retrieval.disk.layout import TEXT, Header, array_file, write_header
from asl_env.retrieval.disk.pieces import read_array, read_facts
from asl_env.retrieval.disk.segments import block_counts
from asl_env.retrieval.postings import mean_idf

#: Bits of ``infos`` below the place of a block.
_WIDTHS = 16

_CHUNK = 1 << 20


def assemble(segments: Sequence[Path], folder: Path, passages: int, mean_length: float) -> None:
    """Writes the files of an index, all but the lengths, which are there.

    Memory: 40 bytes per term of the vocabulary, for the mean idf.

    Args:
        segments: In the order of their terms.
        folder: Where the files go.
        passages: How many there are.
        mean_length: Terms per passage.
    """
    from asl_env.retrieval.disk.codec import PADDING

    for name in ("frequencies", "lasts", "peaks"):
        with array_file(folder, name).open("wb") as file:
            for segment in segments:
                file.write((segment / name).read_bytes())
    with (folder / TEXT).open("wb") as file:
        for segment in segments:
            file.write((segment / TEXT).read_bytes())
    _write_sums(folder, "terms", [read_array(each / "sizes", "<u4") for each in segments])
    words, blocks = _write_blocks(segments, folder)
    with array_file(folder, "words").open("ab") as file:
        file.write(bytes(4 * PADDING))
    frequencies = read_array(array_file(folder, "frequencies"), "<u4")
    with array_file(folder, "blocks").open("wb") as file:
        file.write(bytes(8))
    _write_sums(folder, "blocks", [block_counts(frequencies)], "ab")
    lengths = read_array(array_file(folder, "lengths"), "<u4")
    header = Header(
        passages=passages,
        terms=len(frequencies),
        blocks=blocks,
        words=words + PADDING,
        postings=sum(int(read_facts(each)["postings"]) for each in segments),
        mean_length=mean_length,
        longest=int(lengths.max(initial=0)),
        mean_idf=_mean_idf(segments, frequencies, passages),
    )
    write_header(folder, header)


def _write_sums(folder: Path, name: str, parts: list[NDArray[np.int64]], mode: str = "wb") -> None:
    """Writes the running sums of several arrays."""
    total = 0
    with array_file(folder, name).open(mode) as file:
        for part in parts:
            for start in range(0, len(part), _CHUNK):
                sums = total + np.cumsum(part[start : start + _CHUNK], dtype=np.int64)
                file.write(sums.tobytes())
                total = int(sums[-1])


def _write_blocks(segments: Sequence[Path], folder: Path) -> tuple[int, int]:
    """Joins the blocks, whose places count from the start of their segment; returns how many."""
    words, blocks = 0, 0
    with (
        array_file(folder, "words").open("wb") as word_file,
        array_file(folder, "infos").open("wb") as info_file,
    ):
        for segment in segments:
            infos = read_array(segment / "infos", "<i8")
            info_file.write((infos + (words << _WIDTHS)).tobytes())
            data = (segment / "words").read_bytes()
            word_file.write(data)
            words += len(data) // 4
            blocks += len(infos)
    return words, blocks


def _mean_idf(segments: Sequence[Path], frequencies: NDArray[np.uint32], passages: int) -> float:
    firsts = np.concatenate([read_array(each / "firsts", "<i8") for each in segments])
    return mean_idf(frequencies[np.argsort(firsts)].astype(np.int64), passages)
