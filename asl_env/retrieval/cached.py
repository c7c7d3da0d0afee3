"""BM25 over a named corpus, indexed at the first search."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from asl_env.protocols import Hit
from asl_env.retrieval.bm25 import BM25Retriever


class CachedCorpusRetriever:
    """Searches a corpus of the catalogue; making one costs nothing. Safe to share.

    Args:
        name: Name of the corpus, such as ``miniwiki``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._retriever: BM25Retriever | None = None
        self._lock = threading.Lock()

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns for each query at most ``k`` hits, best first; the first call builds."""
        return self.opened().search(queries, k)

    def opened(self) -> BM25Retriever:
        """Returns the retriever behind, which is built or opened if it was not yet."""
        if self._retriever is None:
            with self._lock:
                if self._retriever is None:
                    self._retriever = self._open()
        return self._retriever

    def _open(self) -> BM25Retriever:
        from asl_env.corpora.miniwiki import world

        return BM25Retriever.from_passages(world.load().passages)

    def __deepcopy__(self, memo: dict[int, Any]) -> CachedCorpusRetriever:
        return self

    def __reduce__(self) -> tuple[type[CachedCorpusRetriever], tuple[str]]:
        return CachedCorpusRetriever, (self.name,)
