"""Opening files of any supported compression, and reading their lines within bounds."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.report import ReadReport

#: What reading a damaged or cut compressed file can raise.
DAMAGE = (EOFError, OSError, ValueError, zlib.error)

_UTF8_BOM = b"\xef\xbb\xbf"
_FOREIGN = {
    b"\xff\xfe": "UTF-16 text; convert it with `iconv -f UTF-16 -t UTF-8`",
    b"\xfe\xff": "UTF-16 text; convert it with `iconv -f UTF-16 -t UTF-8`",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; decompress it with `unzstd`",
    b"\xfd7zXZ": "compressed with xz; decompress it with `unxz`",
    b"PK\x03\x04": "a zip archive; unzip it",
    b"PAR1": "a Parquet file; export it as JSONL",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
}


@contextmanager
def open_binary(path: Path, report: ReadReport | None = None) -> Iterator[BinaryIO]:
    """Opens a file for reading bytes; gzip and bzip2 are recognised by content, not by name.

    bzip2 files of several concatenated streams (Wikipedia's multistream dumps) are read through.

    Args:
        path: The file.
        report: Told how far the file was read.

    Raises:
        CorpusError: If the file cannot be opened or is of a kind that is not text.
    """
    with ExitStack() as stack:
        raw = open_raw(path)
        stack.enter_context(raw)
        magic = raw.read(6)
        raw.seek(0)
        for start, what in _FOREIGN.items():
            if magic.startswith(start):
                raise CorpusError(f"{path}: is {what}")
        if report is not None:
            report.follow(raw)
        stream: BinaryIO = raw
        if magic.startswith(b"\x1f\x8b"):
            stream = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=raw)))
        elif magic.startswith(b"BZh"):
            stream = cast(BinaryIO, stack.enter_context(bz2.BZ2File(raw)))
        yield stream


def open_raw(path: Path) -> BinaryIO:
    """Opens a file for reading its bytes as they lie on the disk.

    Raises:
        CorpusError: If the file cannot be opened or is a folder.
    """
    try:
        if path.is_dir():
            raise CorpusError(f"{path}: is a folder, not a file of passages")
        return path.open("rb")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CorpusError(f"{path}: cannot be read: {why}") from error


def peek(path: Path, size: int = 1 << 16) -> bytes:
    """Returns up to ``size`` decompressed bytes from the start, without a byte order mark.

    Raises:
        CorpusError: If the file cannot be opened, or is damaged so that nothing can be read.
    """
    head = b""
    with open_binary(path) as stream:
        try:
            # One read of everything would lose what precedes a cut.
            while len(head) < size and (more := stream.readline(size - len(head))):
                head += more
        except DAMAGE as error:
            if not head:
                raise CorpusError(
                    f"{path}: is damaged or cut short; get or write the file again"
                ) from error
    return head.removeprefix(_UTF8_BOM)


def lines(path: Path, report: ReadReport, max_bytes: int) -> Iterator[tuple[int, str]]:
    """Yields ``(line number, text)`` of every readable line; the rest goes to the report.

    Blank lines are passed over in silence. No more than one line is ever in memory, and no
    more than ``max_bytes`` of it.

    Args:
        path: The file, plain or compressed.
        report: Counts lines that are too long or not UTF-8, and a damaged archive.
        max_bytes: Lines longer than this are skipped.
    """
    with open_binary(path, report) as stream:
        number = 0
        while True:
            try:
                line = stream.readline(max_bytes + 1)
                giant = len(line) > max_bytes and not line.endswith(b"\n")
                while giant and (rest := stream.readline(1 << 20)):
                    if rest.endswith(b"\n"):
                        break
            except DAMAGE:
                report.add("damaged or cut archive, the rest is lost", number + 1)
                return
            if not line:
                return
            number += 1
            report.seen = number
            if number == 1 and line.startswith(_UTF8_BOM):
                line = line[len(_UTF8_BOM) :]
                report.add("byte order mark", 1)
            if giant:
                report.add(f"line over {max_bytes:,} bytes", number)
            elif text := _decode(line, number, report):
                yield number, text


def _decode(line: bytes, number: int, report: ReadReport) -> str:
    try:
        return line.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError:
        report.add("not UTF-8", number)
        return ""
