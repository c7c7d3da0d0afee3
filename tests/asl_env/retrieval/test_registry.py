"""Retrievers by name, and the index that is built at the first search."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asl_env.corpora.miniwiki.world import load
from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError, CorpusError
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.cached import CachedCorpusRetriever
from asl_env.retrieval.index import build_index, check_index
from asl_env.retrieval.null import NullRetriever
from asl_env.retrieval.registry import known_retrievers, make_retriever

QUERIES = ["capital of Poland", "longest river in Africa"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def miniwiki(home: Path, monkeypatch: pytest.MonkeyPatch) -> CachedCorpusRetriever:
    monkeypatch.setenv("ASL_ENV_HOME", str(home))
    return CachedCorpusRetriever("miniwiki")


def test_a_retriever_passes_through() -> None:
    retriever = NullRetriever()
    assert make_retriever(retriever) is retriever


def test_null_finds_the_same_for_any_query() -> None:
    null = make_retriever("null")
    first, second = null.search(["a", "b"], 3)
    assert first == second
    assert len(first) == 3
    own = NullRetriever([Passage("x", "", "y")])
    assert [hit.passage.id for hit in own.search(["q"], 5)[0]] == ["x"]


def test_making_miniwiki_builds_nothing_and_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path))
    made = make_retriever("miniwiki")
    assert make_retriever("miniwiki") is made
    assert copy.deepcopy(made) is made
    assert list(tmp_path.iterdir()) == []


def test_miniwiki_is_indexed_by_the_first_search_and_only_opened_afterwards(
    miniwiki: CachedCorpusRetriever,
) -> None:
    memory = BM25Retriever.from_passages(load().passages)
    expected = memory.search(QUERIES, 5)
    assert miniwiki.search(QUERIES, 5) == expected
    check_index(miniwiki.folder())
    again = pickle.loads(pickle.dumps(miniwiki))
    start = time.perf_counter()
    assert again.search(QUERIES, 5) == expected
    assert time.perf_counter() - start < 3  # 0.1 s on an idle machine; building takes longer
    assert [path.name for path in miniwiki.folder().parent.iterdir()] == [miniwiki.folder().name]


def test_a_damaged_cache_is_built_again(
    miniwiki: CachedCorpusRetriever, caplog: pytest.LogCaptureFixture
) -> None:
    expected = miniwiki.search(QUERIES, 3)
    data = miniwiki.folder() / "bm25" / "data.csc.index.npy"
    data.write_bytes(data.read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        assert CachedCorpusRetriever("miniwiki").search(QUERIES, 3) == expected
    assert "cut short" in caplog.text
    check_index(miniwiki.folder())


def test_a_cache_that_cannot_be_written_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        [hits] = CachedCorpusRetriever("miniwiki").search(["capital of Poland"], 3)
    assert len(hits) == 3
    assert "no index is kept on disk" in caplog.text


@pytest.mark.slow
def test_two_processes_build_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path))
    script = (
        "from asl_env.retrieval.registry import make_retriever;"
        "print(make_retriever('miniwiki').search(['capital of Poland'], 3))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(answers) == 1
    folder = CachedCorpusRetriever("miniwiki").folder()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    check_index(folder)


def test_a_corpus_that_was_not_fetched_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path))
    with pytest.raises(CorpusError, match="asl corpus get wiki-vital"):
        CachedCorpusRetriever("wiki-vital").search(["x"], 1)


def test_an_index_folder_is_opened(tmp_path: Path) -> None:
    build_index([Passage("a", "", "gold"), Passage("b", "", "silver")], tmp_path / "metals")
    for spec in (tmp_path / "metals", str(tmp_path / "metals")):
        assert make_retriever(spec).search(["gold"], 3)[0][0].passage.id == "a"


def test_unknown_names_are_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        BadIndexError, match=r"unknown retriever 'miniwki'.*did you mean 'miniwiki'"
    ):
        make_retriever("miniwki")
    with pytest.raises(BadIndexError, match="does not exist"):
        make_retriever(tmp_path / "nowhere")
    assert {"miniwiki", "null", "wiki-vital"} <= set(known_retrievers())
