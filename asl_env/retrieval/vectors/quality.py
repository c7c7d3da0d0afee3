"""Is this index of these passages, and how much of what is nearest does it find?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.protocols import Encoder
from asl_env.retrieval.bm25 import indexed_text
from asl_env.retrieval.ranked import Passages
from asl_env.retrieval.vectors.source import ArrayVectors, FlatVectors, Vectors, blocks

#: Queries of the sample, nearest passages looked for, and words of a query.
QUERIES, NEAREST, WORDS = 200, 10, 12

#: Passages that are encoded to see whether given vectors are theirs, and how near is near enough:
#: other layouts of title and text keep a cosine above 0.9.
_CHECKED, _COSINE, _DEPTH = 16, 0.7, 10

#: Encoders like e5 find any two texts near. So a vector must also be nearest to its own passage
#: among those that were encoded (but for rounding and copies), and that must hold for this share of
#: them; of an index of codes, which is coarse, for half.
_ROUNDING, _MOST, _HALF = 1e-3, 0.75, 0.5

#: The fewest lists are visited that find this share of what the most lists find.
_ENOUGH = 0.98


def need_match(path: Path, given: Any, passages: Passages, encoder: Encoder) -> None:
    """Compares given vectors with those that the encoder makes of some of the passages.

    Args:
        path: What the error names.
        given: What ``open_vectors`` found: vectors, or a faiss index that is not flat.
        passages: The passages.
        encoder: The encoder.

    Raises:
        BadIndexError: If they are of another order, encoder or corpus.
    """
    rows = _spread(len(passages), _CHECKED)
    after = [(row + 1) % len(passages) for row in rows]
    texts = [indexed_text(passages[row]) for row in (*rows, *after)]
    made = np.ascontiguousarray(encoder.encode(texts, "passage"), np.float32)
    own = made[: len(rows)]
    if isinstance(given, (ArrayVectors, FlatVectors)):
        found = np.concatenate([given.read(row, row + 1) for row in rows])
        cosines, wanted = found @ made.T, _MOST
        of_own = np.diagonal(cosines)
        near = (of_own >= _COSINE) & (of_own >= cosines.max(axis=1) - _ROUNDING)
    else:
        near = (given.search(own, _DEPTH)[1] == np.array(rows)[:, None]).any(axis=1)
        wanted = _HALF
    if near.mean() < wanted:
        wrong = rows[int(near.argmin())]
        raise BadIndexError(
            f"{path}: the vector of row {wrong} is not what the encoder makes of passage "
            f"{passages[wrong].id!r}; the vectors are of another encoder (--encoder), another "
            "corpus, or in another order"
        )


def tuned(index: Any, vectors: Vectors, passages: Passages, encoder: Encoder) -> tuple[int, float]:
    """Measures what an approximate index finds, and how many lists it is worth visiting.

    The queries are the first words of passages from all over the corpus, encoded as queries. For
    inverted lists, up to a quarter of them are tried: 8, twice as many, and so on.

    Args:
        index: A faiss index of the vectors.
        vectors: The vectors.
        passages: The passages.
        encoder: The encoder.

    Returns:
        Lists to visit (0 for an index without lists), and recall: the mean share of the ``NEAREST``
        passages by exact search that are among as many by the index.
    """
    rows = _spread(len(passages), QUERIES)
    texts = [_beginning(passages[row]) for row in rows]
    queries = np.ascontiguousarray(encoder.encode(texts, "query"), np.float32)
    truth = exact(vectors, queries, min(NEAREST, vectors.count))
    lists = int(getattr(index, "nlist", 0))
    if not lists:
        return 0, _recall(index, queries, truth)
    choices, probes, most = [], min(8, lists), max(min(8, lists), lists // 4)
    while probes <= most:
        index.nprobe = probes
        choices.append((probes, _recall(index, queries, truth)))
        probes *= 2
    best = max(recall for _, recall in choices)
    return next(choice for choice in choices if choice[1] >= _ENOUGH * best)


def exact(vectors: Vectors, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Returns the rows of the nearest vectors by exact search: shape ``[queries, k]``."""
    import faiss

    scores: NDArray[Any] = np.empty((len(queries), 0), np.float32)
    rows: NDArray[Any] = np.empty((len(queries), 0), np.int64)
    for block in blocks(vectors):
        here = vectors.read(block.start, block.stop)
        depth = min(k, len(here))
        new, found = faiss.knn(queries, here, depth, metric=faiss.METRIC_INNER_PRODUCT)
        scores = np.concatenate([scores, new], axis=1)
        rows = np.concatenate([rows, found + block.start], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores, rows = (np.take_along_axis(each, best, axis=1) for each in (scores, rows))
    return rows


def _recall(index: Any, queries: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    _, found = index.search(queries, truth.shape[1])
    shares = [np.isin(want, have).mean() for want, have in zip(truth, found, strict=True)]
    return float(np.mean(shares))


def _beginning(passage: Passage) -> str:
    return " ".join((passage.text or passage.title).split()[:WORDS])


def _spread(count: int, number: int) -> list[int]:
    """At most so many rows, evenly over the corpus."""
    found: list[int] = np.unique(np.linspace(0, count - 1, number).astype(int)).tolist()
    return found
