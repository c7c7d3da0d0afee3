"""Which of several servers gets a request: one that is well, and has the least to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from asl_env.retrieval.remote.transport import Transport

#: A server that failed is set aside for so many seconds, twice as long each time it fails again.
FIRST_ASIDE, LONGEST_ASIDE = 0.5, 30.0


class Server:
    """A server and how it has been.

    Attributes:
        transport: The way to it.
        busy: Requests under way.
        failures: Failures since the last success.
        until: When its time aside is over.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.busy = 0
        self.failures = 0
        self.until = 0.0


class Servers:
    """Chooses servers. Safe to share between threads.

    A server that failed is set aside. When its time is over it gets one request to prove
    itself; a success brings it back, a failure sets it aside for twice the time. If all are
    aside, the one whose time ends first is tried: a late answer is better than none.

    Args:
        transports: The ways to the servers; at least one.
        clock: Seconds that only grow.
    """

    def __init__(
        self, transports: Sequence[Transport], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.all = [Server(transport) for transport in transports]
        self._clock = clock
        self._lock = threading.Lock()
        self._turn = 0

    def take(self) -> Server:
        """Returns the server for the next request; tell afterwards how it went."""
        with self._lock:
            now = self._clock()
            # A server on probation takes one request at a time.
            fit = [s for s in self.all if not s.failures or (s.until <= now and not s.busy)]
            if fit:
                self._turn += 1
                turn, count = self._turn, len(self.all)
                chosen = min(fit, key=lambda s: (s.busy, (self.all.index(s) - turn) % count))
            else:
                chosen = min(self.all, key=lambda s: (s.until, s.busy))
            chosen.busy += 1
            return chosen

    def succeeded(self, server: Server) -> None:
        """The server gave a result."""
        with self._lock:
            server.busy -= 1
            server.failures = 0
            server.until = 0.0

    def failed(self, server: Server, wait: float | None) -> None:
        """The server gave none; it asked to be left alone for ``wait`` seconds, or did not."""
        with self._lock:
            server.busy -= 1
            server.failures += 1
            aside = min(LONGEST_ASIDE, FIRST_ASIDE * 2.0 ** min(server.failures - 1, 60))
            server.until = self._clock() + max(aside, min(wait or 0.0, LONGEST_ASIDE))

    def refused(self, server: Server) -> None:
        """The server is well but did not like the request."""
        with self._lock:
            server.busy -= 1

    def another_is_well(self) -> bool:
        """Whether a request can go out at once to a server that did not just fail."""
        with self._lock:
            now = self._clock()
            return any(not s.failures or (s.until <= now and not s.busy) for s in self.all)
