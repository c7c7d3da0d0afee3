"""Why a request to a search server failed, and whether to try again."""

from __future__ import annotations

import json
from collections.abc import Mapping

from asl_env.pacing import read_retry_after

#: Statuses after which the same request may succeed, here or at another server.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_SHOWN = 200


class PeerError(Exception):
    """A request that brought no result.

    Args:
        message: One line.
        retry: Whether the same request may succeed later or elsewhere.
        wait: Seconds that the server asked for.
    """

    def __init__(self, message: str, *, retry: bool = True, wait: float | None = None) -> None:
        super().__init__(message)
        self.retry = retry
        self.wait = wait


def from_status(
    status: int, headers: Mapping[str, str], body: bytes, token: str | None, now: float
) -> PeerError:
    """Makes a failure of a reply that is no success.

    Args:
        status: HTTP status.
        headers: Of the reply.
        body: Its beginning.
        token: What must not be shown, should the server repeat it.
        now: Seconds since 1970.
    """
    if 300 <= status < 400:
        return PeerError(
            f"it redirects (status {status}); give the address it redirects to", retry=False
        )
    said = _said(body)
    if token:
        said = said.replace(token, "[token]")
    text = f"status {status}{': ' if said else ''}{said}"
    wait = read_retry_after(headers, now)
    return PeerError(text, retry=status in _PASSING, wait=wait)


def _said(body: bytes) -> str:
    """The message of an error body: our own form, FastAPI's, or whatever it is."""
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        error = found.get("error", found.get("detail", text))
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:_SHOWN]
