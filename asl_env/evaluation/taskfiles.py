"""The records of a file of questions, whatever it is stored as: JSON, Parquet or a table.

Every reader yields ``(number, record)``, counted from 1 in the order of the file, and tells the
report what could not be read. Nothing here knows what the fields of a record mean.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asl_env.corpora.report import ReadReport
from asl_env.corpora.streams import DAMAGE, lines, open_binary, peek
from asl_env.errors import InvalidTaskError

#: Longest line that is read, in bytes; MuSiQue's records with their paragraphs are about 20,000.
MAX_LINE = 16 << 20

#: Rows of a Parquet file that are in memory together.
_BATCH = 512
#: TriviaQA's own files and several leaderboards wrap their list in an object.
_WRAPPERS = ("Data", "data", "examples", "questions")
_TABLES = {".tsv": "\t", ".csv": ","}


def records(path: Path, report: ReadReport) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the records of a file; what is none goes to the report.

    Args:
        path: JSON lines, one JSON list, one object with such a list (``{"Data": [...]}``), each
            plain or compressed with gzip or bzip2; a Parquet file; a table with a head line whose
            name ends in ``.tsv`` or ``.csv``.
        report: Told what was left out.

    Raises:
        InvalidTaskError: If the file as a whole cannot be read.
        CorpusError: If it cannot be opened.
    """
    for number, value in _values(path, report):
        if isinstance(value, dict):
            yield number, value
        else:
            report.add("not a JSON object", number)


def _values(path: Path, report: ReadReport) -> Iterator[tuple[int, Any]]:
    if _is_parquet(path):
        return _parquet(path)
    if path.suffix in _TABLES:
        return _table(path, report, _TABLES[path.suffix])
    head = peek(path, 64).lstrip()
    # An object that is spread over lines begins with a lone brace; one that is a line does not.
    if head.startswith(b"[") or head.split(b"\n")[0].strip() == b"{":
        return _listed(path)
    return _lined(path, report)


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # the reader of text says why


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InvalidTaskError(
            f"{path}: reading Parquet needs pyarrow; install it with pip install 'asl-env[data]'"
        ) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise InvalidTaskError(
            f"{path}: a damaged or cut Parquet file after row {number} ({why}); get it again"
        ) from error


def _table(path: Path, report: ReadReport, delimiter: str) -> Iterator[tuple[int, Any]]:
    texts = (f"{line}\n" for _, line in lines(path, report, MAX_LINE))
    # Text after the last head field would get the key None, and missing fields the value None.
    rows = csv.DictReader(texts, delimiter=delimiter, restkey="", strict=True)
    try:
        yield from enumerate(rows, start=1)
    except csv.Error as error:
        raise InvalidTaskError(f"{path}: not a table ({error}); repair the line") from error


def _listed(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with open_binary(path) as stream:
            values = json.loads(stream.read())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidTaskError(f"{path}: not a JSON list ({error})") from error
    except DAMAGE as error:
        raise InvalidTaskError(f"{path}: damaged or cut ({error})") from error
    if isinstance(values, dict):
        values = next(
            (values[key] for key in _WRAPPERS if isinstance(values.get(key), list)), [values]
        )
    yield from enumerate(values, start=1)


def _lined(path: Path, report: ReadReport) -> Iterator[tuple[int, Any]]:
    for number, line in lines(path, report, MAX_LINE):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            report.add("broken JSON", number)
