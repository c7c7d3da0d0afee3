"""When to send: the client-side rate limit. How long to wait after a failure is shared code."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from asl_env.pacing import RetryPolicy, read_retry_after

__all__ = ["WINDOW", "RateLimiter", "RetryPolicy", "read_retry_after"]

#: Length of the window of the rate limit, in seconds.
WINDOW = 60.0


class RateLimiter:
    """Hands out times to send at: never more than so many in any 60 seconds.

    Args:
        per_minute: Requests in any window; ``None`` for any number.
        clock: Seconds that only grow.
    """

    def __init__(
        self, per_minute: int | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._times: deque[float] = deque(maxlen=per_minute)
        self._open_from = -math.inf

    def reserve(self) -> float:
        """Takes the next free place and returns the seconds until then."""
        with self._lock:
            now = self._clock()
            start = max(now, self._open_from)
            if self._per_minute is not None:
                if len(self._times) == self._per_minute:
                    start = max(start, self._times[0] + WINDOW)
                if self._times:
                    start = max(start, self._times[-1])
                self._times.append(start)
            return start - now

    def hold(self, seconds: float) -> None:
        """Lets nobody send for so long, because the server asked for it."""
        with self._lock:
            self._open_from = max(self._open_from, self._clock() + seconds)
