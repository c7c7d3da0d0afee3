"""Serving in this process: in the foreground for the command line, or in a thread."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from asl_env.errors import AslError, ServerError
from asl_env.protocols import Retriever
from asl_env.retrieval.server.libraries import require_server
from asl_env.retrieval.server.listening import bind, url_of
from asl_env.retrieval.server.settings import ServerSettings, read_token
from asl_env.retrieval.server.stats import Stats


class RunningServer:
    """A server in a thread of this process: for notebooks, scripts and tests.

    It serves inside a ``with`` block; leaving the block finishes what was accepted. The number
    of workers is always one.

    Args:
        retriever: Where to search.
        settings: Where to listen and what to accept; a free port unless they say otherwise.

    Raises:
        ServerError: If the extra ``server`` is missing, or the address is taken.
    """

    def __init__(self, retriever: Retriever, settings: ServerSettings | None = None) -> None:
        require_server()
        self._settings = settings or ServerSettings(port=0)
        self._retriever = retriever
        self._socket = bind(self._settings.host, self._settings.port)
        self.url = url_of(self._socket)
        self._server = make_server(retriever, self._settings, Stats())
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="asl-server", daemon=True
        )

    def __enter__(self) -> RunningServer:
        self._thread.start()
        while not self._server.up.wait(0.1):
            if not self._thread.is_alive():
                raise ServerError("the server did not start; its log says more")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Finishes what was accepted, at most for the settings' ``grace``, and stops."""
        self._server.should_exit = True
        self._thread.join()


def make_server(
    retriever: Retriever, settings: ServerSettings, stats: Stats, name: str = ""
) -> Any:
    """Returns a ``uvicorn.Server`` whose event ``up`` is set once it listens."""
    import uvicorn

    from asl_env.retrieval.server.app import SearchApp

    class Server(uvicorn.Server):
        def __init__(self, config: uvicorn.Config) -> None:
            super().__init__(config)
            self.up = threading.Event()

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            self.up.set()

    app = SearchApp(retriever, settings, read_token(settings.token_env), stats, name).build()
    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(settings.grace)),
        backlog=2048,
    )
    return Server(config)


def open_and_try(open_retriever: Callable[[], Retriever]) -> Retriever:
    """Opens a retriever and searches once, so that the first client does not wait for it.

    Raises:
        AslError: If it cannot be opened or searched.
    """
    retriever = open_retriever()
    try:
        retriever.search(["warm up"], 1)
    except AslError:
        raise
    except Exception as error:
        raise ServerError(f"the first search failed: {type(error).__name__}: {error}") from error
    return retriever


def serve(
    open_retriever: Callable[[], Retriever],
    settings: ServerSettings,
    *,
    name: str = "",
    announce: Callable[[str], None] = lambda url: None,
) -> None:
    """Serves until the process is told to stop (SIGTERM, or Ctrl-C).

    Args:
        open_retriever: Makes the retriever. With several workers each calls it, so it must be a
            function or object that can be pickled.
        settings: Where to listen, what to accept, how many workers.
        name: What is served, for ``/health``.
        announce: Called once with the server's address, when it can be reached.

    Raises:
        AslError: If the retriever cannot be opened.
        ServerError: If the extra ``server`` is missing, the address is taken, or workers fail.
        KeyboardInterrupt: After Ctrl-C, when everything accepted was finished.
    """
    require_server()
    read_token(settings.token_env)  # complains before anything slow
    if settings.workers > 1:
        from asl_env.retrieval.server.workers import supervise

        supervise(open_retriever, settings, name=name, announce=announce)
        return
    with bind(settings.host, settings.port) as bound:
        server = make_server(open_and_try(open_retriever), settings, Stats(), name)
        url = url_of(bound)

        def tell() -> None:
            server.up.wait()
            announce(url)

        threading.Thread(target=tell, name="asl-announce", daemon=True).start()
        with ending_quietly(server):
            server.run([bound])


@contextmanager
def ending_quietly(server: Any) -> Iterator[None]:
    """Lets the process go on after a server that SIGTERM stopped.

    uvicorn stops at the signal and then raises it again, which would kill the process before it
    has cleaned up.
    """

    def stop(number: int, frame: object) -> None:
        server.should_exit = True

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
