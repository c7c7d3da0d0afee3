"""The two engines of BM25, and the rule that picks one. Both rank alike, to the last bit."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.corpora.store import PassageStore
from asl_env.errors import BadIndexError, did_you_mean
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.bm25 import BM25Retriever, array_path, indexed_text, write_header
from asl_env.retrieval.disk.retriever import DiskBM25Retriever
from asl_env.retrieval.postings import PostingsBuilder
from asl_env.retrieval.ranked import Passages, RankedRetriever

#: ``memory``: bm25s' layout, 12 bytes per posting, adds up whole posting lists.
#: ``disk``: packed blocks, about 2 bytes per posting, skips what cannot be among the best.
MEMORY, DISK = "memory", "disk"

#: Passages from which the kind ``bm25`` means the engine ``disk``.
DISK_FROM = 1_000_000


def engine_for(kind: str, passages: int) -> str:
    """Returns the engine of the BM25 part of an index.

    Args:
        kind: ``bm25-disk`` is the engine ``disk`` at any size; other kinds go by the size.
        passages: How many there are.
    """
    return DISK if kind == "bm25-disk" or passages >= DISK_FROM else MEMORY


def write_in_memory_layout(passages: Iterable[Passage], folder: Path, analyser: Analyser) -> None:
    """Writes what the engine ``memory`` opens."""
    with tempfile.TemporaryDirectory(prefix="runs-", dir=folder) as workspace:
        builder = PostingsBuilder(analyser, Path(workspace))
        for passage in passages:
            builder.add(indexed_text(passage))
        postings = builder.finish(lambda *array: _reserve(folder, *array))
    for array in (postings.indptr, postings.indices, postings.data):
        if isinstance(array, np.memmap):
            array.flush()
    write_header(folder, postings)


def write_on_disk(
    store: PassageStore,
    folder: Path,
    work: Path,
    analyser: Analyser,
    memory: int,
    workers: int,
    tell: Callable[[str, int, int | None], None],
) -> None:
    """Writes what the engine ``disk`` opens; see ``disk.builder.build_postings``."""
    from asl_env.retrieval.disk.budget import Budget
    from asl_env.retrieval.disk.builder import build_postings

    build_postings(store, folder, work, analyser, Budget(memory, workers), tell)


def open_engine(
    engine: str | None, folder: Path, passages: Passages, analyser: Analyser
) -> RankedRetriever:
    """Opens the BM25 part of an index.

    Args:
        engine: Its name; ``None`` in indexes that are older than the choice.
        folder: What was written.
        passages: The passages by row.
        analyser: The analyser that made the postings.

    Raises:
        BadIndexError: If the engine is unknown, or a file is missing or damaged.
    """
    if engine in (None, MEMORY):
        return BM25Retriever.load(folder, passages, analyser)
    if engine == DISK:
        return DiskBM25Retriever(folder, passages, analyser)
    raise BadIndexError(
        f"{folder}: unknown engine of BM25 {engine!r}{did_you_mean(str(engine), (MEMORY, DISK))}"
    )


def _reserve(folder: Path, name: str, length: int, dtype: str) -> NDArray[Any]:
    """Makes an array in a file whose space on the disk is certain.

    Writing to a mapped file on a full disk kills the process (SIGBUS); reserving fails politely.
    """
    path = array_path(folder, name)
    array: NDArray[Any] = np.lib.format.open_memmap(path, "w+", dtype, (length,))
    with path.open("r+b") as file:
        size = path.stat().st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.seek(size - array.nbytes)
            blank = bytes(1 << 20)
            for start in range(0, array.nbytes, len(blank)):
                file.write(blank[: array.nbytes - start])
    return array
