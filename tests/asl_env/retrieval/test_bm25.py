"""BM25 ranks exactly as rank-bm25's Okapi, on any corpus, with either scorer."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.bm25 import BM25Retriever, array_path, indexed_text, write_header
from asl_env.retrieval.postings import PostingsBuilder, in_memory
from asl_env.retrieval.reference import RankBM25Retriever

WORDS = ["river", "rivers", "the", "Élan", "who", "x", "42", "straße", "日本", "ran", "running"]

texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
corpora = st.lists(texts, min_size=1, max_size=25).map(
    lambda all_texts: [Passage(str(n), "", text) for n, text in enumerate(all_texts)]
)


def okapi(passages: list[Passage], query: str, k: int, analyser: str) -> list[tuple[int, float]]:
    """Rows and scores by rank-bm25 itself: its scores, passages with a common term, ties by row."""
    terms = Analyser(analyser).terms
    texts = [terms(indexed_text(p)) for p in passages]
    if not any(texts):
        return []
    scores = BM25Okapi(texts).get_scores(terms(query))
    wanted = set(terms(query))
    order = [row for row in np.argsort(-scores, kind="stable") if wanted & set(texts[row])]
    return [(int(row), float(scores[row])) for row in order[:k]]


@given(corpora, texts, st.integers(1, 30), st.booleans(), st.sampled_from(["words", "english"]))
def test_scores_and_order_are_those_of_rank_bm25_to_the_last_bit(
    passages: list[Passage], query: str, k: int, compiled: bool, analyser: str
) -> None:
    retriever = BM25Retriever.from_passages(passages, analyser, compiled=compiled)
    [found] = retriever.rank([query], k)
    assert list(zip(found.rows.tolist(), found.scores.tolist(), strict=True)) == okapi(
        passages, query, k, analyser
    )


@given(corpora, texts, st.integers(1, 30))
def test_the_reference_retriever_finds_the_same(
    passages: list[Passage], query: str, k: int
) -> None:
    fast = BM25Retriever.from_passages(passages).search([query], k)
    assert fast == RankBM25Retriever(passages).search([query], k)


def random_passages(count: int, seed: int = 0) -> list[Passage]:
    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, 501)
    draws = rng.choice(500, size=(count, 30), p=share / share.sum())
    return [Passage(str(n), f"t{n}", " ".join(f"w{t}" for t in d)) for n, d in enumerate(draws)]


@pytest.mark.parametrize("compiled", [False, True])
def test_parity_on_a_larger_corpus_with_rare_and_frequent_words(compiled: bool) -> None:
    passages = random_passages(800)
    fast = BM25Retriever.from_passages(passages, compiled=compiled)
    queries = ["w0 w1 w2 w499", "w7", "w300 w300 w8", "t17 w0", "w0"]
    assert fast.search(queries, 10) == RankBM25Retriever(passages).search(queries, 10)


def test_both_scorers_agree_and_leave_no_trace_between_queries() -> None:
    passages = random_passages(600, seed=1)
    queries = [f"w{n} w{3 * n} w{n // 2}" for n in range(120)]
    plain = BM25Retriever.from_passages(passages, compiled=False).search(queries, 7)
    compiled = BM25Retriever.from_passages(passages, compiled=True)
    assert compiled.search(queries, 7) == plain
    assert [compiled.search([query], 7)[0] for query in reversed(queries)] == plain[::-1]
    [everything] = compiled.search(["w0 w1 w2"], 600)
    assert everything[:500] == compiled.search(["w0 w1 w2"], 500)[0]
    assert len(everything) > 500


def test_the_scorer_changes_after_many_queries_without_changing_results() -> None:
    passages = random_passages(50)
    retriever = BM25Retriever.from_passages(passages)
    first = retriever.search(["w1 w2"], 5)
    for _ in range(1_100):
        assert retriever.search(["w1 w2"], 5) == first


def test_the_first_hits_of_many_are_the_hits_of_few() -> None:
    retriever = BM25Retriever.from_passages(random_passages(300))
    [many] = retriever.search(["w0 w1 w5 w9"], 50)
    for k in range(51):
        assert retriever.search(["w0 w1 w5 w9"], k) == [many[:k]]


def test_threads_share_a_retriever() -> None:
    retriever = BM25Retriever.from_passages(random_passages(500), compiled=True)
    queries = [f"w{n} w{n + 1}" for n in range(60)]
    expected = retriever.search(queries, 5)
    failures: list[int] = []

    def work(offset: int) -> None:
        turned = queries[offset:] + queries[:offset]
        if retriever.search(turned, 5) != expected[offset:] + expected[:offset]:
            failures.append(offset)

    threads = [threading.Thread(target=work, args=(7 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_titles_are_indexed_with_the_text() -> None:
    passages = [Passage("a", "Vistula", "A long river."), Passage("b", "Oder", "Another river.")]
    [[hit]] = BM25Retriever.from_passages(passages).search(["the Vistula"], 3)
    assert hit.passage.id == "a"


@pytest.mark.parametrize("query", ["", "   ", "the of and", "zzz unknown", "?!", "\x00\ud800"])
def test_a_query_without_known_terms_finds_nothing(query: str) -> None:
    retriever = BM25Retriever.from_passages(random_passages(20))
    assert retriever.search([query], 3) == [[]]


def test_no_passages_is_an_error() -> None:
    with pytest.raises(BadIndexError, match="no passages"):
        BM25Retriever.from_passages([])


def test_runs_of_a_streamed_build_give_the_postings_of_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passages = random_passages(200)
    whole = BM25Retriever.from_passages(passages).postings
    monkeypatch.setattr("asl_env.retrieval.postings._TOKENS_PER_RUN", 500)
    for workspace in (None, tmp_path):
        builder = PostingsBuilder(Analyser(), workspace)
        for passage in passages:
            builder.add(indexed_text(passage))
        streamed = builder.finish()
        assert streamed.vocabulary == whole.vocabulary
        for name in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(streamed, name), getattr(whole, name))
    assert list(tmp_path.iterdir()) == []


def save(folder: Path, retriever: BM25Retriever) -> None:
    for name in ("indptr", "indices", "data"):
        np.save(array_path(folder, name), getattr(retriever.postings, name))
    write_header(folder, retriever.postings)


def test_a_saved_index_ranks_the_same(tmp_path: Path) -> None:
    passages = random_passages(100)
    retriever = BM25Retriever.from_passages(passages)
    save(tmp_path, retriever)
    opened = BM25Retriever.load(tmp_path, passages, Analyser())
    queries = ["w1 w2", "w44", "t3"]
    assert opened.search(queries, 5) == retriever.search(queries, 5)


def test_bm25s_opens_a_saved_index_and_scores_the_same(tmp_path: Path) -> None:
    import bm25s

    retriever = BM25Retriever.from_passages(random_passages(100))
    save(tmp_path, retriever)
    theirs = bm25s.BM25.load(tmp_path, mmap=True).get_scores(["w1", "w44"])
    [ours] = retriever.rank(["w1 w44"], 100)
    np.testing.assert_array_equal(theirs[ours.rows], ours.scores)


def test_a_saved_index_that_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    passages = random_passages(30)
    save(tmp_path, BM25Retriever.from_passages(passages))
    with pytest.raises(BadIndexError, match="30 passages, the store has 29"):
        BM25Retriever.load(tmp_path, passages[:29], Analyser())
    np.save(array_path(tmp_path, "data"), in_memory("data", 3, "float64"))
    with pytest.raises(BadIndexError, match="do not fit together"):
        BM25Retriever.load(tmp_path, passages, Analyser())
    array_path(tmp_path, "data").write_bytes(b"junk")
    with pytest.raises(BadIndexError, match="damaged"):
        BM25Retriever.load(tmp_path, passages, Analyser())
