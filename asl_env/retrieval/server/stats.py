"""Counters of all workers, in one block of shared numbers that each writes its own row of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Upper ends of the latency histogram in milliseconds; the last class is open.
LATENCY_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
#: Upper ends of the histogram of queries per call of the index; the last class is open.
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_COUNTS = (
    "requests",
    "queries",
    "cache_hits",
    "replies_ok",
    "replies_client_error",
    "replies_busy",
    "replies_server_error",
    "index_calls",
    "index_queries",
    "index_requests",
    "index_failures",
    "index_microseconds",
    "largest_batch",
    "latency_microseconds",
)
_GAUGES = ("queued", "active", "started")
_PLAIN = (*_COUNTS, *_GAUGES)
_AT = {name: place for place, name in enumerate(_PLAIN)}
_LATENCY_AT = len(_PLAIN)
_BATCH_AT = _LATENCY_AT + len(LATENCY_MS) + 1

#: Numbers per worker.
WIDTH = _BATCH_AT + len(BATCH_SIZES) + 1


class Stats:
    """The counters of one worker, and the sum over all of them.

    Only the event loop of the worker writes its row, so nothing is locked; a sum that is read at
    the same time may be a request behind.

    Args:
        block: Shape ``[workers, WIDTH]``, int64, shared by the workers.
        row: The row that this worker writes. Counters that an earlier process of this row left
            are kept; what described its present is cleared.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        block: NDArray[np.int64] | None = None,
        row: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._block = np.zeros((1, WIDTH), np.int64) if block is None else block
        self._row = self._block[row]
        self._clock = clock
        for name in _GAUGES:
            self._row[_AT[name]] = 0
        self._row[_AT["started"]] = int(clock())

    def add(self, name: str, amount: int = 1) -> None:
        """Adds to a counter."""
        self._row[_AT[name]] += amount

    def set(self, name: str, value: int) -> None:
        """Sets a gauge."""
        self._row[_AT[name]] = value

    def replied(self, status: int, seconds: float) -> None:
        """Counts a reply to ``/retrieve`` and how long it took."""
        if status < 400:
            name = "replies_ok"
        elif status == 429:
            name = "replies_busy"
        else:
            name = "replies_client_error" if status < 500 else "replies_server_error"
        self.add(name)
        self.add("latency_microseconds", round(seconds * 1e6))
        self._row[_LATENCY_AT + _class_of(seconds * 1e3, LATENCY_MS)] += 1

    def called(self, queries: int, requests: int, seconds: float) -> None:
        """Counts a call of the index: distinct queries, and requests they came from."""
        self.add("index_calls")
        self.add("index_queries", queries)
        self.add("index_requests", requests)
        self.add("index_microseconds", round(seconds * 1e6))
        self.set("largest_batch", max(queries, int(self._row[_AT["largest_batch"]])))
        self._row[_BATCH_AT + _class_of(queries, BATCH_SIZES)] += 1

    def report(self) -> dict[str, Any]:
        """Returns what ``/stats`` says, over all workers."""
        total = self._block.sum(axis=0)
        plain = {name: int(total[place]) for name, place in _AT.items()}
        started = self._block[:, _AT["started"]]
        living = started[started > 0]
        latency = total[_LATENCY_AT:_BATCH_AT].tolist()
        calls, replies = plain["index_calls"], sum(latency)
        return {
            "workers": len(self._block),
            "uptime_s": round(max(0.0, self._clock() - float(living.min())), 1),
            "requests": plain["requests"],
            "queries": plain["queries"],
            "cache_hits": plain["cache_hits"],
            "queue_length": plain["queued"],
            "active_requests": plain["active"],
            "replies": {
                name.removeprefix("replies_"): plain[name]
                for name in _COUNTS
                if name.startswith("replies_")
            },
            "latency_ms": {
                "mean": round(plain["latency_microseconds"] / 1e3 / replies, 3) if replies else 0.0,
                "p50_at_most": _quantile(latency, 0.5),
                "p99_at_most": _quantile(latency, 0.99),
                "histogram": _histogram(latency, LATENCY_MS),
            },
            "index": {
                "calls": calls,
                "failures": plain["index_failures"],
                "seconds": plain["index_microseconds"] / 1e6,
                "queries": plain["index_queries"],
                "requests": plain["index_requests"],
                "largest_batch": int(self._block[:, _AT["largest_batch"]].max()),
                "mean_batch": round(plain["index_queries"] / calls, 3) if calls else 0.0,
                "batch_sizes": _histogram(total[_BATCH_AT:].tolist(), BATCH_SIZES),
            },
        }


def _class_of(value: float, ends: Sequence[int]) -> int:
    return next((place for place, end in enumerate(ends) if value <= end), len(ends))


def _histogram(counts: Sequence[int], ends: Sequence[int]) -> list[dict[str, Any]]:
    """Classes with their upper ends; ``None`` stands for no end."""
    return [{"up_to": end, "count": n} for end, n in zip((*ends, None), counts, strict=True)]


def _quantile(counts: Sequence[int], share: float) -> int | None:
    """Upper end of the class that the quantile lies in; ``None`` if it is the open one or empty."""
    total, seen = sum(counts), 0
    for end, count in zip(LATENCY_MS, counts, strict=False):
        seen += count
        if total and seen >= share * total:
            return end
    return None
