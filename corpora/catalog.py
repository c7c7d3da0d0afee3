"""``open_corpus``: every source of passages behind one small face."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_env.corpora import download
from asl_env.corpora.errors import CorpusError, did_you_mean
from asl_env.corpora.formats import detect_format, read_passages
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport
from asl_env.corpora.store import MANIFEST, PassageStore, encode

if TYPE_CHECKING:
    import numpy as np

#: Names that need no path.
NAMES = ("miniwiki", *download.PACKAGES)


class Corpus:
    """A source of passages.

    Attributes:
        name: What the user called it.
        attribution: Where the text comes from and under which licence; may be empty.
        oracle: Knows every right answer (MiniWiki only), else ``None``.
    """

    name: str
    attribution: str = ""
    oracle: Any = None

    def passages(self) -> Iterator[Passage]:
        """Yields every passage, always in the same order."""
        raise TypeError(f"{type(self).__name__} must say what its passages are")

    @cached_property
    def count(self) -> int:
        """Number of passages."""
        return sum(1 for _ in self.passages())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all passages in order; equal for a file and the store built from it."""
        digest = hashlib.sha256()
        for passage in self.passages():
            digest.update(encode(passage))
        return digest.hexdigest()

    @cached_property
    def titles(self) -> Sequence[str]:
        """Every different non-empty title, in order of first occurrence."""
        return tuple(dict.fromkeys(p.title for p in self.passages() if p.title))

    def topics(self, rng: np.random.Generator, n: int) -> list[str]:
        """Draws seed topics for the task generator.

        Args:
            rng: Source of randomness.
            n: How many; they repeat only when the corpus has fewer.

        Returns:
            ``n`` topics: titles, or the first words of passages where there are no titles.
        """
        return draw(self._topic_pool, rng, n)

    @cached_property
    def _topic_pool(self) -> Sequence[str]:
        return self.titles or tuple(
            dict.fromkeys(" ".join(p.text.split()[:6]) for p in self.passages())
        )


def draw(pool: Sequence[str], rng: np.random.Generator, n: int) -> list[str]:
    """Draws ``n`` entries, each once before any comes twice."""
    out: list[str] = []
    while len(out) < n:
        need = min(n - len(out), len(pool))
        out += [pool[i] for i in rng.choice(len(pool), size=need, replace=False).tolist()]
    return out


class StoreCorpus(Corpus):
    """A passage store."""

    def __init__(self, folder: str | Path, name: str = "") -> None:
        self.store = PassageStore(folder)
        self.name = name or str(folder)
        self.attribution = self.store.attribution

    def passages(self) -> Iterator[Passage]:
        """Yields every passage in row order."""
        return iter(self.store)

    @cached_property
    def count(self) -> int:
        """Number of passages, from the manifest."""
        return self.store.count

    @cached_property
    def digest(self) -> str:
        """Content hash, from the manifest."""
        return self.store.digest


class FileCorpus(Corpus):
    """A file of any format; every pass reads it again."""

    def __init__(self, path: str | Path, name: str = "", format: str | None = None) -> None:
        self.path = Path(path)
        self.format = format or detect_format(self.path)
        self.name = name or str(path)

    def passages(self) -> Iterator[Passage]:
        """Streams the good passages of the file."""
        return read_passages(self.path, self.format)

    @cached_property
    def report(self) -> ReadReport:
        """What a full pass kept and left out."""
        report = ReadReport()
        for _ in read_passages(self.path, self.format, report=report):
            pass
        return report


class MiniWikiCorpus(Corpus):
    """The embedded encyclopedia; the only corpus with an oracle."""

    name = "miniwiki"
    attribution = "MiniWiki: sentences by the asl-env project; facts as named in its SOURCES.md."

    @cached_property
    def world(self) -> Any:
        """The MiniWiki itself (facts, prose, oracle)."""
        from asl_env.corpora.miniwiki.world import load

        return load()

    def passages(self) -> Iterator[Passage]:
        """Yields every passage of MiniWiki."""
        return iter(self.world.passages)

    @cached_property
    def oracle(self) -> Any:
        """Answers any question in MiniWiki's language."""
        return self.world.oracle

    @cached_property
    def _topic_pool(self) -> Sequence[str]:
        return tuple(self.world.topics)


def open_corpus(source: str | Path | Corpus) -> Corpus:
    """Opens a corpus by name or path.

    Args:
        source: ``"miniwiki"``, the name of a fetched corpus, the path of a passage store or of a
            file in any known format, or a corpus (returned as it is).

    Raises:
        CorpusError: If there is nothing of that name, or it cannot be read.
    """
    if isinstance(source, Corpus):
        return source
    if source == "miniwiki":
        return MiniWikiCorpus()
    if str(source) in download.PACKAGES:
        return _fetched(str(source))
    path = Path(source)
    if path.is_dir():
        return StoreCorpus(path)
    if path.exists():
        return FileCorpus(path)
    raise CorpusError(f"no corpus or file {str(source)!r}{did_you_mean(str(source), NAMES)}")


def _fetched(name: str) -> Corpus:
    folder = download.home_of(name)
    if not download.is_there(name):
        raise CorpusError(f"corpus {name!r} was not fetched yet; run `asl corpus get {name}`")
    if (folder / MANIFEST).is_file():
        return StoreCorpus(folder, name)
    return FileCorpus(folder / "articles.xml.bz2", name)
