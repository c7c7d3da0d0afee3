"""Connections to one server: kept alive, pooled, and with a deadline for every byte."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from asl_env.retrieval.remote.failure import PeerError

#: Largest piece that is read at once.
_PIECE = 2**16


class RawReply(NamedTuple):
    """A reply as it arrived."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends requests to one address. Safe to share between threads and over a fork.

    Args:
        url: Where requests go, path included.
        timeout: Seconds for one whole exchange, from connecting to the last byte of the reply.
        max_bytes: A longer reply is refused.
        idle: Connections that are kept open at most.
    """

    def __init__(self, url: str, timeout: float, max_bytes: int, idle: int = 64) -> None:
        parts = urlsplit(url)
        self.url = url
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._path = parts.path or "/"
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._idle = idle
        self._context: ssl.SSLContext | None = None
        self._pool: list[_Connection] = []
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def post(self, body: bytes, headers: Mapping[str, str]) -> RawReply:
        """Sends one request and reads the whole reply.

        Raises:
            PeerError: If the server cannot be reached, hangs up, is late, or sends too much.
        """
        deadline = time.monotonic() + self._timeout
        connection = self._take()
        while connection is not None:
            try:
                return self._exchange(connection, body, headers, deadline)
            except _StaleError:
                # The server closed it while it lay idle and read nothing of the request.
                connection = self._take()
        return self._exchange(self._connect(deadline), body, headers, deadline)

    def close(self) -> None:
        """Closes idle connections; the transport can still be used."""
        with self._lock:
            idle, self._pool = self._pool, []
        for connection in idle:
            connection.close()

    def _take(self) -> _Connection | None:
        with self._lock:
            if self._owner != os.getpid():
                # Forked: these connections belong to the parent, which goes on using them.
                self._pool, self._owner = [], os.getpid()
            return self._pool.pop() if self._pool else None

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            if len(self._pool) < self._idle and self._owner == os.getpid():
                self._pool.append(connection)
                return
        connection.close()

    def _connect(self, deadline: float) -> _Connection:
        try:
            opened = socket.create_connection((self._host, self._port), _left(deadline))
            try:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._secure:
                    opened.settimeout(_left(deadline))
                    opened = self._secured(opened)
            except BaseException:
                opened.close()
                raise
        except (OSError, ValueError) as error:
            raise PeerError(_named(error, self._timeout)) from None
        return _Connection(self._host, self._port, opened)

    def _secured(self, opened: socket.socket) -> socket.socket:
        if self._context is None:
            self._context = ssl.create_default_context()
        return self._context.wrap_socket(opened, server_hostname=self._host)

    def _exchange(
        self, connection: _Connection, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> RawReply:
        sound = False
        try:
            connection.deadline = deadline
            response = connection.ask(self._path, body, headers)
            reply = RawReply(response.status, dict(response.getheaders()), self._read(response))
            sound = not response.will_close
            return reply
        except (OSError, http.client.HTTPException, ValueError) as error:
            if connection.used and connection.silent and not isinstance(error, TimeoutError):
                raise _StaleError from None
            raise PeerError(_named(error, self._timeout)) from None
        finally:
            connection.used = True
            if sound:
                self._give_back(connection)
            else:
                connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        declared = response.length
        if declared is not None and declared > self._max_bytes:
            raise PeerError(self._too_long)
        pieces, size = [], 0
        while piece := response.read(_PIECE):
            size += len(piece)
            if size > self._max_bytes:
                raise PeerError(self._too_long)
            pieces.append(piece)
        if declared is not None and size < declared:
            raise PeerError(f"the reply broke off after {size} of {declared} bytes")
        return b"".join(pieces)

    @property
    def _too_long(self) -> str:
        return f"the reply is longer than max_reply_bytes={self._max_bytes}"


class _StaleError(Exception):
    """An idle connection turned out to be closed."""


class _Connection:
    """One connection of HTTP/1.1.

    Attributes:
        deadline: When the exchange must be over, on the monotonic clock.
        used: Whether it has carried an exchange.
        silent: Whether nothing was received in this exchange.
    """

    def __init__(self, host: str, port: int, opened: socket.socket) -> None:
        self.deadline = 0.0
        self.used = False
        self.silent = True
        self._socket = opened
        self._http = http.client.HTTPConnection(host, port)
        self._http.sock = _Timed(self, opened)

    def ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        self.silent = True
        self._http.request("POST", path, body, dict(headers))
        return self._http.getresponse()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._http.close()
            self._socket.close()


class _Timed:
    """What ``http.client`` sees of a socket: every wait ends at the connection's deadline.

    A plain socket timeout starts again with every byte, so a server that drips would never be
    late.
    """

    def __init__(self, connection: _Connection, opened: socket.socket) -> None:
        self._connection = connection
        self._socket = opened

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._connection.deadline))
        self._socket.sendall(data)

    def makefile(self, mode: str, *_: Any, **__: Any) -> IO[bytes]:
        return io.BufferedReader(_TimedReader(self._connection, self._socket), _PIECE)

    def close(self) -> None:
        """Leaves the socket open: ``http.client`` closes before it has read the body."""


class _TimedReader(io.RawIOBase):
    def __init__(self, connection: _Connection, opened: socket.socket) -> None:
        self._connection = connection
        self._socket = opened

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self._connection.deadline))
        size = self._socket.recv_into(buffer)
        if size:
            self._connection.silent = False
        return size


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0.0:
        raise TimeoutError("timed out")
    return left


def _named(error: Exception, timeout: float) -> str:
    """Names a failure of the connection in a few words."""
    if isinstance(error, TimeoutError):
        return f"no whole reply within {timeout:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused; is the server running?"
    if isinstance(error, ssl.SSLError):
        return "no secure connection (is the certificate valid, is it https?)"
    if isinstance(error, socket.gaierror):
        return "no server of that name is known"
    if isinstance(error, http.client.IncompleteRead):
        return "the reply broke off"
    if isinstance(error, (http.client.HTTPException, ValueError)):
        if isinstance(error, http.client.RemoteDisconnected):
            return "the server hung up"
        return f"the reply is no HTTP ({type(error).__name__})"
    return f"the connection broke ({type(error).__name__})"
