"""Folders of finished work, from which a build that was interrupted goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asl_env.corpora.scratch import try_lock
from asl_env.errors import BadIndexError

#: Told how far a build is: stage, passages done, passages in all (``None`` while unknown).
Tell = Callable[[str, int, "int | None"], None]

LOCK = "lock"
_PLAN = "plan.json"


def go_on_with(folder: Path, plan: Mapping[str, Any]) -> None:
    """Makes a folder ready for a plan: what is there stays if it was made for an equal one.

    Args:
        folder: The folder; made if it is not there.
        plan: Whatever the work depends on; must survive JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _PLAN
    try:
        if json.loads(path.read_text(encoding="utf-8")) == plan:
            return
    except (OSError, ValueError):
        pass
    clear(folder)
    path.write_text(json.dumps(plan), encoding="utf-8")


def clear(folder: Path) -> None:
    """Removes everything in a folder but its lock."""
    for old in folder.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
        elif old.name != LOCK:
            old.unlink()


def need_space(folder: Path, target: Path, what: str, need: int) -> None:
    """Compares the free space of the disk with what a piece of work takes.

    Args:
        folder: The work folder; what it holds counts as done.
        target: What the error names.
        what: What needs the space, with its verb ("indexing 5 passages needs").
        need: Bytes.

    Raises:
        BadIndexError: If there is too little.
    """
    done = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if free < need - done:
        raise BadIndexError(
            f"{target}: {what} about {(need - done) / 1e9:,.1f} GB of free disk space there, "
            f"{free / 1e9:,.1f} GB are free; free some, or choose another path"
        )


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """Keeps other processes out, as long as this one lives (not on Windows).

    Raises:
        BadIndexError: If another process works here.
    """
    if os.name != "posix":
        yield
        return
    with (work / LOCK).open("w") as file:
        if not try_lock(file.fileno()):
            raise BadIndexError(
                f"{work}: another process is building here; wait for it, or choose another path"
            )
        yield
