"""The HTTP side: one request with its retries, limits and timeouts.

``requests`` carries it: proxies, certificates and pooled connections as people know them. Every
call here works on threads; a keep-alive session serves all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.cookiejar import DefaultCookiePolicy

import numpy as np
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from asl_env.agents.endpoint.errors import AbortedError, EndpointError, clean
from asl_env.agents.endpoint.keys import holds_key, read_key, redact
from asl_env.agents.endpoint.pacing import RateLimiter, RetryPolicy
from asl_env.agents.endpoint.refusals import refusal
from asl_env.agents.endpoint.reply import Reply, ReplyBuilder, load_json, malformed, read_reply
from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.agents.endpoint.sse import EventReader
from asl_env.agents.endpoint.usage import UsageMeter

#: Bytes of an error page that are read.
ERROR_BYTES = 65_536
#: Largest piece that is taken from a connection at once.
PIECE = 65_536


class EndpointClient:
    """Sends chat completions to one server.

    Args:
        settings: Where and how.
        meter: Counts what is used.
    """

    def __init__(self, settings: EndpointSettings, meter: UsageMeter) -> None:
        self._settings = settings
        self._meter = meter
        self._policy = RetryPolicy(settings.retries, settings.max_wait)
        self._limiter = RateLimiter(settings.requests_per_minute)
        self._session = _make_session(settings)

    def ask(
        self,
        body: bytes,
        stops: Sequence[str],
        read: Callable[[Reply], str],
        *,
        rng: np.random.Generator,
        abort: threading.Event,
    ) -> str:
        """Sends a request until its reply can be read, at most ``retries`` times again.

        Args:
            body: The request as JSON.
            stops: Stop strings after which the reply is cut.
            read: Makes a turn's text of a reply, or raises an ``EndpointError``.
            rng: Draws the jitter of the waits.
            abort: Set when nobody waits for the reply any more.

        Raises:
            EndpointError: One line without the key: what failed at last, and after how many tries.
        """
        failures = 0
        key = read_key(self._settings.key_env, private=self._settings.private)
        while True:
            _pause(self._limiter.reserve(), abort)
            self._meter.sent(again=failures > 0)
            try:
                reply = self._send(body, stops, key, abort)
                turn = read(reply)
                if holds_key(turn, key):
                    raise EndpointError("the reply holds the API key; do not trust this server")
            except EndpointError as error:
                failures += 1
                delay = self._policy.delay(failures, rng, error.wait) if error.retry else None
                if delay is None:
                    raise _final(error, failures, key, self._policy) from None
                if error.wait:
                    self._limiter.hold(error.wait)
            else:
                self._meter.replied(reply.tokens)
                return turn
            _pause(delay, abort)

    def close(self) -> None:
        """Closes idle connections; the client can still be used."""
        self._session.close()

    def _send(
        self, body: bytes, stops: Sequence[str], key: str | None, abort: threading.Event
    ) -> Reply:
        settings = self._settings
        deadline = time.monotonic() + settings.request_timeout
        try:
            with self._session.post(
                settings.address,
                data=body,
                auth=_Bearer(key),
                stream=True,
                allow_redirects=False,
                timeout=(settings.connect_timeout, settings.read_timeout),
            ) as response:
                if response.status_code != 200:
                    beginning = _beginning(_pieces(response, deadline, abort))
                    raise refusal(
                        response.status_code,
                        response.headers,
                        beginning,
                        time.time(),
                        hide=partial(redact, key=key),
                    )
                pieces = _bounded(_pieces(response, deadline, abort), settings.max_reply_bytes)
                kind = response.headers.get("content-type", "").lower()
                if "text/event-stream" in kind:
                    return _read_stream(pieces, stops)
                if "html" in kind:
                    raise malformed("an HTML page; is this the address of the API?")
                return read_reply(b"".join(pieces), stops)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise EndpointError(_broken(error, settings), retry=True) from None


class _Bearer(AuthBase):
    """Sets the key's header itself, so that no ``.netrc`` of the user is consulted."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def _make_session(settings: EndpointSettings) -> requests.Session:
    session = requests.Session()
    session.trust_env = not settings.local  # no proxy on the way to this machine
    session.headers.update(
        {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",  # compressed streams come late
            "User-Agent": "asl-env",
        }
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_maxsize=settings.concurrency, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _pause(seconds: float, abort: threading.Event) -> None:
    if abort.wait(seconds) if seconds > 0 else abort.is_set():
        raise AbortedError("given up with the rest of the batch")


def _pieces(
    response: requests.Response, deadline: float, abort: threading.Event
) -> Iterator[bytes]:
    """Yields what arrives, as it arrives."""
    while piece := response.raw.read1(PIECE, decode_content=True):
        if abort.is_set():
            raise AbortedError("given up with the rest of the batch")
        if time.monotonic() > deadline:
            raise EndpointError(
                "no whole reply within request_timeout; raise it or lower max_tokens", retry=True
            )
        yield piece


def _bounded(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise EndpointError(f"the reply is longer than max_reply_bytes={limit}; raise it")
        yield piece


def _beginning(pieces: Iterator[bytes]) -> bytes:
    """The beginning of an error page; that it breaks off does not matter."""
    found = b""
    try:
        for piece in pieces:
            found += piece
            if len(found) >= ERROR_BYTES:
                break
    except (requests.RequestException, HTTPError, OSError, EndpointError):
        pass
    return found[:ERROR_BYTES]


def _read_stream(pieces: Iterator[bytes], stops: Sequence[str]) -> Reply:
    """Reads a streamed completion; hangs up on a server that goes on after a stop string."""
    reader, builder = EventReader(), ReplyBuilder(stops)
    try:
        for data in _events(reader, pieces):
            if data.strip() == "[DONE]":
                return builder.build()
            builder.add(load_json(data), "delta")
            if builder.overrun:
                return builder.build()
    except (HTTPError, OSError, EndpointError):
        if not builder.stopped:  # the turn is whole otherwise, only the token counts are lost
            raise
    if not builder.finished and not builder.stopped:
        raise malformed("the stream broke off before the turn ended")
    return builder.build()


def _events(reader: EventReader, pieces: Iterator[bytes]) -> Iterator[str]:
    for piece in pieces:
        yield from reader.feed(piece)
    yield from reader.close()


def _broken(error: Exception, settings: EndpointSettings) -> str:
    """Names a failure of the connection; the error's own text may hold anything."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {settings.connect_timeout:g} s"
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return f"no answer for {settings.read_timeout:g} s (read_timeout)"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate cannot be verified"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy cannot be reached"
    if "refused" in str(error).lower():
        return "the connection was refused; is the server running?"
    if "resolve" in str(error).lower():
        return "no server of that name is known"
    return f"the connection broke ({type(error).__name__})"


def _final(
    error: EndpointError, failures: int, key: str | None, policy: RetryPolicy
) -> EndpointError:
    """The error as it leaves: cleaned, without the key, with the number of tries."""
    text = clean(redact(str(error), key))
    if error.wait is not None and error.wait > policy.max_wait:
        text += f"; it asks to wait {error.wait:.0f} s, more than max_wait={policy.max_wait:g}"
    if failures > 1:
        text += f" ({failures} tries)"
    return type(error)(text, fatal=error.fatal)
