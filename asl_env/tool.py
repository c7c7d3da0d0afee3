"""The search tool: runs parsed calls against a retriever, many at a time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from asl_env.corpora.passages import Passage
from asl_env.episode import ToolCall
from asl_env.errors import AslError, SearchUnavailableError
from asl_env.protocols import Hit, Retriever, ToolResult

_NO_QUERY = "the call has no query; write at least one"


@dataclass
class ToolStats:
    """Counters of a tool since it was made.

    Attributes:
        calls: Tool calls, malformed ones included.
        queries: Queries of well-formed calls, repetitions included.
        cache_hits: Queries that needed no search.
        searches: Calls of the retriever.
        seconds: Wall time spent in the retriever.
    """

    calls: int = 0
    queries: int = 0
    cache_hits: int = 0
    searches: int = 0
    seconds: float = 0.0


class _Found(NamedTuple):
    """Cached hits of one query, and how many were asked for."""

    hits: tuple[Hit, ...]
    asked: int

    def serves(self, k: int) -> bool:
        return k <= self.asked or len(self.hits) < self.asked


class SearchTool:
    """Runs tool calls. Safe to share between threads and environments.

    Args:
        retriever: Where to search.
        top_k: Hits per call, unless the call says otherwise.
        max_top_k: Bound of what a call may say.
        cache_size: Queries whose hits are remembered, least recently used ones go; 0 for none.
        max_chars: Budget of characters (titles and texts) per call; the passage that exceeds it
            is cut at a word and ends with an ellipsis, those after it are dropped.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        retriever: Retriever,
        top_k: int = 3,
        max_top_k: int = 20,
        cache_size: int = 10_000,
        max_chars: int | None = None,
    ) -> None:
        if not 1 <= top_k <= max_top_k:
            raise ValueError(f"top_k must be from 1 to max_top_k={max_top_k}, not {top_k}")
        if cache_size < 0:
            raise ValueError(f"cache_size must not be negative, not {cache_size}")
        if max_chars is not None and max_chars < 1:
            raise ValueError(f"max_chars must be positive or None, not {max_chars}")
        self.retriever = retriever
        self.top_k = top_k
        self.max_top_k = max_top_k
        self.cache_size = cache_size
        self.max_chars = max_chars
        self.stats = ToolStats()
        self._cache: OrderedDict[str, _Found] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """Carries out calls with one search for all their distinct queries that are not cached.

        A call with several queries gets the union of their hits: scores of a passage that several
        found are added, the best ``top_k`` stay. A malformed call gets its own error back.

        Args:
            calls: Parsed calls of any number of conversations.

        Returns:
            One result per call, in order.

        Raises:
            SearchUnavailableError: If the search failed; no result is made up.
        """
        if len(calls) == 1 and len(calls[0].queries) == 1 and calls[0].error is None:
            return [self._run_one(calls[0])]
        asked = [_queries(call) for call in calls]
        depth = [self._depth(call) for call in calls]
        found = self._find(asked, depth)
        with self._lock:
            self.stats.calls += len(calls)
        return [
            self._result(call, [found[query].hits[:k] for query in queries], k)
            for call, queries, k in zip(calls, asked, depth, strict=True)
        ]

    def _run_one(self, call: ToolCall) -> ToolResult:
        """Runs a call with one query, the usual case, without the bookkeeping of a batch."""
        query = call.queries[0].strip()
        k = self.top_k if call.top_k is None else self._depth(call)
        stats = self.stats
        with self._lock:
            stats.calls += 1
            if not query:
                return ToolResult(call, (), _NO_QUERY)
            stats.queries += 1
            found = self._cache.get(query)
            if found is not None and found.serves(k):
                self._cache.move_to_end(query)
                stats.cache_hits += 1
            else:
                found = None
        if found is None:
            fresh = self._search([query], k)
            self._remember(fresh)
            found = fresh[query]
        hits = found.hits[:k]
        return ToolResult(call, hits if self.max_chars is None else _fit(hits, self.max_chars))

    def clear(self) -> None:
        """Forgets what was found (the counters stay)."""
        with self._lock:
            self._cache.clear()

    def _depth(self, call: ToolCall) -> int:
        return self.top_k if call.top_k is None else max(1, min(call.top_k, self.max_top_k))

    def _find(self, asked: Sequence[Sequence[str]], depth: Sequence[int]) -> dict[str, _Found]:
        """Looks every query up in the cache, and searches for the rest."""
        wanted: dict[str, int] = {}
        total = 0
        for queries, k in zip(asked, depth, strict=True):
            total += len(queries)
            for query in queries:
                wanted[query] = max(k, wanted.get(query, 0))
        found: dict[str, _Found] = {}
        with self._lock:
            for query, k in wanted.items():
                cached = self._cache.get(query)
                if cached is not None and cached.serves(k):
                    self._cache.move_to_end(query)
                    found[query] = cached
            missing = [query for query in wanted if query not in found]
            self.stats.queries += total
            self.stats.cache_hits += total - len(missing)
        if missing:
            fresh = self._search(missing, max(wanted[query] for query in missing))
            found.update(fresh)
            self._remember(fresh)
        return found

    def _search(self, queries: list[str], k: int) -> dict[str, _Found]:
        start = time.perf_counter()
        try:
            hits = self.retriever.search(queries, k)
        except AslError:
            raise
        except Exception as error:
            raise SearchUnavailableError(
                f"{type(self.retriever).__name__} failed: {type(error).__name__}: {error}"
            ) from error
        finally:
            with self._lock:
                self.stats.searches += 1
                self.stats.seconds += time.perf_counter() - start
        if len(hits) != len(queries):
            raise SearchUnavailableError(
                f"{type(self.retriever).__name__} gave {len(hits)} results for "
                f"{len(queries)} queries"
            )
        return {
            query: _Found(tuple(found[:k]), k) for query, found in zip(queries, hits, strict=True)
        }

    def _remember(self, fresh: dict[str, _Found]) -> None:
        with self._lock:
            for query, found in fresh.items():
                self._cache[query] = found
                self._cache.move_to_end(query)
            while len(self._cache) > self.cache_size:
                self._cache.popitem(last=False)

    def _result(self, call: ToolCall, found: list[tuple[Hit, ...]], k: int) -> ToolResult:
        if call.error is not None:
            return ToolResult(call, (), call.error)
        if not found:
            return ToolResult(call, (), _NO_QUERY)
        hits = found[0] if len(found) == 1 else _merge(found)[:k]
        return ToolResult(call, hits if self.max_chars is None else _fit(hits, self.max_chars))

    def __deepcopy__(self, memo: dict[int, Any]) -> SearchTool:
        # Gymnasium deep-copies specifications with their arguments; a tool is shared instead.
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_lock"]
        return state | {"_cache": OrderedDict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


def _queries(call: ToolCall) -> list[str]:
    """The distinct queries of a call that are not blank; none if it was malformed."""
    if call.error is not None:
        return []
    return list(dict.fromkeys(stripped for q in call.queries if (stripped := q.strip())))


def _merge(found: Sequence[Sequence[Hit]]) -> tuple[Hit, ...]:
    """Adds scores by passage id; among equals the one that was found first comes first."""
    passages: dict[str, Passage] = {}
    scores: dict[str, float] = {}
    for hits in found:
        for passage, score in hits:
            passages.setdefault(passage.id, passage)
            scores[passage.id] = scores.get(passage.id, 0.0) + score
    ranked = sorted(passages, key=lambda passage_id: -scores[passage_id])
    return tuple(Hit(passages[passage_id], scores[passage_id]) for passage_id in ranked)


def _fit(hits: Sequence[Hit], budget: int) -> tuple[Hit, ...]:
    """Keeps hits until the budget of characters is spent; the last one may be cut."""
    kept: list[Hit] = []
    for hit in hits:
        passage = hit.passage
        room = budget - len(passage.title)
        if len(passage.text) <= room:
            kept.append(hit)
            budget = room - len(passage.text)
            continue
        cut = passage.text[: max(room - 1, 0)].rsplit(None, 1)
        if len(cut) == 2:
            kept.append(Hit(passage._replace(text=f"{cut[0].rstrip()}…"), hit.score))
        break
    return tuple(kept)
