"""Dense search: faiss over unit vectors, scored by inner product (the cosine)."""

from __future__ import annotations

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
from asl_env.retrieval.vectors.faissfile import open_faiss
from asl_env.retrieval.vectors.lists import train
from asl_env.retrieval.vectors.source import ArrayVectors, Vectors, blocks
from asl_env.retrieval.workfolder import Tell

DenseKind = Literal["faiss-flat", "faiss-hnsw", "faiss-ivfsq8", "faiss-ivfpq"]
DENSE_KINDS: tuple[str, ...] = get_args(DenseKind)

#: Kinds of inverted lists.
LISTED = ("faiss-ivfsq8", "faiss-ivfpq")

#: Passages encoded and added at once.
BATCH = 512
#: Searched beyond k, so that passages with equal scores at the cut are ordered by row.
_MARGIN = 8
#: Scores are rounded to this many decimals: the last bits depend on how many queries share a call.
_DECIMALS = 5


class FaissRetriever(RankedRetriever):
    """Nearest passages by the cosine of their vectors. Safe to share between threads.

    ``faiss-flat`` is exact; ``faiss-hnsw`` (graph), ``faiss-ivfsq8`` and ``faiss-ivfpq`` (inverted
    lists of compressed vectors) are approximate and fast on many passages.

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
        if not kept:
            raise BadIndexError("no passages to index")
        maker = make_encoder(encoder)
        vectors = np.concatenate(list(encode_all(kept, maker)))
        return cls(kept, fill(ArrayVectors(vectors), kind), maker)

    @classmethod
    def load(cls, path: Path, passages: Passages, encoder: Encoder) -> FaissRetriever:
        """Opens an index file of faiss, mapped where this faiss can.

        Raises:
            BadIndexError: If the file is missing, damaged, or of other passages.
        """
        index = open_faiss(path)
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


def fill(vectors: Vectors, kind: str, tell: Tell | None = None) -> Any:
    """Builds a faiss index in memory.

    Args:
        vectors: The vectors.
        kind: A name of ``DENSE_KINDS``.
        tell: Told how far it is.

    Raises:
        BadIndexError: If there are too few vectors for the kind.
    """
    import faiss

    index: Any
    if kind in LISTED:
        index = train(vectors, kind)
    elif kind == "faiss-hnsw":
        index = faiss.IndexHNSWFlat(vectors.dimension, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        index.hnsw.efSearch = 128
    else:
        index = faiss.IndexFlatIP(vectors.dimension)
    for rows in blocks(vectors):
        index.add(vectors.read(rows.start, rows.stop))
        if tell is not None:
            tell("indexing", rows.stop, vectors.count)
    return index
