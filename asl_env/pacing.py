"""How long to wait before another try of a request that failed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import numpy as np


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter.

    Attributes:
        retries: Further tries at most.
        max_wait: Longest wait in seconds.
        base: The first wait is drawn from [0, base), each further one from twice the range.
    """

    retries: int
    max_wait: float
    base: float = 0.5

    def delay(self, failures: int, rng: np.random.Generator, asked: float | None) -> float | None:
        """Returns the seconds to wait before another try, or ``None`` to give up.

        Args:
            failures: Tries that failed so far, at least 1.
            rng: Draws the jitter.
            asked: Seconds that the server asked for; a lower bound of the wait.
        """
        if failures > self.retries or (asked is not None and asked > self.max_wait):
            return None
        jitter = rng.random() * min(self.max_wait, self.base * 2.0 ** min(failures - 1, 60))
        return jitter if asked is None else asked + min(jitter, self.base)


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Reads how long a server wants to be left alone.

    Args:
        headers: Of the reply (names in any case); ``retry-after-ms`` and ``retry-after``, in
            seconds or as a date.
        now: Seconds since 1970, for dates.

    Returns:
        Seconds, at least 0, or ``None`` if the server does not say or makes no sense.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        seconds = _number(given.get(name, ""))
        if seconds is not None:
            return seconds * unit
    try:
        return max(0.0, parsedate_to_datetime(given.get("retry-after", "")).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0.0 else None
