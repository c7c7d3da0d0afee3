"""One search over the parts of a corpus that is too large for one index."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from asl_env.errors import BadIndexError, SearchUnavailableError
from asl_env.protocols import Hit, Retriever


class ShardedRetriever:
    """Searches every shard and merges exactly: by score, ties by shard and then by passage order.

    The result is that of one index over all passages, provided that the shards score alike: dense
    indexes of one encoder do; BM25 does where the shards were built with common statistics, since
    its weights depend on how often a word occurs in the whole corpus. Shards are searched at the
    same time, one thread each. Safe to share between threads.

    Args:
        shards: Retrievers over disjoint parts of the corpus, in the order of the passages.

    Raises:
        BadIndexError: If there are none.
    """

    def __init__(self, shards: Sequence[Retriever]) -> None:
        if not shards:
            raise BadIndexError("a sharded index needs at least one shard")
        self.shards = tuple(shards)

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns for each query at most ``k`` hits, best first.

        Raises:
            SearchUnavailableError: If a shard gave no result per query. A part of the corpus is
                never left out silently; what a shard raises is raised.
        """
        if not queries or k < 1:
            return [[] for _ in queries]
        if len(self.shards) == 1:
            found = [self.shards[0].search(queries, k)]
        else:
            # Threads live for one search only: the retriever can be pickled and forked any time.
            with ThreadPoolExecutor(len(self.shards)) as pool:
                found = list(pool.map(lambda shard: shard.search(queries, k), self.shards))
        for number, lists in enumerate(found):
            if len(lists) != len(queries):
                raise SearchUnavailableError(
                    f"shard {number} gave {len(lists)} results for {len(queries)} queries"
                )
        return [merge(parts, k) for parts in zip(*found, strict=True)]

    def __deepcopy__(self, memo: dict[int, object]) -> ShardedRetriever:
        # As every index: read-only, maybe large, and shared when Gymnasium copies arguments.
        return self


def merge(parts: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
    """Returns the best ``k`` of ranked lists; among equals the earlier list goes first."""
    every = [hit for part in parts for hit in part]
    every.sort(key=lambda hit: -hit.score)  # the sort is stable
    return every[:k]
