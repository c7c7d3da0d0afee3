"""Retrievers by name, and the index that is built at the first search."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from asl_env.corpora import download
from asl_env.corpora.passages import Passage
from asl_env.corpora.writer import write_store
from asl_env.errors import BadIndexError, CorpusError
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.cached import CachedCorpusRetriever
from asl_env.retrieval.index import build_index, check_index
from asl_env.retrieval.null import NullRetriever
from asl_env.retrieval.registry import known_retrievers, make_retriever

QUERIES = ["capital of Poland", "longest river in Africa"]


PASSAGES = [Passage(str(n), f"Town {n}", f"Town {n} lies on river {n % 7}.") for n in range(50)]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CachedCorpusRetriever:
    """A fetched corpus of fifty passages, in a home folder of its own."""
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path))
    package = replace(download.PACKAGES["wiki-vital"], check=lambda folder: None)
    monkeypatch.setitem(download.PACKAGES, "tiny", package)
    write_store(download.home_of("tiny"), PASSAGES)
    return CachedCorpusRetriever("tiny")


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


def test_miniwiki_is_indexed_by_the_first_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path))
    miniwiki = CachedCorpusRetriever("miniwiki")
    found = miniwiki.search(QUERIES, 5)
    assert found[0][0].passage.title == "Poland"
    assert check_index(miniwiki.folder()).corpus == "miniwiki"
    assert [path.name for path in miniwiki.folder().parent.iterdir()] == [miniwiki.folder().name]


def test_an_index_in_the_cache_is_only_opened(tiny: CachedCorpusRetriever) -> None:
    expected = BM25Retriever.from_passages(PASSAGES).search(["town 17", "river 3"], 5)
    assert tiny.search(["town 17", "river 3"], 5) == expected
    written = {path: path.stat().st_mtime_ns for path in tiny.folder().rglob("*")}
    again = pickle.loads(pickle.dumps(tiny))
    assert again.search(["town 17", "river 3"], 5) == expected
    assert {path: path.stat().st_mtime_ns for path in tiny.folder().rglob("*")} == written


def test_other_passages_have_another_index_and_old_ones_go(tiny: CachedCorpusRetriever) -> None:
    tiny.search(["town"], 1)
    old = tiny.folder()
    write_store(download.home_of("tiny"), PASSAGES[::-1], overwrite=True)
    changed = CachedCorpusRetriever("tiny")
    assert changed.folder() != old
    long_ago = time.time() - 30 * 86_400
    os.utime(old / "manifest.json", (long_ago, long_ago))
    assert changed.search(["town 17"], 1)[0][0].passage.id == "17"
    assert [path.name for path in old.parent.iterdir()] == [changed.folder().name]


def test_a_damaged_cache_is_built_again(
    tiny: CachedCorpusRetriever, caplog: pytest.LogCaptureFixture
) -> None:
    expected = tiny.search(["town 17"], 3)
    data = tiny.folder() / "bm25" / "data.csc.index.npy"
    data.write_bytes(data.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        assert CachedCorpusRetriever("tiny").search(["town 17"], 3) == expected
    assert "cut short" in caplog.text
    check_index(tiny.folder())


def test_a_cache_that_cannot_be_written_does_not_matter(
    tiny: CachedCorpusRetriever, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        [hits] = tiny.search(["town 17"], 3)
    assert hits[0].passage.id == "17"
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
