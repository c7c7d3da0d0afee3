"""BM25 over a named corpus, indexed at the first search and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_env.corpora.places import cache_home
from asl_env.errors import BadIndexError
from asl_env.protocols import Hit
from asl_env.retrieval.manifest import MANIFEST, VERSION
from asl_env.retrieval.ranked import RankedRetriever

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_log = logging.getLogger(__name__)

ANALYSER = "english"

#: Indexes of other versions of the corpus are removed when they are older than this.
_STALE_DAYS = 7


class CachedCorpusRetriever:
    """Searches a corpus of the catalogue; making one costs nothing. Safe to share.

    The index lies in ``indexes/`` of the cache folder (see ``asl_env.corpora.places``), named
    by the corpus and a digest of everything it depends on. Processes that build it at the same
    time do not disturb each other. Without a cache folder that can be written, the index is
    built in memory by every process.

    Args:
        name: Name of the corpus, such as ``miniwiki``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._retriever: RankedRetriever | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"CachedCorpusRetriever({self.name!r})"

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns for each query at most ``k`` hits, best first; the first call builds.

        Raises:
            CorpusError: If the corpus was not fetched yet.
        """
        return self.opened().search(queries, k)

    def opened(self) -> RankedRetriever:
        """Returns the retriever behind, built or opened now if it was not yet."""
        if self._retriever is None:
            with self._lock:
                if self._retriever is None:
                    self._retriever = self._open()
        return self._retriever

    def folder(self) -> Path:
        """Returns where the index lies, or would lie."""
        return cache_home() / "indexes" / f"{self.name}-{self.key}"

    @property
    def key(self) -> str:
        """Sixteen hex digits that change with the passages, the format and the analyser."""
        from asl_env.retrieval.analyser import Analyser

        facts = (_corpus_digest(self.name), VERSION, ANALYSER, Analyser(ANALYSER).fingerprint)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def _open(self) -> RankedRetriever:
        from asl_env.retrieval.index import open_index

        folder = self.folder()
        if (folder / MANIFEST).is_file():
            try:
                return open_index(folder)
            except BadIndexError as error:
                _log.warning("building the cached index again: %s", error)
                shutil.rmtree(folder, ignore_errors=True)
        try:
            self._build(folder)
        except (OSError, BadIndexError) as error:
            _log.warning("no index is kept on disk: %s", error)
            return self._in_memory()
        return open_index(folder)

    def _build(self, folder: Path) -> None:
        from asl_env.retrieval.build import build_index

        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as workspace:
            made = Path(workspace) / "index"
            build_index(self.name, made, analyser=ANALYSER)
            try:
                made.replace(folder)
            except OSError:
                # Somebody else was quicker: theirs is the same.
                if not (folder / MANIFEST).is_file():
                    raise
        _remove_stale(folder, self.name)

    def _in_memory(self) -> RankedRetriever:
        from asl_env.corpora.catalog import open_corpus
        from asl_env.retrieval.bm25 import BM25Retriever

        return BM25Retriever.from_passages(list(open_corpus(self.name).passages()), ANALYSER)

    def __deepcopy__(self, memo: dict[int, Any]) -> CachedCorpusRetriever:
        return self

    def __reduce__(self) -> tuple[type[CachedCorpusRetriever], tuple[str]]:
        return CachedCorpusRetriever, (self.name,)


def _corpus_digest(name: str) -> str:
    """Identifies the passages of a corpus; for MiniWiki without writing its articles.

    MiniWiki's passages follow from the code and the data in its package, so those are digested.
    """
    if name != "miniwiki":
        from asl_env.corpora.catalog import open_corpus

        return open_corpus(name).digest
    digest = hashlib.sha256()
    for part in _files(files("asl_env.corpora.miniwiki")):
        digest.update(part.name.encode() + b"\0")
        digest.update(hashlib.sha256(part.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Traversable) -> list[Traversable]:
    found: list[Traversable] = []
    for part in sorted(folder.iterdir(), key=lambda each: each.name):
        if part.is_dir():
            found += _files(part) if part.name != "__pycache__" else []
        elif not part.name.startswith("eval-"):  # the passages do not depend on questions
            found.append(part)
    return found


def _remove_stale(current: Path, name: str) -> None:
    for other in current.parent.glob(f"{name}-*"):
        manifest = other / MANIFEST
        if other == current or not manifest.is_file():
            continue
        if time.time() - manifest.stat().st_mtime > _STALE_DAYS * 86_400:
            shutil.rmtree(other, ignore_errors=True)
