"""Micro-batching: queries of many requests become one call of the index."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple, cast

from asl_env.errors import AslError
from asl_env.protocols import Hit, Retriever
from asl_env.retrieval.server import refusal
from asl_env.retrieval.server.cache import QueryCache
from asl_env.retrieval.server.settings import ServerSettings
from asl_env.retrieval.server.stats import Stats
from asl_env.retrieval.server.thread import IndexThread

_log = logging.getLogger(__name__)

Hits = tuple[Hit, ...]


class _Job:
    """The queries of one request that need a search."""

    __slots__ = ("arrived", "found", "future", "k", "missing")

    def __init__(self, found: list[Hits | None], k: int, now: float) -> None:
        self.found = found
        self.k = k
        self.arrived = now
        self.missing = sum(hits is None for hits in found)
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def deliver(self, place: int, hits: Hits) -> None:
        self.found[place] = hits[: self.k]
        self.missing -= 1
        if not self.missing and not self.future.done():
            self.future.set_result(None)

    def fail(self, error: refusal.RefusedError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Item(NamedTuple):
    """One query of a job."""

    query: str
    job: _Job
    place: int


class Batcher:
    """Gathers queries, and calls the retriever for many at once in a thread of its own.

    The thread makes one call at a time: while it is busy, what arrives becomes the next batch.
    Queries with different ``k`` share a call for the largest, and each gets its first ``k``.

    Args:
        retriever: Where to search.
        settings: Limits and times.
        stats: Counts what happens.
    """

    def __init__(self, retriever: Retriever, settings: ServerSettings, stats: Stats) -> None:
        self._retriever = retriever
        self._settings = settings
        self._stats = stats
        self._cache = QueryCache(settings.cache)
        self._pending: deque[_Item] = deque()
        self._load = 0
        self._seconds_per_query = 0.0
        self._closing = False

    def start(self) -> None:
        """Starts to serve; call it inside the event loop."""
        self._arrived, self._full, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._thread = IndexThread()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Takes nothing new on, finishes what was accepted (within ``grace``), and stops."""
        self._closing = True
        try:
            await asyncio.wait_for(self._idle.wait(), self._settings.grace)
        except asyncio.TimeoutError:
            _log.warning("stopping with %d queries unanswered", self._load)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._thread.stop()

    async def search(self, queries: Sequence[str], k: int) -> list[Hits]:
        """Returns the hits of each query, in order.

        Raises:
            RefusedError: 429 if too many queries wait, 503 if the search failed, took too long, or
                the server is stopping.
        """
        if self._closing:
            raise refusal.stopping()
        found = [self._cache.get(query, k) for query in queries]
        job = _Job(found, k, time.monotonic())
        self._stats.add("queries", len(queries))
        self._stats.add("cache_hits", len(queries) - job.missing)
        if job.missing:
            self._admit(queries, job)
            try:
                await asyncio.wait_for(job.future, self._settings.timeout)
            except asyncio.TimeoutError:
                raise refusal.late(self._settings.timeout) from None
        return cast("list[Hits]", found)

    def _admit(self, queries: Sequence[str], job: _Job) -> None:
        if self._load and self._load + job.missing > self._settings.max_queue:
            seconds = max(1, min(30, math.ceil(self._load * self._seconds_per_query)))
            raise refusal.busy(f"{self._load} queries are waiting; try again later", seconds)
        self._count(job.missing)
        self._pending.extend(
            _Item(query, job, place)
            for place, (query, hits) in enumerate(zip(queries, job.found, strict=True))
            if hits is None
        )
        self._arrived.set()
        if len(self._pending) >= self._settings.batch:
            self._full.set()

    def _count(self, change: int) -> None:
        self._load += change
        self._stats.set("queued", self._load)
        if self._load:
            self._idle.clear()
        else:
            self._idle.set()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            await self._company()
            batch = self._take()
            if batch:
                await self._answer(batch)
                self._count(-len(batch))

    async def _company(self) -> None:
        """Waits until the oldest query has waited long enough, or a batch is full."""
        if len(self._pending) >= self._settings.batch or self._closing:
            return
        waited = time.monotonic() - self._pending[0].job.arrived
        left = self._settings.wait_ms / 1e3 - waited
        if left > 0:
            try:
                await asyncio.wait_for(self._full.wait(), left)
            except asyncio.TimeoutError:
                return

    def _take(self) -> list[_Item]:
        """Takes the oldest queries whose requests still wait."""
        batch: list[_Item] = []
        while self._pending and len(batch) < self._settings.batch:
            item = self._pending.popleft()
            if item.job.future.done():
                self._count(-1)
            else:
                batch.append(item)
        if not self._pending:
            self._arrived.clear()
        if len(self._pending) < self._settings.batch:
            self._full.clear()
        return batch

    async def _answer(self, batch: Sequence[_Item]) -> None:
        """Searches for a batch and hands out what was found, or why nothing was."""
        jobs = {id(item.job): item.job for item in batch}
        try:
            found = await self._call(batch, len(jobs))
        except AslError as error:
            self._fail(jobs.values(), str(error))
        except Exception as error:
            if len(jobs) > 1:
                # One request's query may have caused it: the others must not fail with it.
                for job in jobs.values():
                    await self._answer([item for item in batch if item.job is job])
                return
            _log.warning("the retriever failed", exc_info=error)
            self._fail(jobs.values(), f"the retriever failed ({type(error).__name__})")
        else:
            for item in batch:
                item.job.deliver(item.place, found[item.query])

    def _fail(self, jobs: Iterable[_Job], why: str) -> None:
        self._stats.add("index_failures")
        message = " ".join(why.split())[:500]
        for job in jobs:
            job.fail(refusal.failed(message))

    async def _call(self, batch: Sequence[_Item], requests: int) -> dict[str, Hits]:
        queries = list(dict.fromkeys(item.query for item in batch))
        k = max(item.job.k for item in batch)
        started = time.perf_counter()
        try:
            found = await self._thread.call(partial(search, self._retriever, queries, k))
        finally:
            seconds = time.perf_counter() - started
            self._stats.called(len(queries), requests, seconds)
            self._seconds_per_query = seconds / len(queries)
        for query, hits in zip(queries, found, strict=True):
            self._cache.put(query, hits, k)
        return dict(zip(queries, found, strict=True))


def search(retriever: Retriever, queries: Sequence[str], k: int) -> list[Hits]:
    """Searches, and checks that the retriever kept its promises.

    Raises:
        AslError: As the retriever raised it.
        ValueError: If the number of results is wrong, or a score is not finite.
    """
    found = [tuple(hits[:k]) for hits in retriever.search(queries, k)]
    if len(found) != len(queries):
        raise ValueError(f"{len(found)} results for {len(queries)} queries")
    if not all(math.isfinite(hit.score) for hits in found for hit in hits):
        raise ValueError("a score is not finite")
    return found
