"""What the server says no with: an HTTP status, a type for programs, a line for people."""

from __future__ import annotations

import json
from collections.abc import Mapping

#: Types by status, for errors that are not the server's own.
_TYPES = {404: "not_found", 405: "method_not_allowed"}


class RefusedError(Exception):
    """A request that gets an error and no result.

    Args:
        status: HTTP status.
        kind: Short name for programs.
        message: One line that says what to do.
        headers: More headers of the reply.
    """

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = dict(headers or {})

    @property
    def body(self) -> bytes:
        """The typed JSON body."""
        return json.dumps({"error": {"type": self.kind, "message": self.message}}).encode()


def unreadable(message: str) -> RefusedError:
    """A body that is no message at all."""
    return RefusedError(400, "bad_request", message)


def invalid(message: str) -> RefusedError:
    """A message with a field that is missing, of the wrong kind, or out of range."""
    return RefusedError(422, "invalid_field", message)


def too_large(message: str) -> RefusedError:
    """More bytes than the server reads."""
    return RefusedError(413, "too_large", message)


def unauthorised() -> RefusedError:
    """No token, or another one."""
    return RefusedError(
        401,
        "unauthorized",
        "send the server's token as 'Authorization: Bearer TOKEN'",
        {"WWW-Authenticate": "Bearer"},
    )


def busy(message: str, seconds: int) -> RefusedError:
    """More requests than the server takes on; it says when to come back."""
    return RefusedError(429, "busy", message, {"Retry-After": str(seconds)})


def failed(message: str) -> RefusedError:
    """The search failed. Never an empty result, which would be taken for an answer."""
    return RefusedError(503, "search_failed", message)


def late(seconds: float) -> RefusedError:
    """The search took too long."""
    return RefusedError(503, "timeout", f"no result within {seconds:g} s; try again later")


def stopping() -> RefusedError:
    """The server finishes what it accepted and takes nothing new."""
    return RefusedError(503, "stopping", "the server is stopping", {"Retry-After": "1"})


def from_status(status: int, detail: str) -> RefusedError:
    """An error that the web framework found."""
    return RefusedError(status, _TYPES.get(status, "http_error"), detail)
