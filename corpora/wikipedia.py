"""Wikipedia from its own dump: articles in plain text, hundred-word passages, redirects, links."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from asl_env.corpora.dump import Page, read_pages, read_site
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport
from asl_env.corpora.wikitext import Prose, link_target, need_parser, plain

#: Words of a passage, as in DPR's and wiki-18's split of Wikipedia.
WORDS = 100

_BATCH = 16


class Article(NamedTuple):
    """A page of namespace 0.

    Attributes:
        id: The wiki's number of the page.
        title: Title.
        text: Prose, one paragraph per line; empty for a redirect.
        links: Titles of linked articles, each once, in order.
        redirect: Title this page redirects to, or ``None``.
    """

    id: str
    title: str
    text: str
    links: tuple[str, ...] = ()
    redirect: str | None = None


def read_articles(
    path: str | Path, report: ReadReport | None = None, *, workers: int = 1
) -> Iterator[tuple[int, Article]]:
    """Streams ``(page number, article)`` from a dump, redirects among them.

    Args:
        path: A ``pages-articles`` XML dump; bzip2 (multistream too), gzip or plain.
        report: Counts broken pages, and tallies redirects and pages of other namespaces.
        workers: Processes that clean wikitext, which takes nearly all of the time. Order and
            result do not depend on it. A script that asks for more than one needs the usual
            ``if __name__ == "__main__":``.

    Raises:
        CorpusError: If the file cannot be opened, is no dump, or mwparserfromhell is missing.
    """
    need_parser()
    report = ReadReport() if report is None else report
    namespaces = read_site(path).namespaces
    pages = _articles_only(read_pages(path, report), report)
    for number, page, prose in _cleaned(pages, namespaces, workers):
        if page.redirect is not None:
            report.tally("redirects")
            yield number, Article(page.id, page.title, "", (), link_target(page.redirect))
        elif isinstance(prose, str):
            report.add(prose, number)
        else:
            report.tally("articles")
            yield number, Article(page.id, page.title, prose.text, prose.links)


def dump_passages(path: str | Path, report: ReadReport) -> Iterator[tuple[int, Passage]]:
    """Yields ``(page number, passage)`` of a dump, as the readers of ``formats`` do."""
    for number, article in read_articles(path, report):
        for passage in split(article):
            yield number, passage


def split(article: Article, words: int = WORDS) -> Iterator[Passage]:
    """Cuts an article into disjoint passages of ``words`` words; the last one may be shorter.

    The id of a passage is the page number, a dash and the passage's number from 0.
    """
    tokens = iter(article.text.split())
    number = 0
    while chunk := list(islice(tokens, words)):
        yield Passage(f"{article.id}-{number}", article.title, " ".join(chunk))
        number += 1


def resolve(title: str, redirects: Mapping[str, str]) -> str | None:
    """Follows redirects to the end.

    Args:
        title: Any title.
        redirects: Target by title.

    Returns:
        The first title that is no redirect itself (``title`` if it is none), or ``None`` if the
        redirects go round in a circle.
    """
    seen = set()
    while (target := redirects.get(title)) is not None:
        if title in seen:
            return None
        seen.add(title)
        title = target
    return title


#: Page number, page, and its prose or why there is none (empty for a redirect).
_Cleaned = tuple[int, Page, "Prose | str"]


def _articles_only(
    pages: Iterator[tuple[int, Page]], report: ReadReport
) -> Iterator[tuple[int, Page]]:
    for number, page in pages:
        if page.namespace == 0:
            yield number, page
        else:
            report.tally("pages of other namespaces")


def _cleaned(
    pages: Iterator[tuple[int, Page]], namespaces: frozenset[str], workers: int
) -> Iterator[_Cleaned]:
    if workers < 2:
        for numbered in pages:
            yield from _clean_batch([numbered], namespaces)
        return
    waiting: deque[Future[list[_Cleaned]]] = deque()
    # Forking this process would copy its threads' locks (progress bars, torch) in any state.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_leave_interrupts_to_the_parent)
    try:
        while batch := list(islice(pages, _BATCH)):
            waiting.append(pool.submit(_clean_batch, batch, namespaces))
            # Bounds what is in memory: the dump is read no faster than it is cleaned.
            while len(waiting) > 4 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise CorpusError(
            "a process that cleans wikitext died: memory may be short, or the script that started "
            "it lacks `if __name__ == '__main__':`; use fewer workers or 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _clean_batch(pages: Iterable[tuple[int, Page]], namespaces: frozenset[str]) -> list[_Cleaned]:
    out: list[_Cleaned] = []
    for number, page in pages:
        if page.redirect is not None:
            out.append((number, page, ""))
            continue
        try:
            prose = plain(page.wikitext, namespaces)
            result: Prose | str = prose if prose.text else "article without prose"
        except ValueError as error:
            result = str(error)
        # The wikitext is not needed any more and need not travel between processes.
        out.append((number, page._replace(wikitext=""), result))
    return out
