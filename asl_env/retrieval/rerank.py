"""Reranking: a cross-encoder reads query and passage together and sorts what a search found."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asl_env.errors import BadIndexError
from asl_env.protocols import Hit, Retriever
from asl_env.retrieval.bm25 import indexed_text
from asl_env.retrieval.encoders import first_line, printable

PREFIX = "rerank:"

#: Hits of the first search that the model reads, when nothing is said.
DEPTH = 50


class RerankSpec(NamedTuple):
    """A reranked search in words: ``rerank:MODEL:INNER``.

    Attributes:
        model: Name or folder of the cross-encoder.
        inner: What is searched first, as ``make_retriever`` takes it.
    """

    model: str
    inner: str


def read_spec(spec: str) -> RerankSpec | None:
    """Reads ``rerank:MODEL:INNER``; ``None`` for anything that does not begin so.

    Raises:
        BadIndexError: If a part is missing.
    """
    if not spec.startswith(PREFIX):
        return None
    # The name of a model has no colon; an address has.
    model, _, inner = spec.removeprefix(PREFIX).partition(":")
    if not model or not inner:
        raise BadIndexError(
            f"{spec!r}: write rerank:MODEL:INDEX, such as "
            "rerank:cross-encoder/ms-marco-MiniLM-L6-v2:indexes/wiki"
        )
    return RerankSpec(model, inner)


class RerankRetriever:
    """Sorts the hits of another retriever by a cross-encoder. Safe to share between threads.

    The first ``depth`` hits are read by the model as pairs of the query and title and text of the
    passage (Nogueira and Cho, arXiv:1901.04085). The score is the model's output before any
    sigmoid, which would make the best ones equal; ties keep the order of the first search.

    Args:
        inner: What is searched first.
        model: Name or folder of a sentence-transformers cross-encoder with one output.
        depth: Hits of the first search that are read. Fixed, so that asking for more hits up to
            that depth does not change the first ones.
        batch_size: Pairs that go through the model at once.
        device: Such as ``cuda:1``; by default a GPU if there is one.

    Raises:
        BadIndexError: If the model cannot be loaded, or has several outputs.
    """

    def __init__(
        self,
        inner: Retriever,
        model: str | Path,
        *,
        depth: int = DEPTH,
        batch_size: int = 32,
        device: str | None = None,
    ) -> None:
        if depth < 1:
            raise BadIndexError(f"a depth of {depth} reranks nothing; use at least 1")
        self.inner = inner
        self.depth = depth
        self.batch_size = batch_size
        self._model = _load(model, device)
        self._lock = threading.Lock()

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns for each query at most ``k`` hits, best first.

        Raises:
            SearchUnavailableError: If the first search failed.
        """
        if not queries or k < 1:
            return [[] for _ in queries]
        found = self.inner.search(queries, max(k, self.depth))
        pairs = [
            [printable(query), printable(indexed_text(hit.passage))]
            for query, hits in zip(queries, found, strict=True)
            for hit in hits
        ]
        scores = iter(self._scores(pairs))
        judged = [[Hit(hit.passage, next(scores)) for hit in hits] for hits in found]
        return [sorted(hits, key=lambda hit: -hit.score)[:k] for hits in judged]

    def _scores(self, pairs: list[list[str]]) -> list[float]:
        if not pairs:
            return []
        # Tokenizers refuse to be used by two threads at once.
        with self._lock:
            scores = self._model.predict(
                pairs, batch_size=self.batch_size, show_progress_bar=False, convert_to_numpy=True
            )
        found: list[float] = np.asarray(scores, np.float64).reshape(len(pairs)).tolist()
        return found

    def __deepcopy__(self, memo: dict[int, object]) -> RerankRetriever:
        # As every index: read-only, maybe large, and shared when Gymnasium copies arguments.
        return self


def _load(model: str | Path, device: str | None) -> Any:
    import torch
    from sentence_transformers import CrossEncoder

    path = Path(model).expanduser()
    source = str(path.resolve()) if path.is_dir() else str(model)
    try:
        loaded = CrossEncoder(source, device=device, activation_fn=torch.nn.Identity())
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise BadIndexError(
            f"cannot load the cross-encoder {source!r} ({first_line(error)}); give the folder or "
            "the name of a sentence-transformers cross-encoder that this machine can download"
        ) from error
    # What has no head is given a random one, with a warning that nobody reads.
    if any(name.endswith("Model") for name in loaded.config.architectures or ()):
        raise BadIndexError(
            f"{source!r} is an encoder without a trained head for ranking; give a cross-encoder"
        )
    outputs = int(getattr(loaded, "num_labels", 0) or loaded.config.num_labels)
    if outputs != 1:
        raise BadIndexError(
            f"the cross-encoder {source!r} has {outputs} outputs; reranking needs a model with one"
        )
    return loaded
