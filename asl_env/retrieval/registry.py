"""Retrievers by name."""

from __future__ import annotations

import threading
from pathlib import Path

from asl_env.errors import BadIndexError, did_you_mean
from asl_env.plugins import load_plugin, plugin_names
from asl_env.protocols import Retriever

#: Entry-point group: a name and a callable without arguments that makes a retriever.
GROUP = "asl_env.retrievers"

_shared: dict[str, Retriever] = {}
_lock = threading.Lock()


def known_retrievers() -> list[str]:
    """Returns every name ``make_retriever`` accepts."""
    return sorted({*_corpora(), "null", *plugin_names(GROUP)})


def make_retriever(spec: str | Path | Retriever) -> Retriever:
    """Returns the retriever a specification stands for.

    Args:
        spec: A retriever (returned as it is); ``"miniwiki"``, ``"wiki-vital"`` or another corpus
            with a name (BM25, shared by the whole process; built or opened by the first search,
            not here); ``"null"`` (fixed hits, for benchmarks); a name from the entry-point group
            ``asl_env.retrievers``; the address of a search server (``"http://127.0.0.1:8000"``,
            several separated by commas); an index folder; or ``"rerank:MODEL:"`` and any of
            these, whose hits are then sorted by a cross-encoder.

    Raises:
        BadIndexError: If the name is unknown, or the folder is no index that can be opened, or the
            cross-encoder cannot be loaded.
        ServerError: If an address cannot be one.
    """
    if not isinstance(spec, (str, Path)):
        return spec
    if isinstance(spec, Path):
        return _open(spec)
    if spec == "null":
        from asl_env.retrieval.null import NullRetriever

        return NullRetriever()
    if spec.startswith("rerank:"):
        return _reranked(spec)
    if "://" in spec:
        from asl_env.retrieval.http import HttpRetriever

        return HttpRetriever(spec)
    if spec == "miniwiki" or spec in _corpora():
        return _corpus(spec)
    plugin = load_plugin(GROUP, spec)
    if plugin is not None:
        made: Retriever = plugin()
        return made
    if Path(spec).expanduser().exists():
        return _open(Path(spec).expanduser())
    raise BadIndexError(
        f"unknown retriever {spec!r}, and no such folder{did_you_mean(spec, known_retrievers())}"
    )


def _reranked(spec: str) -> Retriever:
    from asl_env.retrieval.rerank import RerankRetriever, read_spec

    found = read_spec(spec)
    assert found is not None  # it begins as one does
    return RerankRetriever(make_retriever(found.inner), found.model)


def _open(folder: Path) -> Retriever:
    from asl_env.retrieval.index import open_index

    return open_index(folder)


def _corpora() -> tuple[str, ...]:
    """Corpora whose BM25 index is built when first searched, and kept in the cache folder."""
    from asl_env.corpora.catalog import NAMES

    return NAMES


def _corpus(name: str) -> Retriever:
    from asl_env.retrieval.cached import CachedCorpusRetriever

    with _lock:
        if name not in _shared:
            _shared[name] = CachedCorpusRetriever(name)
        return _shared[name]
