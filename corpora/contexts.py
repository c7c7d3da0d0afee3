"""HotpotQA-style contexts: questions that carry the paragraphs they were asked about."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport
from asl_env.corpora.sieve import Bad
from asl_env.corpora.streams import DAMAGE, lines, open_binary, peek

#: Longest record that is looked at.
MAX_RECORD = 64 << 20

_CHUNK = 1 << 20
_LIST_START = re.compile(r"\s*\[?\s*")
_BETWEEN = re.compile(r"[\s,]*")
_NEXT = re.compile(r"\}\s*,\s*(?=\{)")
_LONGEST_TOKEN = 64


def hotpotqa(path: Path, report: ReadReport) -> Iterator[tuple[int, Passage]]:
    """Yields every different paragraph once, numbered by first occurrence.

    A context is ``[[title, [sentence, ...]], ...]`` (HotpotQA, 2WikiMultihopQA) or
    ``{"title": [...], "sentences": [[...], ...]}`` (the same as Hugging Face stores it), in the
    record or in its ``metadata`` (FlashRAG); or it is MuSiQue's ``paragraphs``,
    ``[{"title": ..., "paragraph_text": ...}, ...]``.
    """
    seen: set[bytes] = set()
    for place, record in _records(path, report):
        try:
            paragraphs = _paragraphs(record)
        except Bad as bad:
            report.add(bad.kind, place)
            continue
        for title, text in paragraphs:
            key = hashlib.blake2b(f"{title}\n{text}".encode(errors="replace"), digest_size=12)
            if text and key.digest() not in seen:
                yield place, Passage(str(len(seen)), title, text)
                seen.add(key.digest())


def _paragraphs(record: Any) -> list[tuple[str, str]]:
    if not isinstance(record, dict):
        raise Bad("not a JSON object")
    context = _context(record)
    if isinstance(context, dict):
        titles, bodies = context.get("title"), context.get("sentences")
        if not isinstance(titles, list) or not isinstance(bodies, list):
            raise Bad("no list of [title, sentences] in 'context'")
        context = list(zip(titles, bodies, strict=False))
    if not isinstance(context, list):
        raise Bad("no field 'context'" if context is None else "field 'context' is not a list")
    out = []
    for entry in context:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2:
            raise Bad("no list of [title, sentences] in 'context'")
        title, sentences = entry
        if isinstance(sentences, str):
            sentences = [sentences]
        if not isinstance(title, str) or not isinstance(sentences, list):
            raise Bad("no list of [title, sentences] in 'context'")
        if not all(isinstance(sentence, str) for sentence in sentences):
            raise Bad("a sentence in 'context' is not text")
        out.append((title, " ".join(s.strip() for s in sentences if s.strip())))
    return out


def _context(record: dict[str, Any]) -> Any:
    """The paragraphs of a record as HotpotQA writes them, wherever and however it keeps them."""
    metadata = record.get("metadata")
    for place in (record, metadata if isinstance(metadata, dict) else {}):
        if place.get("context") is not None:
            return place["context"]
        paragraphs = place.get("paragraphs")
        if isinstance(paragraphs, list):
            if not all(isinstance(one, dict) for one in paragraphs):
                raise Bad("no list of {title, paragraph_text} in 'paragraphs'")
            return [(one.get("title"), one.get("paragraph_text")) for one in paragraphs]
    return None


def _records(path: Path, report: ReadReport) -> Iterator[tuple[int, Any]]:
    if peek(path, 1 << 12).lstrip().startswith(b"["):
        yield from _list_items(path, report)
        return
    for number, line in lines(path, report, MAX_RECORD):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                report.add("broken JSON", number)


def _list_items(path: Path, report: ReadReport) -> Iterator[tuple[int, Any]]:
    """Items of one big JSON list, decoded one at a time; after a broken one, the next is sought."""
    report.unit = "record"
    decode = json.JSONDecoder().raw_decode
    with open_binary(path, report) as stream:
        text = _Window(stream, report)
        text.skip(_LIST_START)
        while text.more():
            report.seen += 1
            try:
                value, end = decode(text.buffer, text.at)
            except (ValueError, RecursionError) as error:
                if _may_be_cut(error, text) and text.grow():
                    report.seen -= 1
                    continue
                report.add("broken JSON", report.seen)
                text.skip_to_next()
                continue
            text.at = end
            yield report.seen, value
            text.skip(_BETWEEN)


def _may_be_cut(error: Exception, text: _Window) -> bool:
    """Whether the decoder failed for want of more text; a string may be cut anywhere."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated") or error.pos > len(text.buffer) - _LONGEST_TOKEN


class _Window:
    """The part of a long text that is being looked at."""

    def __init__(self, stream: BinaryIO, report: ReadReport) -> None:
        # Bytes that are not UTF-8 become lone surrogates, which the sieve counts and drops.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._stream = stream
        self._report = report
        self._end = False
        self.buffer = ""
        self.at = 0
        self.grow()
        self.buffer = self.buffer.removeprefix("\ufeff")

    def grow(self) -> bool:
        """Reads as much again as there is; False at the end or when a record gets too long."""
        have = len(self.buffer) - self.at
        if self._end or have > MAX_RECORD:
            return False
        try:
            # read() would lose what it has got already when an archive turns out to be damaged.
            data = self._stream.read1(max(_CHUNK, have))  # type: ignore[attr-defined]
        except DAMAGE:
            self._report.add("damaged or cut archive, the rest is lost", self._report.seen + 1)
            data = b""
        self._end = not data
        self.buffer = self.buffer[self.at :] + self._decoder.decode(data, final=self._end)
        self.at = 0
        return not self._end

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Moves past a pattern that may go on beyond what was read."""
        while True:
            found = pattern.match(self.buffer, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.buffer) or not self.grow():
                return

    def more(self) -> bool:
        """Whether another item follows."""
        return self.at < len(self.buffer) and self.buffer[self.at] != "]"

    def skip_to_next(self) -> None:
        """Moves to what looks like the start of the next object of the list."""
        self.at += 1
        while not (found := _NEXT.search(self.buffer, self.at)):
            self.at = max(self.at, len(self.buffer) - _LONGEST_TOKEN)
            if not self.grow():
                self.at = len(self.buffer)
                return
        self.at = found.end()
