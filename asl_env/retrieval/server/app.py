"""The web application: routes, limits on requests, and errors as typed JSON."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

import asl_env
from asl_env.protocols import Retriever
from asl_env.retrieval.server import refusal
from asl_env.retrieval.server.batcher import Batcher
from asl_env.retrieval.server.openapi import describe
from asl_env.retrieval.server.refusal import RefusedError
from asl_env.retrieval.server.settings import ServerSettings
from asl_env.retrieval.server.stats import Stats
from asl_env.retrieval.server.wire import JSON, read_request, write_reply

_log = logging.getLogger(__name__)

#: How much of a body over the limit is read and dropped, in units of the limit. A server that
#: hangs up at once leaves the client with a broken pipe in place of the reason.
_PATIENCE = 4


class SearchApp:
    """The handlers of one worker.

    Args:
        retriever: Where to search.
        settings: Limits and times.
        token: What clients must send; ``None`` for nothing.
        stats: Counts what happens.
        name: What is served, for ``/health``.
    """

    def __init__(
        self,
        retriever: Retriever,
        settings: ServerSettings,
        token: str | None = None,
        stats: Stats | None = None,
        name: str = "",
    ) -> None:
        self._settings = settings
        self._token = None if token is None else f"Bearer {token}".encode()
        self._stats = stats or Stats()
        self._batcher = Batcher(retriever, settings, self._stats)
        self._name = name or type(retriever).__name__
        self._active = 0

    def build(self) -> Starlette:
        """Returns the ASGI application."""
        app = Starlette(
            routes=[
                Route("/retrieve", self.retrieve, methods=["POST"]),
                Route("/health", self.health),
                Route("/stats", self.stats),
                Route("/openapi.json", self.openapi),
            ],
            exception_handlers={
                RefusedError: _refused,
                HTTPException: _http_error,
                Exception: _internal,
            },
            lifespan=self._lifespan,
        )
        app.router.redirect_slashes = False
        return app

    async def retrieve(self, request: Request) -> Response:
        """Searches for the queries of a request of any wire form."""
        started = time.perf_counter()
        self._stats.add("requests")
        status = 500
        try:
            response = await self._retrieve(request)
            status = response.status_code
            return response
        except RefusedError as error:
            status = error.status
            raise
        finally:
            self._stats.replied(status, time.perf_counter() - started)

    async def _retrieve(self, request: Request) -> Response:
        self._authorise(request)
        with self._place():
            body = await self._body(request)
            asked = read_request(body, request.headers.get("content-type", ""), self._settings)
            found = await self._batcher.search(asked.queries, asked.k)
            try:
                reply = write_reply(asked, found)
            except (ValueError, TypeError, AttributeError) as error:
                _log.warning("a reply cannot be written", exc_info=error)
                raise refusal.failed("the retriever found what cannot be sent") from None
            return Response(reply, media_type=asked.media_type)

    async def health(self, request: Request) -> Response:
        """Says that the server serves, and what. Asks for no token: balancers have none."""
        return _json({"status": "ok", "serves": self._name, "version": asl_env.__version__})

    async def stats(self, request: Request) -> Response:
        """Says how the server does, over all workers."""
        self._authorise(request)
        return _json(self._stats.report())

    async def openapi(self, request: Request) -> Response:
        """Describes the interface."""
        return _json(describe(self._settings, secured=self._token is not None))

    def _authorise(self, request: Request) -> None:
        if self._token is None:
            return
        sent = request.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(sent, self._token):
            raise refusal.unauthorised()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._active >= self._settings.max_requests:
            raise refusal.busy(f"{self._active} requests are open; try again later", 1)
        self._active += 1
        self._stats.set("active", self._active)
        try:
            yield
        finally:
            self._active -= 1
            self._stats.set("active", self._active)

    async def _body(self, request: Request) -> bytes:
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            raise RefusedError(
                415, "unsupported_encoding", "send the body without Content-Encoding"
            )
        try:
            return await asyncio.wait_for(self._read(request), self._settings.timeout)
        except asyncio.TimeoutError:
            raise RefusedError(
                408, "timeout", f"the body did not arrive within {self._settings.timeout:g} s"
            ) from None
        except ClientDisconnect:
            raise refusal.unreadable("the connection ended before the body") from None

    async def _read(self, request: Request) -> bytes:
        limit, size, pieces = self._settings.max_body_bytes, 0, []
        async for piece in request.stream():
            size += len(piece)
            if size <= limit:
                pieces.append(piece)
            elif size > _PATIENCE * limit:
                break
            else:
                pieces.clear()
        if size > limit:
            raise refusal.too_large(
                f"the body is longer than {limit} bytes; send fewer queries per request"
            )
        return b"".join(pieces)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._batcher.start()
        yield
        await self._batcher.close()


def _json(value: dict[str, Any]) -> Response:
    return Response(json.dumps(value), media_type=JSON)


def _answer(error: RefusedError) -> Response:
    return Response(error.body, error.status, error.headers, JSON)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _answer(error)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _answer(refusal.from_status(error.status_code, error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _internal(request: Request, error: Exception) -> Response:
    # The framework raises the error again after this, so that it is logged with its traceback.
    return _answer(RefusedError(500, "internal", "the server failed; its log says more"))
