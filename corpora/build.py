"""From a source to a passage store, with progress; a dump keeps its redirects and links."""

from __future__ import annotations

import gzip
import hashlib
import io
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

import numpy as np

from asl_env.corpora.catalog import Corpus, FileCorpus, open_corpus
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.formats import read_passages
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport
from asl_env.corpora.sieve import MAX_CHARS
from asl_env.corpora.store import PassageStore
from asl_env.corpora.writer import Compression, StoreWriter

#: Files of a store built from a dump: ``title <tab> target`` and ``title <tab> link <tab> ...``.
REDIRECTS, LINKS = "redirects.tsv.gz", "links.tsv.gz"

_TELL_EVERY = 200

#: Told how many passages were written, and which share of the source was read (0 if unknown).
Progress = Callable[[int, float], None]


class Built(NamedTuple):
    """A store and what its source had to be forgiven."""

    store: PassageStore
    report: ReadReport


def build_store(
    source: str | Path | Corpus,
    folder: str | Path,
    *,
    format: str | None = None,
    compression: Compression = "none",
    workers: int = 1,
    max_chars: int = MAX_CHARS,
    strict: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Built:
    """Builds a passage store; an interrupted build leaves what was there before, or nothing.

    Args:
        source: A file of any format, a Wikipedia dump, the name of a corpus, or a corpus.
        folder: The store.
        format: Name of the file's format; found out when ``None``.
        compression: ``"zlib"`` halves the size and costs about 0.1 ms per random access.
        workers: Processes that clean the wikitext of a dump.
        max_chars: Longest passage that is kept.
        strict: Refuse a source with anything bad in it.
        overwrite: Replace a store that is there; nothing else is ever replaced.
        progress: Told how far it is.

    Raises:
        CorpusError: If the source cannot be read, has no good passage, or is bad and ``strict``
            is set; if the store cannot be written.
    """
    corpus = open_corpus(source, format)
    report = ReadReport()
    name = corpus.path.name if isinstance(corpus, FileCorpus) else corpus.name
    writer = StoreWriter(
        folder,
        name=name,
        attribution=corpus.attribution,
        compression=compression,
        overwrite=overwrite,
    )
    with writer, ExitStack() as files:
        if isinstance(corpus, FileCorpus) and corpus.format == "wikipedia":
            passages: Iterable[Passage] = _dump(corpus.path, report, writer, files, workers)
        elif isinstance(corpus, FileCorpus):
            passages = read_passages(corpus.path, corpus.format, report=report, max_chars=max_chars)
        else:
            passages = corpus.passages()
        _write(passages, writer, report, progress)
        if strict and report.bad:
            raise CorpusError(f"{name}: {'; '.join(report.lines())}")
        writer.note("report", report.to_json())
        # Attached files must be complete before the writer counts them.
        files.close()
    return Built(PassageStore(folder), report)


def _write(
    passages: Iterable[Passage], writer: StoreWriter, report: ReadReport, progress: Progress | None
) -> None:
    for passage in passages:
        writer.add(passage)
        if progress is not None and writer.count % _TELL_EVERY == 0:
            progress(writer.count, report.fraction)
    report.kept = writer.count


def _dump(
    path: Path, report: ReadReport, writer: StoreWriter, files: ExitStack, workers: int
) -> Iterator[Passage]:
    from asl_env.corpora.wikipedia import read_articles, split

    redirects = _tsv(writer.attach(REDIRECTS), files)
    links = _tsv(writer.attach(LINKS), files)
    titles, targets = array("Q"), array("Q")
    for _, article in read_articles(path, report, workers=workers):
        titles.append(_hash(article.title))
        if article.redirect is not None:
            redirects.write(f"{article.title}\t{article.redirect}\n")
            targets.append(_hash(article.redirect))
            continue
        links.write("\t".join((article.title, *article.links)) + "\n")
        yield from split(article)
    known = np.isin(np.asarray(targets), np.asarray(titles))
    if nowhere := int((~known).sum()):
        report.tallies["redirects to nowhere"] = nowhere


def _tsv(path: Path, files: ExitStack) -> TextIO:
    # No name and no time in the gzip header: the same dump gives the same bytes.
    file = files.enter_context(path.open("wb"))
    raw = files.enter_context(gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0))
    text = io.TextIOWrapper(cast(BinaryIO, raw), encoding="utf-8", newline="\n")
    return files.enter_context(text)


def _hash(title: str) -> int:
    return int.from_bytes(hashlib.blake2b(title.encode(), digest_size=8).digest(), "little")


def read_redirects(store: PassageStore) -> dict[str, str]:
    """Reads the redirects that a dump had: target by title.

    Raises:
        CorpusError: If the store was not built from a dump.
    """
    return dict(row[:2] for row in _rows(store, REDIRECTS))


def read_links(store: PassageStore) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Streams the titles that each article links to.

    Raises:
        CorpusError: If the store was not built from a dump.
    """
    for title, *targets in _rows(store, LINKS):
        yield title, tuple(targets)


def _rows(store: PassageStore, name: str) -> Iterator[list[str]]:
    path = store.folder / name
    if not path.is_file():
        raise CorpusError(f"{store.folder}: has no {name}; it was not built from a Wikipedia dump")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.rstrip("\n").split("\t")
