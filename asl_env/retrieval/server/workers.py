"""Several server processes at one port, watched over by the one that started them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from asl_env.errors import ServerError
from asl_env.protocols import Retriever
from asl_env.retrieval.server.listening import bind, can_share, url_of
from asl_env.retrieval.server.serving import ending_quietly, make_server, open_and_try
from asl_env.retrieval.server.settings import ServerSettings
from asl_env.retrieval.server.stats import WIDTH, Stats

_log = logging.getLogger(__name__)

#: Seconds between two looks at the workers.
_LOOK = 0.05
#: Workers that died are started again, but so many times in a minute at most.
_RESTARTS = 10
_SPAWN = multiprocessing.get_context("spawn")


class _Worker:
    """A process that serves, and the row of counters it writes."""

    def __init__(self, row: int, arguments: tuple[Any, ...]) -> None:
        self.row = row
        self._arguments = arguments
        self.start()

    def start(self) -> None:
        self.ready = _SPAWN.Event()
        self.process = _SPAWN.Process(
            target=run_worker, args=(self.row, self.ready, *self._arguments), daemon=True
        )
        self.process.start()


def supervise(
    open_retriever: Callable[[], Retriever],
    settings: ServerSettings,
    *,
    name: str,
    announce: Callable[[str], None],
) -> None:
    """Runs the workers until the process is told to stop; starts those that die again.

    Args:
        open_retriever: Can be pickled; every worker calls it.
        settings: Of every worker.
        name: What is served.
        announce: Called once with the address, when every worker can be reached.

    Raises:
        AslError: If the retriever cannot be opened.
        ServerError: If the address is taken, or workers do not start or die all the time.
        KeyboardInterrupt: After Ctrl-C, when everything accepted was finished.
    """
    share = can_share()
    bind(settings.host, settings.port).close()  # a sharing socket would not notice another server
    with bind(settings.host, settings.port, share=share) as bound:
        # Whatever is wrong with it shows here, and an index that must be built is built once.
        open_and_try(open_retriever)
        block = _SPAWN.RawArray("q", settings.workers * WIDTH)
        place = bound.getsockname()[:2] if share else bound
        arguments = (place, block, open_retriever, settings, name)
        signals: list[int] = []
        before = {
            number: signal.signal(number, lambda sent, _: signals.append(sent))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        workers = [_Worker(row, arguments) for row in range(settings.workers)]
        try:
            _watch(workers, signals, lambda: announce(url_of(bound)))
        finally:
            _stop(workers, settings.grace + 5.0)
            for number, handler in before.items():
                signal.signal(number, handler)
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


def _watch(workers: list[_Worker], signals: list[int], announce: Callable[[], None]) -> None:
    announced = False
    restarts: list[float] = []
    while not signals:
        for worker in workers:
            if worker.process.is_alive() or signals:
                continue
            code = worker.process.exitcode
            now = time.monotonic()
            restarts = [then for then in restarts if now - then < 60.0] + [now]
            if not worker.ready.is_set() or len(restarts) > _RESTARTS:
                raise ServerError(f"a worker ended with exit code {code}; its errors are above")
            _log.warning("a worker ended with exit code %s; starting another", code)
            worker.start()
        if not announced and all(worker.ready.is_set() for worker in workers):
            announced = True
            announce()
        time.sleep(_LOOK)


def _stop(workers: list[_Worker], seconds: float) -> None:
    """Asks all workers to finish, and ends those that do not."""
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def run_worker(
    row: int,
    ready: Any,
    place: tuple[str, int] | socket.socket,
    block: Any,
    open_retriever: Callable[[], Retriever],
    settings: ServerSettings,
    name: str,
) -> None:
    """What a worker process does: opens the index, serves, stops when told or left alone."""
    # Ctrl-C reaches the whole group; the parent passes it on as SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    shared = np.frombuffer(block, np.int64).reshape(-1, WIDTH)
    bound = place if isinstance(place, socket.socket) else bind(*place, share=True)
    server = make_server(open_and_try(open_retriever), settings, Stats(shared, row), name)
    threading.Thread(target=lambda: server.up.wait() and ready.set(), daemon=True).start()
    with bound, ending_quietly(server):
        server.run([bound])


def _end_with_parent() -> None:
    """Stops this process when its parent is killed; nobody else would."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="asl-parent", daemon=True).start()
