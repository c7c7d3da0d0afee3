"""Settings of the search server: where it listens and what it accepts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from asl_env.errors import ServerError

#: Variable that holds the token, for server and client alike.
TOKEN_VARIABLE = "ASL_SERVER_TOKEN"

#: Smallest values of the settings that count something.
_AT_LEAST = {
    "port": 0,
    "workers": 1,
    "top_k": 1,
    "max_top_k": 1,
    "max_queries": 1,
    "max_hits": 1,
    "max_query_chars": 1,
    "max_body_bytes": 1,
    "max_requests": 1,
    "max_queue": 1,
    "batch": 1,
    "wait_ms": 0.0,
    "cache": 0,
    "timeout": 0.001,
    "grace": 0.0,
}


@dataclass(frozen=True)
class ServerSettings:
    """Where the server listens and what it accepts. Limits hold for every worker by itself.

    Attributes:
        host: Address to listen at; only this machine reaches the default.
        port: Port to listen at; 0 lets the system choose.
        workers: Processes that serve; each opens the index, memory-mapped files are shared.
        top_k: Passages per query where a request says nothing.
        max_top_k: Passages per query at most.
        max_queries: Queries in one request at most.
        max_hits: Passages in one reply at most (queries times ``topk``).
        max_query_chars: Characters of a query at most.
        max_body_bytes: Bytes of a request's body at most.
        max_requests: Requests that are read or answered at the same time at most.
        max_queue: Queries that wait or are searched at the same time at most. A single request
            with more of them is let in when nothing else waits.
        batch: Queries per call of the index at most.
        wait_ms: Milliseconds that a query waits for company.
        cache: Queries whose passages are remembered, least recently used ones go; 0 for none.
        timeout: Seconds that one request may take to arrive, and again to be answered.
        grace: Seconds that a stopping server takes to finish what it accepted.
        token_env: Variable that holds the token which clients must send; ``None`` looks into
            ``ASL_SERVER_TOKEN``, and asks for none where that is not set.

    Raises:
        ServerError: If a number is out of range.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    top_k: int = 3
    max_top_k: int = 100
    max_queries: int = 4096
    max_hits: int = 100_000
    max_query_chars: int = 8192
    max_body_bytes: int = 32 * 2**20
    max_requests: int = 1024
    max_queue: int = 8192
    batch: int = 256
    wait_ms: float = 2.0
    cache: int = 10_000
    timeout: float = 30.0
    grace: float = 30.0
    token_env: str | None = None

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, least in _AT_LEAST.items():
            if not values[name] >= least:
                raise ServerError(f"{name} must be at least {least}, not {values[name]}")
        if self.port > 65_535:
            raise ServerError(f"port must be at most 65535, not {self.port}")
        if self.top_k > self.max_top_k:
            raise ServerError(f"top_k={self.top_k} is more than max_top_k={self.max_top_k}")

    @property
    def local(self) -> bool:
        """Whether only this machine reaches the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def read_token(name: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Returns the token of server and client, or ``None`` if there is none.

    Args:
        name: The variable that holds it; ``None`` looks into ``ASL_SERVER_TOKEN``.
        environ: The environment.

    Raises:
        ServerError: If the named variable is not set, or the token cannot stand in a header. The
            message never holds the token.
    """
    variable = name or TOKEN_VARIABLE
    token = environ.get(variable, "").strip()
    if not token:
        if name is not None:
            raise ServerError(f"the variable {name} with the token is not set; set it")
        return None
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ServerError(
            f"the token in {variable} has blanks or characters outside ASCII; choose another"
        )
    return token
