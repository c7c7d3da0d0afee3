"""What ``--corpus`` and ``--index`` stand for."""

from __future__ import annotations

import hashlib
from pathlib import Path

from asl_env.protocols import Retriever


def open_retriever(corpus: str, index: str | None = None) -> Retriever:
    """Opens what a command searches.

    Args:
        corpus: A retriever's name, an index folder, or a corpus (its file, passage store or name
            of a fetched file is then indexed in memory with BM25). ``rerank:MODEL:`` may stand
            before any of these.
        index: An index folder or a retriever's name; goes before the corpus.

    Raises:
        AslError: If there is nothing of that name, or it cannot be read.
    """
    from asl_env.corpora.large import is_known, refuse_in_memory
    from asl_env.corpora.store import is_store
    from asl_env.retrieval.registry import make_retriever
    from asl_env.retrieval.rerank import RerankRetriever, read_spec

    if (reranked := read_spec(index or corpus)) is not None:
        return RerankRetriever(open_retriever(reranked.inner), reranked.model)
    path = Path(corpus).expanduser()
    here = path.is_file() or is_store(path)
    if index is None and (here or is_known(corpus)):
        from asl_env.corpora.catalog import open_corpus
        from asl_env.retrieval.bm25 import BM25Retriever

        refuse_in_memory(corpus)
        return BM25Retriever.from_passages(open_corpus(path if here else corpus).passages())
    return make_retriever(index or corpus)


def index_digest(corpus: str, index: str | None = None) -> str | None:
    """Sixteen hex digits that change when the same search may find something else.

    Args:
        corpus: As for ``open_retriever``.
        index: The same.

    Returns:
        ``None`` for what this machine cannot look into: a server, a retriever of a plugin.

    Raises:
        AslError: If there is an index or a corpus that cannot be read.
    """
    from asl_env.corpora.catalog import NAMES, open_corpus
    from asl_env.corpora.large import is_known
    from asl_env.corpora.store import is_store
    from asl_env.retrieval.cached import ANALYSER, CachedCorpusRetriever
    from asl_env.retrieval.manifest import MANIFEST, read_manifest
    from asl_env.retrieval.rerank import DEPTH, read_spec

    name = index or corpus
    if (reranked := read_spec(name)) is not None:
        inner = index_digest(reranked.inner)
        both = ("rerank", reranked.model, DEPTH, inner)
        return None if inner is None else hashlib.sha256(repr(both).encode()).hexdigest()[:16]
    path = Path(name).expanduser()
    if name == "miniwiki" or name in NAMES:
        return CachedCorpusRetriever(name).key
    facts: tuple[object, ...]
    here = path.is_file() or is_store(path)
    if index is None and (here or is_known(corpus)):
        facts = ("bm25", open_corpus(path if here else corpus).digest, ANALYSER)
    elif (path / MANIFEST).is_file():
        info = read_manifest(path)
        about = (info.kind, info.digest, info.analyser, info.analyser_fingerprint, info.encoder)
        facts = (*about, info.dimension, info.dense)
    else:
        return None
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def suited(agent: str) -> int | None:
    """Characters per search that an agent was trained with; ``None`` where nothing says.

    Args:
        agent: Its name, as ``load_agent`` takes it.
    """
    from asl_env.agents.coevolution.runfolder import RunFolder
    from asl_env.agents.lm.nano.episodes import MAX_CHARS
    from asl_env.agents.lm.nano.warmup import RECORD

    name = agent.removeprefix("model:")
    path = Path(name)
    if name == "nano" or (path / RECORD).is_file():
        return MAX_CHARS
    if not RunFolder(path).begun:
        return None
    found = RunFolder(path).config().get("recipe", {}).get("search", {}).get("max_chars")
    return found if isinstance(found, int) else None
