"""Pieces of work on the disk: folders of arrays that are either complete or not there.

A piece is written under another name and renamed when it is complete, with the length and checksum
of every file in ``done.json``. Whoever goes on after a crash trusts a piece only if they agree.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DONE = "done.json"
_CHUNK = 1 << 22


def write_piece(
    folder: Path, files: Mapping[str, NDArray[Any] | bytes], facts: Mapping[str, Any]
) -> None:
    """Writes a piece, replacing one of the same name.

    Args:
        folder: Where it goes.
        files: Contents by file name.
        facts: What ``read_facts`` is to tell.
    """
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    sums = {}
    for name, content in files.items():
        data = memoryview(content if isinstance(content, bytes) else content.view(np.uint8).data)
        (unfinished / name).write_bytes(data)
        sums[name] = [data.nbytes, zlib.crc32(data)]
    record = {"facts": dict(facts), "files": sums}
    (unfinished / DONE).write_text(json.dumps(record), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)


def read_facts(folder: Path) -> dict[str, Any]:
    """Returns what a complete piece says of itself."""
    facts: dict[str, Any] = json.loads((folder / DONE).read_text(encoding="utf-8"))["facts"]
    return facts


def is_complete(folder: Path) -> bool:
    """Whether a piece is there and every byte is as it was written."""
    try:
        record = json.loads((folder / DONE).read_text(encoding="utf-8"))
        return all(
            (folder / name).stat().st_size == size and _checksum(folder / name) == crc
            for name, (size, crc) in record["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def remove_unfinished(folder: Path) -> None:
    """Removes the pieces in a folder that a killed process left half-written."""
    for left in folder.glob("*.unfinished"):
        shutil.rmtree(left, ignore_errors=True)


def read_array(path: Path, dtype: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
    """Reads items ``start`` to ``stop`` of an array's file into memory."""
    size = np.dtype(dtype).itemsize
    end = path.stat().st_size // size if stop is None else stop
    array: NDArray[Any] = np.fromfile(path, dtype, end - start, offset=start * size)
    return array


def _checksum(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc
