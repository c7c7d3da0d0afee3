"""The search tool: one search per batch, merging, caching, budgets, failures."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.passages import Passage
from asl_env.episode import ToolCall
from asl_env.errors import BadIndexError, SearchUnavailableError
from asl_env.protocols import Hit, Retriever
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.null import NullRetriever
from asl_env.tool import SearchTool

PASSAGES = [
    Passage(str(n), f"T{n}", f"alpha{n % 5} beta{n % 3} gamma{n} common") for n in range(40)
]
BM25 = BM25Retriever.from_passages(PASSAGES)


class Recorder:
    """Passes searches on and writes them down."""

    def __init__(self, retriever: Retriever = BM25) -> None:
        self.retriever = retriever
        self.log: list[tuple[list[str], int]] = []

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.log.append((list(queries), k))
        return self.retriever.search(queries, k)


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


def test_all_distinct_queries_of_all_calls_are_one_search() -> None:
    recorder = Recorder()
    tool = SearchTool(recorder)
    tool.run([ToolCall(("alpha1",)), ToolCall(("beta2", "alpha1 ")), ToolCall((), error="broken")])
    assert recorder.log == [(["alpha1", "beta2"], 3)]


def test_a_call_gets_the_hits_of_its_query() -> None:
    tool = SearchTool(BM25)
    [result] = tool.run([ToolCall(("gamma7",))])
    assert result.hits == tuple(BM25.search(["gamma7"], 3)[0])
    assert result.error is None


def test_top_k_of_the_call_is_honoured_and_bounded() -> None:
    tool = SearchTool(BM25, top_k=2, max_top_k=4)
    asked = (None, 1, 4, 99, 0, -5)
    results = tool.run([ToolCall(("common",), top_k=k) for k in asked])
    assert [len(result.hits) for result in results] == [2, 1, 4, 4, 1, 1]
    assert ids(results[0].hits) == ids(results[2].hits)[:2]


def test_several_queries_merge_with_summed_scores() -> None:
    tool = SearchTool(BM25, top_k=3)
    [result] = tool.run([ToolCall(("gamma3", "gamma9", "alpha3"), top_k=20)])
    alone = {
        q: tool.run([ToolCall((q,), top_k=20)])[0].hits for q in ("gamma3", "gamma9", "alpha3")
    }
    expected: dict[str, float] = {}
    for hits in alone.values():
        for passage, score in hits:
            expected[passage.id] = expected.get(passage.id, 0.0) + score
    assert {hit.passage.id: hit.score for hit in result.hits} == expected
    assert ids(result.hits)[0] == "3"  # found by two of the queries
    scores = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)


def test_a_repeated_query_counts_once() -> None:
    tool = SearchTool(BM25)
    once, twice = tool.run([ToolCall(("gamma3",)), ToolCall(("gamma3", " gamma3"))])
    assert once.hits == twice.hits


def test_a_malformed_call_gets_its_own_error_back() -> None:
    recorder = Recorder()
    broken = ToolCall((), error="broken JSON")
    [result] = SearchTool(recorder).run([broken])
    assert (result.call, result.hits, result.error) == (broken, (), "broken JSON")
    assert recorder.log == []


@pytest.mark.parametrize("queries", [(), ("",), ("  ", "\n")])
def test_a_call_without_a_query_is_told_so(queries: tuple[str, ...]) -> None:
    [result] = SearchTool(BM25).run([ToolCall(queries)])
    assert result.hits == ()
    assert "no query" in (result.error or "")


def test_what_was_found_is_not_searched_again() -> None:
    recorder = Recorder()
    tool = SearchTool(recorder)
    first = tool.run([ToolCall(("common",), top_k=5)])
    assert tool.run([ToolCall(("common",), top_k=5)]) == first
    assert ids(tool.run([ToolCall(("common",), top_k=2)])[0].hits) == ids(first[0].hits)[:2]
    assert len(recorder.log) == 1
    assert len(tool.run([ToolCall(("common",), top_k=9)])[0].hits) == 9
    assert len(recorder.log) == 2
    tool.run([ToolCall(("gamma1",), top_k=5)])
    tool.run([ToolCall(("gamma1",), top_k=20)])  # all its hits (one) are known already
    assert len(recorder.log) == 3
    tool.clear()
    tool.run([ToolCall(("common",))])
    assert len(recorder.log) == 4


def test_the_least_recently_used_query_is_forgotten_first() -> None:
    recorder = Recorder()
    tool = SearchTool(recorder, cache_size=2)
    for query in ("alpha1", "alpha2", "alpha1", "alpha3", "alpha1", "alpha2"):
        tool.run([ToolCall((query,))])
    assert [queries for queries, _ in recorder.log] == [
        ["alpha1"],
        ["alpha2"],
        ["alpha3"],
        ["alpha2"],
    ]


def test_without_a_cache_everything_is_searched() -> None:
    recorder = Recorder()
    tool = SearchTool(recorder, cache_size=0)
    for _ in range(2):
        assert tool.run([ToolCall(("gamma1",))])[0].hits
    assert len(recorder.log) == 2


@given(
    st.lists(
        st.builds(
            ToolCall,
            st.lists(
                st.sampled_from(["common", "alpha1", "beta2 alpha1", "gamma3", ""]), max_size=3
            ).map(tuple),
            st.none() | st.integers(-2, 30),
            st.none() | st.just("broken"),
        ),
        max_size=6,
    ),
    st.integers(0, 4),
)
def test_a_batch_gives_what_its_calls_give_alone(calls: list[ToolCall], cache_size: int) -> None:
    together = SearchTool(BM25, cache_size=cache_size).run(calls)
    assert together == [SearchTool(BM25).run([call])[0] for call in calls]


def test_the_budget_of_characters_cuts_at_a_word() -> None:
    passages = [Passage(str(n), "Title", "common one two three four") for n in range(3)]
    retriever = NullRetriever(passages)
    [whole] = SearchTool(retriever, max_chars=90).run([ToolCall(("x",))])
    assert [hit.passage for hit in whole.hits] == passages
    [cut] = SearchTool(retriever, max_chars=50).run([ToolCall(("x",))])
    assert [hit.passage.text for hit in cut.hits] == [passages[0].text, "common one…"]
    [nothing] = SearchTool(retriever, max_chars=6).run([ToolCall(("x",))])
    assert nothing.hits == ()
    for budget in range(1, 100):
        [result] = SearchTool(retriever, max_chars=budget).run([ToolCall(("x",))])
        assert sum(len(p.title) + len(p.text) for p, _ in result.hits) <= budget


@pytest.mark.parametrize(
    "numbers", [{"top_k": 0}, {"top_k": 21}, {"cache_size": -1}, {"max_chars": 0}]
)
def test_impossible_numbers_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(numbers))):
        SearchTool(BM25, **numbers)  # type: ignore[arg-type]


class Failing:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        raise self.error


def test_a_failing_search_is_never_a_result() -> None:
    with pytest.raises(SearchUnavailableError, match="Failing failed: OSError: connection reset"):
        SearchTool(Failing(OSError("connection reset"))).run([ToolCall(("x",))])
    for error in (SearchUnavailableError("server is down"), BadIndexError("rebuild it")):
        with pytest.raises(type(error), match=str(error)):
            SearchTool(Failing(error)).run([ToolCall(("x",))])


def test_a_retriever_that_loses_results_is_found_out() -> None:
    class Short:
        def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
            return [[] for _ in queries[1:]]

    with pytest.raises(SearchUnavailableError, match="Short gave 1 results for 2 queries"):
        SearchTool(Short()).run([ToolCall(("x", "y"))])


def test_after_a_failure_the_tool_goes_on() -> None:
    tool = SearchTool(Failing(OSError("gone")))
    with pytest.raises(SearchUnavailableError):
        tool.run([ToolCall(("common",))])
    tool.retriever = BM25
    assert len(tool.run([ToolCall(("common",))])[0].hits) == 3


def test_counters() -> None:
    tool = SearchTool(BM25)
    tool.run([ToolCall(("alpha1", "alpha2")), ToolCall(("alpha1",)), ToolCall((), error="broken")])
    tool.run([ToolCall(("alpha2",))])
    stats = tool.stats
    assert (stats.calls, stats.queries, stats.cache_hits, stats.searches) == (4, 4, 2, 1)
    assert stats.seconds > 0


def test_threads_share_a_tool() -> None:
    tool = SearchTool(Recorder(), cache_size=5)
    calls = [ToolCall((f"gamma{n}", "common")) for n in range(20)]
    expected = SearchTool(BM25).run(calls)
    wrong: list[int] = []

    def work(offset: int) -> None:
        turned = calls[offset:] + calls[:offset]
        if any(tool.run(turned) != expected[offset:] + expected[:offset] for _ in range(20)):
            wrong.append(offset)

    threads = [threading.Thread(target=work, args=(2 * n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert tool.stats.calls == 6 * 20 * 20


def test_a_tool_is_shared_by_copies_of_a_specification_and_can_be_sent_to_a_process() -> None:
    tool = SearchTool(NullRetriever(), top_k=2)
    assert copy.deepcopy({"tool": tool})["tool"] is tool
    sent = pickle.loads(pickle.dumps(tool))
    assert sent.run([ToolCall(("x",))]) == tool.run([ToolCall(("x",))])
