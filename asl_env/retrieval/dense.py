"""Dense search: faiss over unit vectors, scored by inner product (the cosine)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.protocols import Encoder
from asl_env.retrieval.bm25 import indexed_text
from asl_env.retrieval.encoders import make_encoder
from asl_env.retrieval.ranked import NOTHING, Passages, RankedRetriever, Ranking

DenseKind = Literal["faiss-flat", "faiss-hnsw", "faiss-ivfpq"]
DENSE_KINDS: tuple[str, ...] = get_args(DenseKind)

#: Passages encoded and added at once.
BATCH = 512
#: Vectors kept to train IVF-PQ, at most (1 GB at 1,024 dimensions).
_TRAINING = 262_144
#: Searched beyond k, so that passages with equal scores at the cut are ordered by row.
_MARGIN = 8
#: Scores are rounded to this many decimals: the last bits depend on how many queries share a call.
_DECIMALS = 5


class FaissRetriever(RankedRetriever):
    """Nearest passages by the cosine of their vectors. Safe to share between threads.

    ``faiss-flat`` is exact; ``faiss-hnsw`` (graph) and ``faiss-ivfpq`` (inverted lists of
    compressed vectors) are approximate and fast on many passages.

    Args:
        passages: The passages by row.
        index: A faiss index over their vectors, in the same order.
        encoder: The encoder that made the vectors.
    """

    def __init__(self, passages: Passages, index: Any, encoder: Encoder) -> None:
        self.passages = passages
        self.encoder = encoder
        self._index = index

    @classmethod
    def from_passages(
        cls,
        passages: Iterable[Passage],
        kind: DenseKind = "faiss-flat",
        encoder: str | Path | Encoder = "static",
    ) -> FaissRetriever:
        """Encodes and indexes passages in memory.

        Raises:
            BadIndexError: If there are none, or the encoder cannot be loaded.
        """
        kept = passages if isinstance(passages, Sequence) else list(passages)
        maker = make_encoder(encoder)
        return cls(kept, build_faiss(encode_all(kept, maker), len(kept), kind), maker)

    @classmethod
    def load(cls, path: Path, passages: Passages, encoder: Encoder) -> FaissRetriever:
        """Opens an index file that ``save_faiss`` wrote.

        Raises:
            BadIndexError: If the file is missing, damaged, or of other passages.
        """
        import faiss

        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise BadIndexError(f"{path}: cannot be read by faiss; is it cut short?") from error
        if index.ntotal != len(passages):
            raise BadIndexError(
                f"{path}: indexes {index.ntotal} passages, the store has {len(passages)}"
            )
        return cls(passages, index, encoder)

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """Returns at most ``k`` rows per query, by rounded cosine, then by row.

        Raises:
            BadIndexError: If the encoder makes vectors of another length.
        """
        if not queries or k < 1:
            return [NOTHING for _ in queries]
        vectors = self.encoder.encode(queries, "query")
        if vectors.shape[1] != self._index.d:
            raise BadIndexError(
                f"the index holds vectors of {self._index.d} dimensions, the encoder makes "
                f"{vectors.shape[1]}; open it with the encoder it was built with, or rebuild it"
            )
        depth = min(k + _MARGIN, self._index.ntotal)
        scores, rows = self._index.search(np.ascontiguousarray(vectors), depth)
        # The zero vector (a query without tokens) is equally far from everything.
        return [
            _ordered(row, score, k) if vector.any() else NOTHING
            for row, score, vector in zip(rows, scores, vectors, strict=True)
        ]


def _ordered(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Ranking:
    found = rows[rows >= 0]  # approximate indexes fill up with -1
    rounded = scores[: len(found)].astype(np.float64)
    np.round(rounded, _DECIMALS, out=rounded)
    order = np.lexsort((found, -rounded))[:k]
    return Ranking(found[order], rounded[order])


def encode_all(passages: Iterable[Passage], encoder: Encoder) -> Iterator[NDArray[np.float32]]:
    """Yields the vectors of passages (title and text), ``BATCH`` at a time."""
    stream = iter(passages)
    while batch := list(islice(stream, BATCH)):
        texts = [indexed_text(passage) for passage in batch]
        yield np.ascontiguousarray(encoder.encode(texts, "passage"), np.float32)


def build_faiss(batches: Iterator[NDArray[np.float32]], count: int, kind: str) -> Any:
    """Builds a faiss index from a stream of vectors.

    Args:
        batches: Unit vectors, in row order.
        count: How many there will be.
        kind: A name of ``DENSE_KINDS``.

    Raises:
        BadIndexError: If there are no vectors.
    """
    import faiss

    first = next(batches, None)
    if first is None:
        raise BadIndexError("no passages to index")
    dimension = first.shape[1]
    if kind == "faiss-ivfpq":
        return _build_ivfpq(first, batches, count)
    index: Any
    if kind == "faiss-hnsw":
        index = faiss.IndexHNSWFlat(dimension, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        index.hnsw.efSearch = 128
    else:
        index = faiss.IndexFlatIP(dimension)
    index.add(first)
    for batch in batches:
        index.add(batch)
    return index


def _build_ivfpq(
    first: NDArray[np.float32], batches: Iterator[NDArray[np.float32]], count: int
) -> Any:
    """Trains on the first vectors (all of them, up to a bound), then adds every one.

    About 4 sqrt(n) lists, a sixteenth of which (at least 8) is searched; 4 dimensions per byte.
    """
    import faiss

    sample, size = [first], len(first)
    for batch in batches:
        sample.append(batch)
        size += len(batch)
        if size >= _TRAINING:
            break
    training = np.concatenate(sample)
    dimension = training.shape[1]
    # faiss wants 39 vectors per list to be content, and at least one per code of a sub-quantiser.
    lists = max(1, min(int(4 * math.sqrt(count)), len(training) // 39))
    bits = min(8, int(math.log2(len(training))))
    if bits < 1:
        raise BadIndexError("faiss-ivfpq needs at least 2 passages; use faiss-flat")
    parts = next(n for n in range(max(1, dimension // 4), 0, -1) if dimension % n == 0)
    quantizer = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFPQ(quantizer, dimension, lists, parts, bits, faiss.METRIC_INNER_PRODUCT)
    for clustering in (index.cp, index.pq.cp):
        clustering.min_points_per_centroid = 1
        clustering.niter = 10
    index.train(training)
    index.nprobe = min(lists, max(8, lists // 16))
    index.add(training)
    for batch in batches:
        index.add(batch)
    return index


def save_faiss(index: Any, path: Path) -> None:
    """Writes a faiss index to a file.

    Raises:
        OSError: If the file cannot be written.
    """
    import faiss

    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        raise OSError(f"faiss could not write {path.name} (is the disk full?)") from error
