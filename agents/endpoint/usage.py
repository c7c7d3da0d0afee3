"""Counting requests, tokens and money."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class EndpointUsage:
    """What an agent has used since it was made.

    Attributes:
        requests: Requests sent, retries included.
        retries: How many of them were further tries.
        replies: Requests that gave a turn.
        failures: Chats given up after all tries.
        overflows: Chats that no longer fitted into the model's context.
        unreported: Replies whose tokens the server did not count (for example because the reply
            was cut at a stop string); tokens and cost are then lower bounds.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        cost: In the currency of the prices.
    """

    requests: int = 0
    retries: int = 0
    replies: int = 0
    failures: int = 0
    overflows: int = 0
    unreported: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class UsageMeter:
    """Adds up, from any number of threads.

    Args:
        price_prompt: Price of a million prompt tokens.
        price_completion: Price of a million completion tokens.
    """

    def __init__(self, price_prompt: float = 0.0, price_completion: float = 0.0) -> None:
        self._prices = price_prompt, price_completion
        self._lock = threading.Lock()
        self._usage = EndpointUsage()

    @property
    def usage(self) -> EndpointUsage:
        """The counts so far."""
        with self._lock:
            usage = self._usage
        prompt, completion = self._prices
        spent = usage.prompt_tokens * prompt + usage.completion_tokens * completion
        return replace(usage, cost=spent / 1e6)

    def sent(self, *, again: bool) -> None:
        """Counts a request."""
        self._add(requests=1, retries=int(again))

    def replied(self, tokens: tuple[int, int] | None) -> None:
        """Counts a reply with its prompt and completion tokens, if the server told them."""
        if tokens is None:
            self._add(replies=1, unreported=1)
        else:
            self._add(replies=1, prompt_tokens=tokens[0], completion_tokens=tokens[1])

    def failed(self) -> None:
        """Counts a chat that was given up."""
        self._add(failures=1)

    def overflowed(self) -> None:
        """Counts a chat that was too long."""
        self._add(overflows=1)

    def _add(self, **counts: int) -> None:
        with self._lock:
            before = vars(self._usage)
            self._usage = replace(
                self._usage, **{name: before[name] + count for name, count in counts.items()}
            )
