"""A folder beside its target, in which something is made and from which it is moved into place."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_LOCK = ".making"


class Scratch:
    """A temporary folder on the same file system as its target.

    What a killed process left is removed by the next one that makes the same target: every
    folder holds a locked file as long as its process lives (not on Windows, where there are no
    such locks and leftovers stay).

    Args:
        target: Where the folder is to go in the end; missing parents are made.

    Attributes:
        path: The temporary folder.

    Raises:
        OSError: If it cannot be made.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{target.name}.partial-"
        for old in target.parent.iterdir():
            if old.name.startswith(prefix) and _abandoned(old / _LOCK):
                shutil.rmtree(old, ignore_errors=True)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        self._lock: int | None = None
        if os.name == "posix":
            self._lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR)
            try_lock(self._lock)

    def keep(self) -> None:
        """Moves the folder to the target; what was there is removed afterwards."""
        (self.path / _LOCK).unlink(missing_ok=True)
        # mkdtemp makes private folders; a result may be shared as far as the umask allows.
        mask = os.umask(0)
        os.umask(mask)
        self.path.chmod(0o777 & ~mask)
        move_into_place(self.path, self._target)

    def close(self) -> None:
        """Removes the folder if it was not kept."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)


def move_into_place(made: Path, target: Path) -> None:
    """Moves a finished folder to its place; what was there before is removed afterwards."""
    if not target.exists():
        made.replace(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    target.replace(aside / "old")
    made.replace(target)
    shutil.rmtree(aside, ignore_errors=True)


def _abandoned(lock: Path) -> bool:
    """Whether the process that held the lock is gone."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return False
    try:
        return try_lock(handle)
    finally:
        os.close(handle)


def try_lock(handle: int) -> bool:
    """Locks an open file unless another process has; not on Windows."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
