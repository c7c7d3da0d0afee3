"""What can go wrong with an endpoint, and whether trying again makes sense."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.episode import Turn
from asl_env.errors import AgentError


class EndpointError(AgentError):
    """A request that failed, or a reply that cannot be a turn.

    Attributes:
        retry: Whether the same request may succeed later.
        wait: Seconds that the server asked to wait first, if it did.
        fatal: Whether every other request will fail as well (wrong key, wrong address).
        turns: Raised by ``EndpointAgent.act``: one entry per chat, ``None`` where it failed.
    """

    def __init__(
        self,
        message: str,
        *,
        retry: bool = False,
        wait: float | None = None,
        fatal: bool = False,
        turns: Sequence[Turn | None] = (),
    ) -> None:
        super().__init__(message)
        self.retry, self.wait, self.fatal = retry, wait, fatal
        self.turns = tuple(turns)


class ContextOverflowError(EndpointError):
    """The chat is longer than the model's context; the turn is empty, as nothing more fits."""


class AbortedError(EndpointError):
    """Given up because another chat of the batch met a fatal error."""


def clean(text: str, limit: int = 300) -> str:
    """One line of printable characters: what a server sends is shown in terminals and logs."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text[: 8 * limit]).split())
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
