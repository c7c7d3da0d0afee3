"""The files of an on-disk BM25, and opening them.

All integers are little-endian::

    header.json       what ``Header`` holds
    terms.bin         the terms in UTF-8, sorted, end to end
    terms.u64         where each of them ends
    frequencies.u32   passages that contain the term
    blocks.u64        number of the first block of each term, and of the last plus one
    infos.u64         place and bit widths of each block, see ``codec``
    lasts.u32         last row of each block
    peaks.f32         largest saturation in each block, rounded up
    words.u32         the blocks
    lengths.u32       terms in each passage
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl_env.errors import BadIndexError

HEADER = "header.json"
FORMAT, VERSION = "asl-bm25-disk", 1

#: Name of each array's file, and its type.
ARRAYS = {
    "terms": "<u8",
    "frequencies": "<u4",
    "blocks": "<i8",
    "infos": "<i8",
    "lasts": "<u4",
    "peaks": "<f4",
    "words": "<u4",
    "lengths": "<u4",
}
_SUFFIX = {"<u8": "u64", "<i8": "u64", "<u4": "u32", "<f4": "f32"}
TEXT = "terms.bin"


@dataclass(frozen=True)
class Header:
    """Numbers about an index that its arrays do not say.

    Attributes:
        passages: How many there are.
        terms: How many different ones.
        blocks: Blocks of postings.
        words: 32-bit words of all blocks, padding included.
        postings: Pairs of a term and a passage that contains it.
        mean_length: Terms per passage; 1 if there are none at all.
        longest: Terms of the longest passage.
        mean_idf: Mean of the idf over the vocabulary, see ``postings.okapi_idf``.
    """

    passages: int
    terms: int
    blocks: int
    words: int
    postings: int
    mean_length: float
    longest: int
    mean_idf: float


class DiskPostings(NamedTuple):
    """The mapped arrays; see the module's text."""

    header: Header
    terms: NDArray[np.uint64]
    frequencies: NDArray[np.uint32]
    blocks: NDArray[np.int64]
    infos: NDArray[np.int64]
    lasts: NDArray[np.uint32]
    peaks: NDArray[np.float32]
    words: NDArray[np.uint32]
    lengths: NDArray[np.uint32]


def array_file(folder: Path, name: str) -> Path:
    """Returns the file of an array of ``ARRAYS``."""
    return folder / f"{name}.{_SUFFIX[ARRAYS[name]]}"


def write_header(folder: Path, header: Header) -> None:
    """Writes the header."""
    record = {"format": FORMAT, "version": VERSION, **asdict(header)}
    (folder / HEADER).write_text(json.dumps(record, indent=1), encoding="utf-8")


def open_postings(folder: Path) -> DiskPostings:
    """Maps the arrays of an index; reads nothing but the header.

    Raises:
        BadIndexError: If a file is missing, of another version, or does not fit the others.
    """
    try:
        record = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        if (record.get("format"), record.get("version")) != (FORMAT, VERSION):
            raise BadIndexError(
                f"{folder}: postings of format {record.get('format')!r} version "
                f"{record.get('version')!r}, this asl-env reads {FORMAT!r} version {VERSION}"
            )
        header = Header(**{each.name: record[each.name] for each in fields(Header)})
        arrays = {name: map_array(array_file(folder, name), ARRAYS[name]) for name in ARRAYS}
        text = (folder / TEXT).stat().st_size
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadIndexError(f"{folder}: is damaged ({error})") from error
    wanted = {
        "terms": header.terms,
        "frequencies": header.terms,
        "blocks": header.terms + 1,
        "infos": header.blocks,
        "lasts": header.blocks,
        "peaks": header.blocks,
        "words": header.words,
        "lengths": header.passages,
    }
    fits = all(len(arrays[name]) == length for name, length in wanted.items())
    if not fits or (header.terms and int(arrays["terms"][-1]) != text):
        raise BadIndexError(f"{folder}: is damaged (its arrays do not fit together)")
    return DiskPostings(header, **arrays)


def map_array(path: Path, dtype: str) -> NDArray[Any]:
    """Maps a file of nothing but items."""
    if path.stat().st_size == 0:  # which cannot be mapped
        nothing = np.empty(0, dtype)
        nothing.flags.writeable = False
        return nothing
    array: NDArray[Any] = np.memmap(path, dtype=dtype, mode="r")
    # Indexing a plain view is several times faster than indexing the memmap subclass.
    return array.view(np.ndarray)
