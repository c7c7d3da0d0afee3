"""Every source behind one face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.catalog import Corpus, FileCorpus, StoreCorpus, draw, open_corpus
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.passages import Passage
from asl_env.corpora.places import HOME_VARIABLE
from asl_env.corpora.writer import write_store

PASSAGES = [Passage(str(i), f"Title {i // 2}", f"text number {i}") for i in range(20)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.jsonl"
    path.write_text("{broken\n" + "\n".join(json.dumps(p._asdict()) for p in PASSAGES))
    return path


def test_a_file_and_the_store_built_from_it_are_the_same_corpus(file: Path, tmp_path: Path) -> None:
    write_store(tmp_path / "s", PASSAGES, attribution="by us").close()
    text, store = open_corpus(file), open_corpus(str(tmp_path / "s"))
    assert isinstance(text, FileCorpus)
    assert isinstance(store, StoreCorpus)
    assert list(text.passages()) == list(text.passages()) == list(store.passages()) == PASSAGES
    assert text.count == store.count == 20
    assert text.digest == store.digest
    assert text.titles == store.titles == tuple(f"Title {i}" for i in range(10))
    assert text.oracle is store.oracle is None
    assert (text.attribution, store.attribution) == ("", "by us")
    assert text.name == str(file)


def test_a_file_says_what_was_bad(file: Path) -> None:
    corpus = FileCorpus(file)
    assert corpus.count == 20
    assert corpus.report.problems["broken JSON"].first == [1]


def test_an_attribution_beside_a_file_is_found(file: Path) -> None:
    (file.parent / "ATTRIBUTION").write_text("by them")
    assert open_corpus(file).attribution == "by them"


def test_a_dump_says_whose_text_it_is(dump: Path) -> None:
    attribution = open_corpus(dump).attribution
    assert "testwiki https://test.example/wiki/Main_Page" in attribution
    assert "CC BY-SA" in attribution


def test_topics_are_titles_drawn_with_the_generator(file: Path) -> None:
    corpus = open_corpus(file)
    first = corpus.topics(np.random.default_rng(1), 5)
    assert first == corpus.topics(np.random.default_rng(1), 5)
    assert first != corpus.topics(np.random.default_rng(2), 5)
    assert len(set(first)) == 5
    assert set(first) < set(corpus.titles)


def test_without_titles_topics_are_first_words(tmp_path: Path) -> None:
    write_store(tmp_path / "s", [Passage("1", "", "one two three four five six seven")])
    corpus = open_corpus(tmp_path / "s")
    assert corpus.topics(np.random.default_rng(0), 1) == ["one two three four five six"]


def test_topics_of_a_large_store_are_drawn_without_reading_it_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passages = [Passage(str(n), f"T{n % 40}" if n % 40 else "", "a b") for n in range(400)]
    write_store(tmp_path / "s", passages)
    corpus = open_corpus(tmp_path / "s")
    everything = {f"T{n}" for n in range(1, 40)}
    monkeypatch.setattr("asl_env.corpora.catalog._DRAWN_FROM", 400)
    first = corpus.topics(np.random.default_rng(1), 9)
    assert first == corpus.topics(np.random.default_rng(1), 9)
    assert len(set(first)) == 9
    assert set(first) < {*everything, "a b"}
    assert "titles" not in vars(corpus)
    # More than there are: all of them, then again.
    many = corpus.topics(np.random.default_rng(1), 60)
    assert (len(many), set(many)) == (60, everything)


@given(st.integers(1, 7), st.integers(0, 30), st.integers(0, 99))
def test_nothing_is_drawn_twice_before_everything_was_drawn_once(
    size: int, n: int, seed: int
) -> None:
    drawn = draw([str(i) for i in range(size)], np.random.default_rng(seed), n)
    counts = [drawn.count(str(i)) for i in range(size)]
    assert len(drawn) == n
    assert max(counts) - min(counts) <= 1


def test_miniwiki_has_an_oracle_and_topics_of_its_own() -> None:
    corpus = open_corpus("miniwiki")
    topics = corpus.topics(np.random.default_rng(0), 50)
    assert len(set(topics)) == 50
    assert corpus.oracle is not None
    assert corpus.name == "miniwiki"
    assert "SOURCES.md" in corpus.attribution


def test_a_corpus_is_returned_as_it_is(file: Path) -> None:
    corpus = open_corpus(file)
    assert open_corpus(corpus) is corpus


def test_one_line_says_how_to_get_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    with pytest.raises(CorpusError, match="not fetched yet; run `asl corpus get wiki-vital`"):
        open_corpus("wiki-vital")
    with pytest.raises(CorpusError, match="did you mean 'miniwiki'"):
        open_corpus("minwiki")
    with pytest.raises(CorpusError, match="no corpus or file '/no/such/file'"):
        open_corpus("/no/such/file")
    with pytest.raises(CorpusError, match="is no passage store"):
        open_corpus(tmp_path)


def test_only_files_have_a_format(file: Path) -> None:
    assert open_corpus(file, "jsonl").count == 20
    with pytest.raises(CorpusError, match="miniwiki: is no file"):
        open_corpus("miniwiki", "jsonl")


def test_a_corpus_of_ones_own_needs_only_passages() -> None:
    class Own(Corpus):
        name = "own"

        def passages(self):  # type: ignore[no-untyped-def]
            return iter(PASSAGES)

    assert Own().count == 20
    assert Own().titles[0] == "Title 0"
    assert open_corpus(Own()).attribution == ""
