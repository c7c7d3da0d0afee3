"""Streaming readers of passages; what is broken is counted and reported, what is good is kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from asl_env.corpora.contexts import hotpotqa
from asl_env.corpora.errors import CorpusError, did_you_mean
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport
from asl_env.corpora.sieve import MAX_CHARS, Bad, IdFilter, clean, field
from asl_env.corpora.streams import lines, peek

#: Longest line that is looked at; a JSON line of a passage takes at most 12 bytes per character.
MAX_LINE = 64 << 20

Reader = Callable[[Path, ReadReport], Iterator[tuple[int, Passage]]]

_EXPECTED = {
    "jsonl": 'lines of {"id", "title", "text"} or {"id", "contents"}',
    "wiki18": 'lines of {"id", "contents": "\\"Title\\"\\ntext"}',
    "dpr": "tab-separated lines of id, text, title",
    "hotpotqa": 'a JSON list or lines of {"context": [[title, [sentence, ...]], ...]}, or of '
    "MuSiQue's paragraphs",
    "wikipedia": "a MediaWiki XML dump (pages-articles)",
}


def read_passages(
    path: str | Path,
    format: str | None = None,
    *,
    report: ReadReport | None = None,
    max_chars: int = MAX_CHARS,
) -> Iterator[Passage]:
    """Streams the passages of a file, in its order.

    Plain files, gzip and bzip2 are read alike. Memory does not grow with the file, except for
    what it takes to notice duplicate ids (one bit per decimal id, about 60 bytes per other id).

    Args:
        path: The file.
        format: A name of ``FORMATS``; found out from the content when ``None``.
        report: Filled while the passages are read.
        max_chars: Passages with more characters of text are left out and counted.

    Yields:
        Passages with unique, non-empty ids and non-empty text, all writable as UTF-8.

    Raises:
        CorpusError: At once for a file that cannot be opened, an unknown format or content that
            is none of them; at the end if not one good passage was found.
    """
    path = Path(path)
    name = detect_format(path) if format is None else known_format(format)
    report = ReadReport() if report is None else report
    return _sieve(FORMATS[name](path, report), path, name, report, max_chars)


def known_format(name: str) -> str:
    """Returns the name of a format if it is one.

    Raises:
        CorpusError: With the nearest known name.
    """
    if name not in FORMATS:
        raise CorpusError(f"unknown format {name!r}{did_you_mean(name, FORMATS)}")
    return name


def detect_format(path: str | Path) -> str:
    """Finds the format of a file from its first 64 kilobytes.

    Raises:
        CorpusError: If the file cannot be opened or looks like none of the formats.
    """
    path = Path(path)
    head = peek(path).decode("utf-8", errors="replace").lstrip()
    if not head:
        raise CorpusError(f"{path}: is empty; expected passages")
    if head.startswith("<mediawiki") or ("<mediawiki" in head and head.startswith("<")):
        return "wikipedia"
    if _dpr_columns(head.splitlines()[0]):
        return "dpr"
    if head.startswith("["):
        return "hotpotqa"
    for line in head.splitlines():
        if line.lstrip().startswith("{") and (name := _json_format(line)):
            return name
    raise CorpusError(
        f"{path}: looks like none of {', '.join(FORMATS)}; name the format to read it anyway"
    )


def _json_format(line: str) -> str | None:
    """The format of a JSON line; the line may be cut off by the end of the peeked bytes."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        # A key inside `metadata` or a paragraph counts as one of the record's: the line is cut.
        keys = ("context", "paragraphs", "contents", "text")
        record = {key: "" for key in keys if f'"{key}":' in line}
    if not isinstance(record, dict):
        return None
    metadata = record.get("metadata")
    for place in (record, metadata if isinstance(metadata, dict) else {}):
        if "context" in place or "paragraphs" in place:
            return "hotpotqa"
    if "contents" in record:
        contents = record["contents"]
        quoted = isinstance(contents, str) and contents.startswith('"') and "\n" in contents
        return "wiki18" if quoted else "jsonl"
    return "jsonl" if "text" in record else None


def _sieve(
    found: Iterator[tuple[int, Passage]],
    path: Path,
    name: str,
    report: ReadReport,
    max_chars: int,
) -> Iterator[Passage]:
    """Lets through what can be stored and was not seen before."""
    ids = IdFilter()
    for place, raw in found:
        try:
            passage = clean(raw, max_chars)
        except Bad as bad:
            report.add(bad.kind, place)
            continue
        if not ids.add(passage.id):
            report.add("duplicate id", place)
            continue
        report.kept += 1
        yield passage
    if not report.kept:
        why = f" ({'; '.join(report.lines())})" if report.problems else ""
        raise CorpusError(f"{path}: no good passage{why}; expected {_EXPECTED[name]}")


def _json_records(path: Path, report: ReadReport) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines(path, report, MAX_LINE):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            report.add("broken JSON", number)
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            report.add("not a JSON object", number)


def _jsonl(path: Path, report: ReadReport) -> Iterator[tuple[int, Passage]]:
    """Plain JSONL; BEIR's ``_id`` is taken for ``id``."""
    for number, record in _json_records(path, report):
        try:
            identity = field(record, "id" if "id" in record else "_id", number=True)
            if "text" in record or "contents" not in record:
                title = field(record, "title") if record.get("title") is not None else ""
                yield number, Passage(identity, title, field(record, "text"))
            else:
                yield number, split_contents(identity, field(record, "contents"))
        except Bad as bad:
            report.add(bad.kind, number)


def _wiki18(path: Path, report: ReadReport) -> Iterator[tuple[int, Passage]]:
    """The corpus of Search-R1 and ASL: the first line of the contents is the title."""
    for number, record in _json_records(path, report):
        try:
            identity = field(record, "id", number=True)
            title, newline, text = field(record, "contents").partition("\n")
            if not newline:
                raise Bad("contents without a title line")
            yield number, Passage(identity, _unquote(title), text)
        except Bad as bad:
            report.add(bad.kind, number)


def split_contents(identity: str, contents: str) -> Passage:
    r"""Splits ``"Title"\ntext``; contents without a quoted first line have no title."""
    first, newline, rest = contents.partition("\n")
    first = first.strip()
    if newline and len(first) > 1 and first[0] == first[-1] == '"':
        return Passage(identity, _unquote(first), rest)
    return Passage(identity, "", contents)


def _unquote(title: str) -> str:
    title = title.strip()
    return title[1:-1] if len(title) > 1 and title[0] == title[-1] == '"' else title


def _dpr_columns(header: str) -> dict[str, int] | None:
    names = [name.strip().lower() for name in header.split("\t")]
    if not {"id", "text", "title"} <= set(names):
        return None
    return {name: names.index(name) for name in ("id", "text", "title")}


def _dpr(path: Path, report: ReadReport) -> Iterator[tuple[int, Passage]]:
    """DPR's ``psgs_w100.tsv``: fields with quotes are quoted the way of CSV."""
    columns = {"id": 0, "text": 1, "title": 2}
    width = 3
    for number, line in lines(path, report, MAX_LINE):
        if number == 1 and (header := _dpr_columns(line)):
            columns, width = header, line.count("\t") + 1
            continue
        if not line.strip():
            continue
        try:
            fields = next(csv.reader([line], delimiter="\t")) if '"' in line else line.split("\t")
        except (csv.Error, StopIteration):
            report.add("broken quoting", number)
            continue
        if len(fields) != width:
            report.add(f"not {width} columns", number)
            continue
        yield number, Passage(*(fields[columns[key]] for key in ("id", "title", "text")))


def _wikipedia(path: Path, report: ReadReport) -> Iterator[tuple[int, Passage]]:
    from asl_env.corpora.wikipedia import dump_passages

    return dump_passages(path, report)


#: Every format by name; a reader yields ``(place, passage)`` and reports what it cannot read.
FORMATS: Mapping[str, Reader] = {
    "jsonl": _jsonl,
    "wiki18": _wiki18,
    "dpr": _dpr,
    "hotpotqa": hotpotqa,
    "wikipedia": _wikipedia,
}
