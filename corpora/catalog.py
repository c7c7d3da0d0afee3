"""``open_corpus``: every source of passages behind one small face."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_env.corpora import download, large
from asl_env.corpora.errors import CorpusError, did_you_mean
from asl_env.corpora.formats import detect_format, known_format, read_passages
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport
from asl_env.corpora.sources import is_address
from asl_env.corpora.store import ATTRIBUTION, MANIFEST, PassageStore, encode

if TYPE_CHECKING:
    import numpy as np

#: Names that need no path, of corpora that are small enough to be indexed when first searched.
NAMES = ("miniwiki", *download.PACKAGES)


#: Stores of this many passages are not read whole to draw a few topics.
_DRAWN_FROM = 1_000_000

#: Passages looked at per topic, before the store is taken to have fewer topics than wanted.
_DRAWS = 20


@dataclass(frozen=True)
class Survey:
    """What one pass over a corpus tells."""

    count: int
    digest: str
    titles: tuple[str, ...]


def survey(passages: Iterable[Passage]) -> Survey:
    """Counts and hashes passages, and collects their titles."""
    count, digest, titles = 0, hashlib.sha256(), dict[str, None]()
    for passage in passages:
        count += 1
        digest.update(encode(passage))
        if passage.title:
            titles[passage.title] = None
    return Survey(count, digest.hexdigest(), tuple(titles))


class Corpus:
    """A source of passages.

    Attributes:
        name: What the user called it.
        oracle: Knows every right answer (MiniWiki only), else ``None``.
    """

    name: str
    oracle: Any = None

    def passages(self) -> Iterator[Passage]:
        """Yields every passage, always in the same order."""
        raise TypeError(f"{type(self).__name__} must say what its passages are")

    @property
    def attribution(self) -> str:
        """Where the text comes from and under which licence; may be empty."""
        return ""

    @property
    def count(self) -> int:
        """Number of passages."""
        return self._survey.count

    @property
    def digest(self) -> str:
        """SHA-256 of all passages in order; equal for a file and the store built from it."""
        return self._survey.digest

    @property
    def titles(self) -> Sequence[str]:
        """Every different non-empty title, in order of first occurrence."""
        return self._survey.titles

    @cached_property
    def _survey(self) -> Survey:
        return survey(self.passages())

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

    @property
    def attribution(self) -> str:
        """What the writer of the store wrote."""
        return self.store.attribution

    def passages(self) -> Iterator[Passage]:
        """Yields every passage in row order."""
        return iter(self.store)

    @property
    def count(self) -> int:
        """Number of passages, from the manifest."""
        return self.store.count

    @property
    def digest(self) -> str:
        """Content hash, from the manifest."""
        return self.store.digest

    @cached_property
    def titles(self) -> Sequence[str]:
        """Every different non-empty title, in order of first occurrence."""
        return tuple(dict.fromkeys(p.title for p in self.store if p.title))

    def topics(self, rng: np.random.Generator, n: int) -> list[str]:
        """Draws topics; from a large store those of random passages, without reading them all."""
        found: dict[str, None] = {}
        if self.count >= _DRAWN_FROM:
            for row in rng.integers(self.count, size=_DRAWS * n).tolist():
                if len(found) == n:
                    break
                passage = self.store[row]
                found[passage.title or " ".join(passage.text.split()[:6])] = None
        return list(found) if len(found) == n else super().topics(rng, n)


class FileCorpus(Corpus):
    """A file of any format; it is read again by every iteration, and once for the rest.

    Args:
        path: The file.
        name: What to call it; the path by default.
        format: Name of its format; found out when ``None``.

    Attributes:
        path: The file.
        format: Name of its format.
        report: What reading kept and left out; complete once ``count`` was asked for.
    """

    def __init__(self, path: str | Path, name: str = "", format: str | None = None) -> None:
        self.path = Path(path)
        self.format = detect_format(self.path) if format is None else known_format(format)
        self.name = name or str(path)
        self.report = ReadReport()

    @property
    def attribution(self) -> str:
        """Contents of a file ``ATTRIBUTION`` beside it; for a dump, what its head says."""
        beside = self.path.parent / ATTRIBUTION
        if beside.is_file():
            return beside.read_text(encoding="utf-8", errors="replace")
        if self.format != "wikipedia":
            return ""
        from asl_env.corpora.dump import read_site

        site = read_site(self.path)
        wiki = f"{site.name or 'a MediaWiki wiki'} {site.base}".strip()
        return (
            f"Text of {wiki} from the dump {self.path.name}, "
            "by its contributors.\nWikipedia's text is available under CC BY-SA 4.0 "
            "(https://creativecommons.org/licenses/by-sa/4.0/).\n"
            "Changes: markup removed, cut into passages.\n"
        )

    def passages(self) -> Iterator[Passage]:
        """Streams the good passages of the file."""
        return read_passages(self.path, self.format)

    @cached_property
    def _survey(self) -> Survey:
        self.report = ReadReport()
        return survey(read_passages(self.path, self.format, report=self.report))


class MiniWikiCorpus(Corpus):
    """The embedded encyclopedia; the only corpus with an oracle."""

    name = "miniwiki"

    @property
    def attribution(self) -> str:
        """Who wrote the sentences, and where the facts are from."""
        return "MiniWiki: sentences by the asl-env project; facts as named in its SOURCES.md."

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


def open_corpus(source: str | Path | Corpus, format: str | None = None) -> Corpus:
    """Opens a corpus by name or path.

    Args:
        source: ``"miniwiki"``, the name of a fetched corpus, the path of a passage store or of a
            file in any known format, or a corpus (returned as it is). A path wins over the name
            that was given to something fetched from an address.
        format: Format of the file, when it is not to be found out.

    Raises:
        CorpusError: If there is nothing of that name, or it cannot be read.
    """
    if isinstance(source, Corpus):
        found = source
    elif source == "miniwiki":
        found = MiniWikiCorpus()
    elif str(source) in download.PACKAGES:
        found = _fetched(str(source))
    elif str(source) in large.LARGE:
        return FileCorpus(large.file_of(str(source)), str(source), format)
    elif Path(source).is_dir():
        found = StoreCorpus(source)
    elif Path(source).exists():
        return FileCorpus(source, format=format)
    elif large.is_known(str(source)):
        return FileCorpus(large.file_of(str(source)), str(source), format)
    elif is_address(str(source)):
        raise CorpusError(f"{source}: is on a server; run `asl corpus get {source}` first")
    else:
        known = {*NAMES, *large.LARGE, *large.fetched_names()}
        raise CorpusError(f"no corpus or file {str(source)!r}{did_you_mean(str(source), known)}")
    if format is not None:
        raise CorpusError(f"{found.name}: is no file, so it has no format {format!r}")
    return found


def _fetched(name: str) -> Corpus:
    folder = download.home_of(name)
    if not folder.exists():
        raise CorpusError(f"corpus {name!r} was not fetched yet; run `asl corpus get {name}`")
    if not download.is_there(name):
        raise CorpusError(f"{folder}: is damaged; run `asl corpus get {name}` again")
    if (folder / MANIFEST).is_file():
        return StoreCorpus(folder, name)
    return FileCorpus(folder / download.ARTICLES, name)
