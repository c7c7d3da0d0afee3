"""Search over HTTP: one or several search servers that speak Search-R1's form."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from asl_env.errors import SearchUnavailableError, ServerError
from asl_env.pacing import RetryPolicy
from asl_env.protocols import Hit
from asl_env.retrieval.remote.choice import Servers
from asl_env.retrieval.remote.failure import PeerError, from_status
from asl_env.retrieval.remote.reply import read_reply
from asl_env.retrieval.remote.transport import Transport
from asl_env.retrieval.server.settings import read_token

PATH = "/retrieve"
SCHEMES = ("http://", "https://")


class HttpRetriever:
    """Searches by asking servers: ours (``asl serve``), Search-R1's, or any that speaks its form.

    Connections are kept alive and pooled. Many queries go in one request, very many in several
    at the same time. What fails is tried again, at another server if there is one. A reply that is
    not exactly right is a failure, never an empty result. Safe to share between threads, and over
    a fork.

    Args:
        urls: Addresses such as ``http://127.0.0.1:8000``, several separated by commas or as a
            list; servers of one and the same index.
        batch: Queries per request at most.
        concurrency: Requests of one search under way at the same time at most.
        timeout: Seconds for one request, from connecting to the last byte.
        retries: Further tries of a request that failed.
        max_wait: Longest wait between two tries in seconds; a server that asks for more is
            given up.
        max_reply_bytes: A longer reply is refused.
        max_query_chars: Longer queries are cut, as the server would refuse the whole request.
        token_env: Variable that holds the servers' token; ``None`` looks into
            ``ASL_SERVER_TOKEN``, and sends none where that is not set. It is read at each search.

    Raises:
        ServerError: If an address is none.
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        batch: int = 64,
        concurrency: int = 8,
        timeout: float = 30.0,
        retries: int = 6,
        max_wait: float = 30.0,
        max_reply_bytes: int = 64 * 2**20,
        max_query_chars: int = 8192,
        token_env: str | None = None,
    ) -> None:
        numbers = {"batch": batch, "concurrency": concurrency, "max_query_chars": max_query_chars}
        for name, value in (numbers | {"max_reply_bytes": max_reply_bytes}).items():
            if value < 1:
                raise ValueError(f"{name} must be positive, not {value}")
        if retries < 0 or not timeout > 0.0 or not max_wait > 0.0:
            raise ValueError("timeout and max_wait must be positive, retries not negative")
        given = urls.split(",") if isinstance(urls, str) else urls
        self.urls = tuple(dict.fromkeys(_address(url) for url in given))
        if not self.urls:
            raise ServerError("no address; give one like http://127.0.0.1:8000")
        self._made_of = {"urls": self.urls, "concurrency": concurrency} | {
            "batch": batch,
            "timeout": timeout,
            "retries": retries,
            "max_wait": max_wait,
            "max_reply_bytes": max_reply_bytes,
            "max_query_chars": max_query_chars,
            "token_env": token_env,
        }
        self._batch, self._concurrency, self._token_env = batch, concurrency, token_env
        self._cut = max_query_chars
        self._policy = RetryPolicy(retries, max_wait)
        self._servers = Servers([Transport(url, timeout, max_reply_bytes) for url in self.urls])
        self._rng = np.random.default_rng()  # draws nothing but the jitter of waits
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"HttpRetriever({','.join(self.urls)!r})"

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns for each query at most ``k`` hits, best first.

        Raises:
            SearchUnavailableError: One line: what failed at last, and after how many tries.
            ServerError: If the token's variable was named and is not set.
        """
        if not queries or k < 1:
            return [[] for _ in queries]
        token = read_token(self._token_env)
        parts = [queries[at : at + self._batch] for at in range(0, len(queries), self._batch)]
        abort = threading.Event()
        if len(parts) == 1:
            return self._ask(parts[0], k, token, abort)
        with ThreadPoolExecutor(min(len(parts), self._concurrency)) as pool:
            waiting = [pool.submit(self._ask, part, k, token, abort) for part in parts]
            try:
                return [hits for future in waiting for hits in future.result()]
            except BaseException:
                abort.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def close(self) -> None:
        """Closes idle connections; the retriever can still be used."""
        for server in self._servers.all:
            server.transport.close()

    def _ask(
        self, queries: Sequence[str], k: int, token: str | None, abort: threading.Event
    ) -> list[list[Hit]]:
        """Sends one request until there is a result, or no hope."""
        body = _body(queries, k, self._cut)
        headers = {"Content-Type": "application/json", "User-Agent": "asl-env"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        failures = 0
        while True:
            server = self._servers.take()
            url = server.transport.url
            try:
                reply = server.transport.post(body, headers)
                if reply.status != 200:
                    raise from_status(reply.status, reply.headers, reply.body, token, time.time())
                hits = read_reply(reply.body, len(queries), k)
            except PeerError as error:
                if error.retry:
                    self._servers.failed(server, error.wait)
                else:
                    self._servers.refused(server)
                failures += 1
                self._pause_or_give_up(error, failures, url, abort)
            except BaseException:
                self._servers.refused(server)
                raise
            else:
                self._servers.succeeded(server)
                return hits

    def _pause_or_give_up(
        self, error: PeerError, failures: int, url: str, abort: threading.Event
    ) -> None:
        with self._lock:
            delay = self._policy.delay(failures, self._rng, error.wait) if error.retry else None
        elsewhere = self._servers.another_is_well()
        if error.retry and elsewhere and failures <= self._policy.retries:
            delay = 0.0
        if delay is None:
            tries = f" ({failures} tries)" if failures > 1 else ""
            raise SearchUnavailableError(f"{url}: {error}{tries}") from None
        if abort.wait(delay) if delay else abort.is_set():
            raise SearchUnavailableError("given up with the rest of the batch")

    def __deepcopy__(self, memo: dict[int, object]) -> HttpRetriever:
        # Gymnasium deep-copies specifications with their arguments; connections are shared.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self._made_of,)


def _remade(made_of: dict[str, Any]) -> HttpRetriever:
    return HttpRetriever(**made_of)


def _address(url: str) -> str:
    """Checks an address and completes its path.

    Raises:
        ServerError: If it is none that requests can be sent to.
    """
    url = url.strip()
    wrong = f"{url!r} is no address of a search server"
    if not url.lower().startswith(SCHEMES):
        raise ServerError(f"{wrong}; it starts with http:// or https://")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ServerError(f"{wrong} ({error})") from None
    if parts.username is not None or parts.password is not None:
        raise ServerError("the address holds a password; put the token into ASL_SERVER_TOKEN")
    if not parts.hostname or port == 0 or any(ord(letter) <= 32 for letter in url):
        raise ServerError(f"{wrong}; give one like http://127.0.0.1:8000")
    if parts.query or parts.fragment:
        raise ServerError(f"{wrong}; leave out what follows the path")
    path = parts.path.rstrip("/")
    path = path if path.endswith(PATH) else path + PATH
    return f"{parts.scheme.lower()}://{parts.netloc}{path}"


def _body(queries: Sequence[str], k: int, cut: int) -> bytes:
    """The request. Halves of surrogate pairs are replaced: no server must take them."""
    sent = [query[:cut].encode("utf-8", "replace").decode("utf-8") for query in queries]
    return json.dumps({"queries": sent, "topk": k, "return_scores": True}).encode()
