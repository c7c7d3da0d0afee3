"""Pages out of a MediaWiki XML dump, one at a time, whatever the size of the dump.

How the reader is hardened: the dump as a whole never reaches an XML parser. It is scanned for
``<page>`` and ``</page>`` (which cannot occur inside a page, where ``<`` is always escaped), and
only that fragment, of bounded length, is parsed. A document type with entity definitions
("billion laughs", external entities) would have to stand before the first page, so it is never
seen by a parser; inside a fragment it is a syntax error, and a use of an undefined entity is one
too. Such a page is counted and the scan goes on behind it, so no page can end the run.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.multistream import DamagedStreamError, MultistreamReader, is_multistream
from asl_env.corpora.report import ReadReport
from asl_env.corpora.streams import DAMAGE, open_binary, open_raw, peek

#: Longest page in bytes of XML. MediaWiki itself refuses articles over 2 MiB of wikitext.
MAX_PAGE = 16 << 20

_CHUNK = 1 << 20
_OPEN, _CLOSE, _END = b"<page>", b"</page>", b"</mediawiki>"
_REDIRECT = re.compile(r"\s*#\s*redirect\w*\s*:?\s*\[\[([^\[\]|]{1,500})", re.IGNORECASE)


class Page(NamedTuple):
    """One page of the dump, its text still wikitext.

    Attributes:
        id: The wiki's number of the page.
        title: Title, with the namespace if that is not 0.
        namespace: 0 for articles.
        redirect: Title this page redirects to, or ``None``.
        wikitext: Source text of the (last) revision.
    """

    id: str
    title: str
    namespace: int
    redirect: str | None
    wikitext: str


@dataclass(frozen=True)
class Site:
    """What the head of a dump says about its wiki.

    Attributes:
        name: Such as ``"enwiki"``; may be empty.
        base: Address of the main page; may be empty.
        namespaces: Names of all namespaces but 0, in lower case.
    """

    name: str = ""
    base: str = ""
    namespaces: frozenset[str] = frozenset()


def read_site(path: str | Path) -> Site:
    """Reads the ``siteinfo`` of a dump; an empty ``Site`` if it has none.

    Raises:
        CorpusError: If the file cannot be opened.
    """
    with open_binary(Path(path)):
        pass
    try:
        head = peek(Path(path), _CHUNK)
    except CorpusError:
        head = b""  # damaged from its first block on; the pages may still be good
    start, end = head.find(b"<siteinfo>"), head.find(b"</siteinfo>")
    if not 0 <= start < end:
        return Site()
    try:
        info = ET.fromstring(head[start : end + len(b"</siteinfo>")])
    except ET.ParseError:
        return Site()
    names = (entry.text for entry in info.iterfind("namespaces/namespace"))
    return Site(
        name=info.findtext("dbname") or "",
        base=info.findtext("base") or "",
        namespaces=frozenset(name.strip().lower() for name in names if name),
    )


def read_pages(path: str | Path, report: ReadReport) -> Iterator[tuple[int, Page]]:
    """Yields ``(page number, page)`` of every readable page of every namespace.

    Memory is bounded by ``MAX_PAGE``. gzip and bzip2 files are read through. A multistream dump is
    decompressed on several cores, and of a damaged one only the damaged streams (about a hundred
    pages each) are lost; of any other archive what stands behind the damage is lost.

    Args:
        path: A ``pages-articles`` dump, plain or compressed.
        report: Counts broken pages, pages that are too long, damaged streams, and a dump that is
            cut short.

    Raises:
        CorpusError: If the file cannot be opened.
    """
    report.unit = "page"
    for number, fragment in _fragments(Path(path), report):
        if fragment is None:
            report.add(f"page over {MAX_PAGE:,} bytes", number)
            continue
        try:
            yield number, _page(ET.fromstring(fragment))
        except (ET.ParseError, ValueError) as error:
            kind = "broken XML" if isinstance(error, ET.ParseError) else str(error)
            report.add(kind, number)


def _page(element: ET.Element) -> Page:
    title = (element.findtext("title") or "").strip()
    namespace = element.findtext("ns") or "0"
    revisions = element.findall("revision")
    if not title:
        raise ValueError("page without a title")
    if not revisions:
        raise ValueError("page without a revision")
    if not namespace.lstrip("-").isdecimal():
        raise ValueError("page with a broken namespace")
    wikitext = revisions[-1].findtext("text") or ""
    mark = element.find("redirect")
    target = mark.get("title") if mark is not None else None
    if target is None and (found := _REDIRECT.match(wikitext)):
        target = found.group(1)
    identity = (element.findtext("id") or title).strip()
    return Page(identity, title, int(namespace), target, wikitext)


def _fragments(path: Path, report: ReadReport) -> Iterator[tuple[int, bytes | None]]:
    """Yields every page with its number; ``None`` for one that is too long."""
    number = 0
    with _open(path, report) as stream:
        window = _Window(stream)
        while True:
            try:
                if not window.seek(_OPEN, keep=True):
                    break
                page = window.take(_CLOSE)
                number += 1
            except DamagedStreamError:
                report.add("damaged stream of the archive, its pages are lost", number + 1)
                window.clear()
                continue
            except DAMAGE:
                report.add("damaged or cut archive, the rest is lost", number + 1)
                return
            report.seen = number
            if page == b"":
                report.add("page cut off at the end of the file", number)
                return
            yield number, page
        if number and not window.ended:
            report.add("dump cut off, it has no </mediawiki>", number)
    if not number and not report.problems:
        raise CorpusError(f"{path}: has no <page>; expected a MediaWiki XML dump (pages-articles)")


class _Stream(Protocol):
    """What a window needs of a file."""

    def read1(self, size: int = ..., /) -> bytes:
        """Returns the next bytes; none at the end."""


@contextmanager
def _open(path: Path, report: ReadReport) -> Iterator[_Stream]:
    """Opens a dump, on several cores where it is made for that."""
    with open_raw(path) as raw:
        if is_multistream(raw):
            report.follow(raw)
            with closing(MultistreamReader(path, raw)) as reader:
                yield reader
            return
    with open_binary(path, report) as stream:
        yield cast(_Stream, stream)


class _Window:
    """The part of the dump that is being looked at."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self.ended = False

    def _grow(self) -> bool:
        # read() would lose what it has got already when an archive turns out to be damaged.
        data = self._stream.read1(_CHUNK)
        self._buffer += data
        return bool(data)

    def clear(self) -> None:
        """Drops what was read: it belongs to a page whose end is lost."""
        self._buffer.clear()

    def seek(self, mark: bytes, *, keep: bool) -> bool:
        """Drops what stands before the mark, and the mark too unless it is to be kept."""
        while (at := self._buffer.find(mark)) < 0:
            self.ended = self.ended or _END in self._buffer
            del self._buffer[: max(0, len(self._buffer) - len(_END))]
            if not self._grow():
                return False
        del self._buffer[: at if keep else at + len(mark)]
        return True

    def take(self, mark: bytes) -> bytes | None:
        """Cuts out everything up to the end of the mark: empty at the end, ``None`` if too long."""
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            if len(self._buffer) > MAX_PAGE:
                return None if self.seek(mark, keep=False) else b""
            searched = max(0, len(self._buffer) - len(mark) + 1)
            if not self._grow():
                return b""
        end = at + len(mark)
        page = bytes(self._buffer[:end])
        del self._buffer[:end]
        return page if len(page) <= MAX_PAGE else None
