"""The on-disk engine ranks as the one in memory and as rank-bm25 do, to the last bit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.disk import retriever as module
from asl_env.retrieval.disk.retriever import DiskBM25Retriever
from asl_env.retrieval.ranked import RankedRetriever
from asl_env.retrieval.reference import RankBM25Retriever

Make = Callable[..., DiskBM25Retriever]
Draw = Callable[..., list[Passage]]
#: What was found, by query and number of hits.
Found = dict[tuple[str, int], list[tuple[int, float]]]

WORDS = ["river", "rivers", "the", "Élan", "who", "x", "42", "straße", "日本", "ran", "running"]

texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
corpora = st.lists(texts, min_size=1, max_size=25).map(
    lambda all_texts: [Passage(str(n), "", text) for n, text in enumerate(all_texts)]
)


def ranked(retriever: RankedRetriever, query: str, k: int) -> list[tuple[int, float]]:
    [found] = retriever.rank([query], k)
    return list(zip(found.rows.tolist(), found.scores.tolist(), strict=True))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(corpora, texts, st.integers(1, 30), st.sampled_from(["words", "english"]))
def test_rows_scores_and_order_are_those_of_the_engine_in_memory(
    small: None, make: Make, passages: list[Passage], query: str, k: int, analyser: str
) -> None:
    disk, memory = make(passages, analyser), BM25Retriever.from_passages(passages, analyser)
    assert ranked(disk, query, k) == ranked(memory, query, k)


def test_parity_with_rank_bm25_on_a_larger_corpus(
    small: None, make: Make, random_passages: Draw
) -> None:
    passages = random_passages(800)
    queries = ["w0 w1 w2 w499", "w7", "w300 w300 w8", "t17 w0", "w0", "w3 w3 w3 w9 zzz w250"]
    expected = RankBM25Retriever(passages).search(queries, 10)
    assert make(passages).search(queries, 10) == expected


@pytest.fixture(scope="module")
def searched(make: Make, random_passages: Draw) -> tuple[DiskBM25Retriever, Found]:
    """An index on the disk, and what the engine in memory finds for queries of all lengths."""
    passages = random_passages(3_000, seed=1)
    memory = BM25Retriever.from_passages(passages, compiled=False)
    rng = np.random.default_rng(2)
    queries = [
        " ".join(f"w{word}" for word in words)
        for length in (1, 2, 5, 12)
        for words in (500 * rng.random((15, length)) ** 3).astype(int)
    ]
    found = {(query, k): ranked(memory, query, k) for query in queries for k in (1, 5, 70)}
    return make(passages), found


@pytest.mark.parametrize("shift", [6, 8, 12])
def test_skipping_windows_changes_nothing(
    searched: tuple[DiskBM25Retriever, Found], monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    disk, found = searched
    monkeypatch.setattr(module, "_SHIFT", shift)
    for (query, k), expected in found.items():
        assert ranked(disk, query, k) == expected


@pytest.mark.parametrize("threads", [2, 3])
def test_one_query_is_shared_among_threads(
    small: None, make: Make, random_passages: Draw, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(module, "_SHARED_FROM", 1)
    passages = random_passages(1_000, seed=4)
    memory = BM25Retriever.from_passages(passages, compiled=False)
    disk = make([*passages], threads=threads)
    for query in ("w0 w1 w2 w499", "w7", "w300 w300 w8", "w3 w3 w9 zzz w250", "zzz"):
        for k in (1, 5, 70, 2_000):
            assert ranked(disk, query, k) == ranked(memory, query, k)


def test_every_thread_has_windows_of_its_own(
    small: None, make: Make, random_passages: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHARED_FROM", 1)
    shared, found = module._in_shares, []

    def in_shares(search: Any, shares: int) -> Any:
        found.append([search(n, np.full(shares, -np.inf))[0].tolist() for n in range(shares)])
        return shared(search, shares)

    monkeypatch.setattr(module, "_in_shares", in_shares)
    disk = make([*random_passages(1_000, seed=4)], threads=2)
    hits = disk.search(["w0 w1"], 2_000)[0]
    [(first, second)] = found
    assert first and second
    assert not set(first) & set(second)
    assert len(first) + len(second) == len(hits)


def test_words_that_occur_more_often_than_the_table_knows(small: None, make: Make) -> None:
    passages = [Passage(str(n), "", "gold " * (n % 40) + f"iron f{n % 3}") for n in range(200)]
    memory, disk = BM25Retriever.from_passages(passages), make(passages)
    for query in ("gold", "gold f1", "gold iron gold"):
        assert ranked(disk, query, 30) == ranked(memory, query, 30)


def test_more_hits_than_there_are_and_the_first_of_many(
    small: None, make: Make, random_passages: Draw
) -> None:
    passages = random_passages(300)
    memory, disk = BM25Retriever.from_passages(passages), make(passages)
    everything = ranked(disk, "w0 w1 w5 w9", 10_000)
    assert everything == ranked(memory, "w0 w1 w5 w9", 10_000)
    for k in (0, 1, 2, 30, 299):
        assert ranked(disk, "w0 w1 w5 w9", k) == everything[:k]


def test_ties_go_by_row(small: None, make: Make) -> None:
    passages = [Passage(str(n), "", "gold" if n % 3 else "gold iron") for n in range(500)]
    disk = make([*passages, *(Passage(f"x{n}", "", "lead") for n in range(600))])
    assert [row for row, _ in ranked(disk, "gold", 5)] == [1, 2, 4, 5, 7]
    assert [row for row, _ in ranked(disk, "iron gold", 4)] == [0, 3, 6, 9]


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 255, 256, 257])
def test_terms_at_the_bounds_of_blocks(small: None, make: Make, count: int) -> None:
    passages = [
        Passage(str(n), "", f"{'gold ' * (1 + n % 3) if n % 4 == 1 else ''}f{n % 7} g{n % 11}")
        for n in range(4 * count)
    ]
    memory, disk = BM25Retriever.from_passages(passages), make(passages)
    for query in ("gold", "gold f3", "f1 gold g5 gold"):
        assert ranked(disk, query, 4 * count) == ranked(memory, query, 4 * count)
        assert ranked(disk, query, 3) == ranked(memory, query, 3)


def test_terms_in_half_or_most_passages(small: None, make: Make) -> None:
    """Their weights are zero, or the floor; without any rare term the floor is negative."""
    half = [Passage(str(n), "", "gold" if n < 5 else f"w{n}") for n in range(10)]
    common = [Passage(str(n), "", "gold iron" if n else "gold") for n in range(6)]
    for passages in (half, common):
        memory, disk = BM25Retriever.from_passages(passages), make(passages)
        for query in ("gold", "iron gold", "gold w7 gold"):
            assert ranked(disk, query, 20) == ranked(memory, query, 20)


def test_one_passage(small: None, make: Make) -> None:
    passages = [Passage("a", "Gold", "Gold is an element.")]
    memory, disk = BM25Retriever.from_passages(passages), make(passages)
    assert ranked(disk, "gold element", 3) == ranked(memory, "gold element", 3)


@pytest.mark.parametrize("query", ["", "   ", "the of and", "zzz unknown", "?!", "\x00\ud800"])
def test_a_query_without_known_terms_finds_nothing(
    small: None, make: Make, random_passages: Draw, query: str
) -> None:
    assert make(random_passages(20)).search([query], 3) == [[]]


def test_passages_without_any_term(small: None, make: Make) -> None:
    assert make([Passage("a", "", "the"), Passage("b", "", "...")]).search(["the", "x"], 3) == [
        [],
        [],
    ]


def test_very_long_queries_take_wider_windows(
    small: None, make: Make, random_passages: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    passages = random_passages(1_500)
    memory, disk = BM25Retriever.from_passages(passages, compiled=False), make(passages)
    monkeypatch.setattr(module, "_MOST_BOUNDS", 100)
    query = " ".join(f"w{n}" for n in range(300))
    assert ranked(disk, query, 10) == ranked(memory, query, 10)


def test_batches_are_shared_among_threads_and_threads_share_a_retriever(
    small: None, make: Make, random_passages: Draw
) -> None:
    passages = random_passages(600)
    queries = [f"w{n} w{n + 1} w{n // 3}" for n in range(60)]
    expected = BM25Retriever.from_passages(passages).search(queries, 5)
    disk = make(passages, threads=3)
    failures: list[int] = []

    def work(offset: int) -> None:
        turned = queries[offset:] + queries[:offset]
        if disk.search(turned, 5) != expected[offset:] + expected[:offset]:
            failures.append(offset)

    threads = [threading.Thread(target=work, args=(7 * n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [disk.search([query], 5)[0] for query in queries] == expected


def test_an_index_of_other_passages_is_refused(
    small: None, make: Make, random_passages: Draw
) -> None:
    disk = make(random_passages(30))
    folder = Path(disk.passages.folder).parent / "bm25"  # type: ignore[attr-defined]
    with pytest.raises(BadIndexError, match="30 passages, the store has 29"):
        DiskBM25Retriever(folder, random_passages(29), disk.analyser)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("header.json", "{}", "format None version None, this asl-env reads 'asl-bm25-disk'"),
        ("header.json", "[", "is damaged"),
        ("lasts.u32", "1234", "arrays do not fit together"),
        ("terms.bin", "x", "arrays do not fit together"),
        ("peaks.f32", None, "is damaged"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    small: None, make: Make, random_passages: Draw, name: str, content: str | None, message: str
) -> None:
    disk = make(random_passages(30))
    folder = Path(disk.passages.folder).parent / "bm25"  # type: ignore[attr-defined]
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(BadIndexError, match=message):
        DiskBM25Retriever(folder, disk.passages, disk.analyser)
