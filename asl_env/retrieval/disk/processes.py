"""Work in several processes, which do not outlive the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

from asl_env.errors import BadIndexError

Result = TypeVar("Result")

#: What a process of a pool was given when it began.
_taken: list[str] = []


def do_all(
    work: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    processes: int,
    seats: Sequence[str] = (),
) -> Generator[Result, None, None]:
    """Yields the results of ``work(*task)`` in the order in which they are finished.

    Args:
        work: A function of a module.
        tasks: Its arguments.
        processes: How many processes; 1 works in this one.
        seats: One for each process, such as the device that it is to use; it learns its own from
            ``seat``.

    Raises:
        BadIndexError: If a process died.
    """
    if processes == 1 or len(tasks) < 2:
        for task in tasks:
            yield work(*task)
        return
    # Forking this process would copy its threads' locks (progress bars, torch) in any state.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    free = context.SimpleQueue()
    for name in seats:
        free.put(name)
    pool = ProcessPoolExecutor(
        min(processes, len(tasks)), context, initializer=_begin, initargs=(free, bool(seats))
    )
    try:
        for done in as_completed([pool.submit(work, *task) for task in tasks]):
            yield done.result()
    except BrokenProcessPool as error:
        raise BadIndexError(
            "a process that indexes died: memory may be short (give --memory or --workers less), "
            "or the script that started this lacks `if __name__ == '__main__':`; "
            "run it again to go on where it was"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def seat() -> str | None:
    """Returns the seat of this process; ``None`` where none was given out."""
    return _taken[0] if _taken else None


def _begin(free: Any, seated: bool) -> None:
    """Leaves interrupts to the parent, and ends this process when the parent is gone."""
    if seated:
        _taken.append(free.get())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
