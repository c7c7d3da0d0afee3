"""The thread that calls the index, one call at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Work(NamedTuple):
    """A call, and who waits for its result."""

    function: Callable[[], Any]
    future: asyncio.Future[Any]


class IndexThread:
    """Runs functions one after another for an event loop.

    Unlike the threads of an executor it does not keep the process from ending, should a search
    hang for ever.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        threading.Thread(target=self._run, name="asl-index", daemon=True).start()

    async def call(self, function: Callable[[], T]) -> T:
        """Returns what the function returns, or raises what it raises."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work.put(_Work(function, future))
        return await future

    def stop(self) -> None:
        """Ends the thread after the call that it is in."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            result, error = _outcome(work.function)
            with suppress(RuntimeError):  # the loop has stopped, nobody waits any more
                work.future.get_loop().call_soon_threadsafe(_settle, work.future, result, error)


def _outcome(function: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return function(), None
    except StopIteration as error:  # a future cannot carry it
        return None, RuntimeError(f"StopIteration: {error}")
    except Exception as error:
        return None, error
    except BaseException as error:  # what ends a thread must not end the server's only one
        return None, RuntimeError(f"{type(error).__name__}: {error}")


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
