"""bzip2 files of many streams, decompressed on several cores and read past damage.

Wikipedia's multistream dumps are thousands of short bzip2 streams, one after another, each with a
hundred whole pages. A stream begins at a byte with ten bytes that are always the same, so the
streams are found by looking for them (the index file beside a dump is not needed). Python's bzip2
decoder holds no lock while it works, so threads suffice to decompress several streams at once; what
comes out keeps the order of the file.
"""

from __future__ import annotations

import bz2
import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: A stream's head, then the mark of its first block or, in an empty stream, of its end. That these
#: ten bytes stand in a dump by chance is a matter of one in 10**13 dumps.
_START = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_MARK = 10

#: The second stream of a multistream dump comes right behind the head; where none starts within
#: this many bytes the file is taken for one long stream, which only one core can decompress.
_NEAR = 16 << 20

_CHUNK = 1 << 20
_INPUT = 64 << 10
_OUTPUT = 16 << 20
#: Streams with more text than this are not held in memory but decompressed when their turn comes.
_HELD = 32 << 20


class DamagedStreamError(OSError):
    """A stream could not be decompressed to its end; what follows can be read."""


class _Part(NamedTuple):
    """What came out of one stream.

    Attributes:
        pieces: The text, in order; ``None`` if it is too long to be held.
        damaged: Whether the stream breaks off behind it.
    """

    pieces: list[bytes] | None
    damaged: bool


def is_multistream(file: BinaryIO) -> bool:
    """Whether a file is bzip2 with a second stream near its beginning; leaves it at its start."""
    try:
        if not _START.match(file.read(_MARK)):
            return False
        file.seek(0)
        found = _starts(file, _NEAR)
        return next(found, None) == 0 and next(found, None) is not None
    finally:
        file.seek(0)


class MultistreamReader:
    """Reads a bzip2 file of many streams from front to back.

    Args:
        path: The file.
        raw: The same file, opened; its position tells how far the file was read.
        threads: How many streams are decompressed at once; every core's worth up to 4 by default.
    """

    def __init__(self, path: Path, raw: BinaryIO, threads: int | None = None) -> None:
        self._path, self._raw = path, raw
        self._threads = threads or min(4, _cores())
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="bzip2")
        self._output = self._all()

    def read1(self, size: int = -1) -> bytes:
        """Returns the next piece of text, of any length whatever the size; empty at the end.

        Raises:
            DamagedStreamError: Once for each damaged stream that others follow; the next call
                reads on behind it.
            EOFError: If the last stream is damaged or cut short.
        """
        piece = next(self._output, b"")
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        """Stops the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _all(self) -> Iterator[bytes | Exception]:
        """Yields the text of all streams, and an error (to be raised) for what is damaged."""
        end = os.fstat(self._raw.fileno()).st_size
        waiting: deque[tuple[int, int, Future[_Part]]] = deque()
        starts = (start for start in _starts(self._raw) if start)
        for first, last in pairwise(chain([0], starts, [end])):
            waiting.append((first, last, self._pool.submit(_whole, self._path, first, last)))
            # Bounds what is in memory: two streams for each thread.
            if len(waiting) > 2 * self._threads:
                yield from self._text(*waiting.popleft(), end)
        while waiting:
            yield from self._text(*waiting.popleft(), end)

    def _text(
        self, first: int, last: int, work: Future[_Part], end: int
    ) -> Iterator[bytes | Exception]:
        pieces, damaged = work.result()
        if pieces is not None:
            yield from pieces
        else:
            try:
                yield from _decompressed(self._path, first, last)
            except (EOFError, OSError):
                damaged = True
        if damaged and last == end:
            yield EOFError("the last bzip2 stream is damaged or cut short")
        elif damaged:
            yield DamagedStreamError(f"damaged bzip2 stream at byte {first:,}")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _starts(file: BinaryIO, within: int | None = None) -> Iterator[int]:
    """Yields the position of every stream, reading no further than asked."""
    at, tail = 0, b""
    while (within is None or at < within) and (data := file.read(_CHUNK)):
        window = tail + data
        for mark in _START.finditer(window):
            yield at - len(tail) + mark.start()
        at += len(data)
        tail = window[-_MARK + 1 :]


def _whole(path: Path, first: int, last: int) -> _Part:
    """Decompresses one stream, unless its text is too long to be held."""
    pieces: list[bytes] = []
    held = 0
    try:
        for piece in _decompressed(path, first, last):
            pieces.append(piece)
            held += len(piece)
            if held > _HELD:
                return _Part(None, damaged=False)
    except (EOFError, OSError):
        return _Part(pieces, damaged=True)
    return _Part(pieces, damaged=False)


def _decompressed(path: Path, first: int, last: int) -> Iterator[bytes]:
    """Yields the text of the one stream between two positions.

    Every piece is held back until the next step went well: a block's checksum may be compared only
    after its text came out.

    Raises:
        EOFError: If the stream does not end before the second position.
        OSError: If it is damaged, or something else stands behind its end.
    """
    decoder = bz2.BZ2Decompressor()
    held = b""
    with path.open("rb") as file:
        file.seek(first)
        while not decoder.eof:
            data = b""
            if decoder.needs_input:
                data = file.read(min(_INPUT, last - file.tell()))
                if not data:
                    raise EOFError("cut short")
            text = decoder.decompress(data, _OUTPUT)
            if held:
                yield held
            held = text
        if held:
            yield held
        # A stream whose head is damaged is found here: behind the one that precedes it.
        rest = decoder.unused_data + file.read(min(_INPUT, last - file.tell()))
        if rest.strip(b"\0"):
            raise OSError("no stream behind the end of the last one")
