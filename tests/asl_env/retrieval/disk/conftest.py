"""On-disk indexes of a few passages, cut into many runs, segments and windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from asl_env.corpora.passages import Passage
from asl_env.corpora.writer import write_store
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.disk import budget, retriever
from asl_env.retrieval.disk.budget import Budget
from asl_env.retrieval.disk.builder import build_postings
from asl_env.retrieval.disk.retriever import DiskBM25Retriever

Make = Callable[..., DiskBM25Retriever]
Draw = Callable[..., list[Passage]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of about ten passages, segments of about fifty terms, windows of 64 rows."""
    monkeypatch.setattr(budget, "_LARGEST_RUN", 2_000)
    monkeypatch.setattr(budget, "_LARGEST_SEGMENT", 50_000)
    monkeypatch.setattr(retriever, "_SHIFT", 6)


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Builds and opens an index."""

    def build(
        passages: Sequence[Passage], analyser: str = "english", threads: int = 1, workers: int = 1
    ) -> DiskBM25Retriever:
        folder = tmp_path_factory.mktemp("disk")
        store = write_store(folder / "passages", passages)
        (folder / "bm25").mkdir()
        maker = Analyser(analyser)
        work = folder / "work"
        build_postings(
            store, folder / "bm25", work, maker, Budget(workers=workers), lambda *step: None
        )
        return DiskBM25Retriever(folder / "bm25", store, maker, threads)

    return build


@pytest.fixture(scope="session")
def random_passages() -> Draw:
    """Draws passages of 30 words by Zipf's law, each with a title of its own."""

    def draw(count: int, seed: int = 0, vocabulary: int = 500) -> list[Passage]:
        rng = np.random.default_rng(seed)
        share = 1.0 / np.arange(1, vocabulary + 1)
        draws = rng.choice(vocabulary, size=(count, 30), p=share / share.sum())
        return [Passage(str(n), f"t{n}", " ".join(f"w{t}" for t in d)) for n, d in enumerate(draws)]

    return draw
