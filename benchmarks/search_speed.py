"""Searches per second of BM25: ours, bm25s called directly, rank-bm25, and tantivy if it is there.

    python benchmarks/search_speed.py                  # MiniWiki and 100,000 made-up passages
    python benchmarks/search_speed.py --passages 0     # MiniWiki alone
    python benchmarks/search_speed.py --passages 1000000 --no-reference
    python benchmarks/search_speed.py --json speed.json

All index the same terms with their own default parameters, on one thread. A search of ours starts
from the text of the query and ends with passages and scores (``ours``; ``disk`` is the engine whose
postings stay there) or with row numbers (``ours, rows``). bm25s is called as its guide says, with
its numba backend: from text to row numbers (``bm25s``), and from terms that were analysed
beforehand (``bm25s, terms``: no analysis is counted, the hardest comparison for us). rank-bm25 and
tantivy (where ``pip install tantivy`` was done) get analysed terms too; tantivy gives addresses of
documents, from as many segments as it made.

The systems take turns, a repetition each, so that a change of the machine's load meets all; the
table shows medians over the repetitions, and the ratio is the median of the ratios within one.
Compiling and the first search are not counted. Close other programs first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from asl_env.corpora.passages import Passage

K = 5
SLOW_QUERIES = 10  # rank-bm25 takes about half a second per query on 100,000 passages
ANALYSER = "english"

System = Callable[[], Any]


def miniwiki() -> tuple[list[Passage], list[str]]:
    """Passages of MiniWiki, and the questions of its evaluation sets."""
    from asl_env.corpora.miniwiki import evalsets
    from asl_env.corpora.miniwiki.world import load

    sets = ("miniwiki-1hop", "miniwiki-2hop", "miniwiki-3hop", "miniwiki-compare")
    questions = [record.question for name in sets for record in evalsets.load(name)]
    return load().passages, questions[:: max(1, len(questions) // 300)]


def synthetic(count: int, vocabulary: int = 60_000) -> tuple[list[Passage], list[str]]:
    """Passages of 100 words drawn by Zipf's law, and queries of 10 words drawn alike.

    The most frequent word is in nearly every passage and in half of the queries: hard on any
    index that adds up posting lists.
    """
    rng = np.random.default_rng(0)
    share = 1.0 / np.arange(1, vocabulary + 1)
    share /= share.sum()
    words = np.array([f"w{n}" for n in range(vocabulary)])
    passages = []
    for start in range(0, count, 10_000):
        block = words[rng.choice(vocabulary, (min(10_000, count - start), 100), p=share)]
        passages += [Passage(str(start + n), "", " ".join(row)) for n, row in enumerate(block)]
    return passages, [" ".join(row) for row in words[rng.choice(vocabulary, (300, 10), p=share)]]


def on_disk(passages: list[Passage], folder: Path) -> Any:
    """Our engine on the disk, on one thread."""
    from asl_env.retrieval.index import build_index, open_index

    build_index(passages, folder, kind="bm25-disk", analyser=ANALYSER)
    opened: Any = open_index(folder)
    opened.threads = 1
    return opened


def with_tantivy(texts: list[list[str]], folder: Path) -> Callable[[list[str]], Any] | None:
    """What searches tantivy for terms; ``None`` where it is not installed."""
    try:
        import tantivy
    except ImportError:
        return None
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    schema = builder.build()
    folder.mkdir()
    index = tantivy.Index(schema, path=str(folder))
    writer = index.writer(heap_size=256 << 20, num_threads=1)
    for terms in texts:
        writer.add_document(tantivy.Document(terms=" ".join(terms)))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(terms: list[str]) -> Any:
        wanted = [
            (tantivy.Occur.Should, tantivy.Query.term_query(schema, "terms", term))
            for term in terms
        ]
        return searcher.search(tantivy.Query.boolean_query(wanted), K).hits

    return search


def systems(
    passages: list[Passage], queries: list[str], reference: bool, folder: Path
) -> dict[str, tuple[System, int]]:
    """Builds every system; returns what one repetition calls, and how many queries that is."""
    import bm25s
    import Stemmer

    from asl_env.retrieval.analyser import STOPWORDS
    from asl_env.retrieval.bm25 import BM25Retriever, indexed_text
    from asl_env.retrieval.reference import RankBM25Retriever

    ours = BM25Retriever.from_passages(passages, ANALYSER, compiled=True)
    disk = on_disk(passages, folder / "ours")
    stemmer, stopwords = Stemmer.Stemmer(ANALYSER), list(STOPWORDS)
    analyse = ours.analyser.terms
    texts = [analyse(indexed_text(p)) or [""] for p in passages]
    direct = bm25s.BM25(k1=1.5, b=0.75, backend="numba")
    direct.index(texts, show_progress=False)

    def tokens(texts: Sequence[str]) -> Any:
        return bm25s.tokenize(
            list(texts), stopwords=stopwords, stemmer=stemmer, return_ids=False, show_progress=False
        )

    def retrieve(terms: Any) -> Any:
        return direct.retrieve(terms, k=K, show_progress=False)

    terms = [[analyse(query) or [""]] for query in queries]
    batch = [one[0] for one in terms]
    count = len(queries)
    found: dict[str, tuple[System, int]] = {
        "ours": (lambda: [ours.search([query], K) for query in queries], count),
        "ours, rows": (lambda: [ours.rank([query], K) for query in queries], count),
        "disk": (lambda: [disk.search([query], K) for query in queries], count),
        "disk, rows": (lambda: [disk.rank([query], K) for query in queries], count),
        "bm25s": (lambda: [retrieve(tokens([query])) for query in queries], count),
        "bm25s, terms": (lambda: [retrieve(one) for one in terms], count),
        "ours, batch": (lambda: ours.search(queries, K), count),
        "ours, rows, batch": (lambda: ours.rank(queries, K), count),
        "disk, batch": (lambda: disk.search(queries, K), count),
        "bm25s, batch": (lambda: retrieve(tokens(queries)), count),
        "bm25s, terms, batch": (lambda: retrieve(batch), count),
    }
    if tantivy := with_tantivy(texts, folder / "tantivy"):
        found["tantivy, terms"] = (lambda: [tantivy(one) for one in batch], count)
    if reference:
        slow, few = RankBM25Retriever(passages, ANALYSER), queries[:SLOW_QUERIES]
        found["rank-bm25, terms"] = (lambda: [slow.rank([query], K) for query in few], len(few))
    return found


def measure(measured: dict[str, tuple[System, int]], repetitions: int) -> dict[str, list[float]]:
    """Queries per second of every system in every repetition."""
    rates: dict[str, list[float]] = {name: [] for name in measured}
    for repetition in range(repetitions + 1):
        for name, (run, count) in measured.items():
            start = time.perf_counter()
            run()
            if repetition:  # the first one warms up
                rates[name].append(count / (time.perf_counter() - start))
    return rates


def report(title: str, rates: dict[str, list[float]]) -> dict[str, Any]:
    """Prints a table and returns it."""
    print(f"\n{title}, k = {K}, {len(rates['ours'])} repetitions")
    print(f"{'':22}{'searches/s':>12}{'from':>10}{'to':>10}   ours / it")
    rows = {}
    for name, values in rates.items():
        best = rates["ours, batch" if name.endswith("batch") else "ours"]
        ratio = statistics.median(a / b for a, b in zip(best, values, strict=True))
        rows[name] = {"median": statistics.median(values), "all": values, "ours_over_it": ratio}
        print(
            f"{name:22}{statistics.median(values):12,.0f}{min(values):10,.0f}{max(values):10,.0f}"
            f"{ratio:12.2f}"
        )
    return rows


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    versions = {}
    for name in ("asl-env", "bm25s", "rank-bm25", "tantivy", "numba", "numpy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": versions,
    }


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description="Searches per second of BM25.")
    parser.add_argument("--passages", type=int, default=100_000, help="made-up ones; 0 for none")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--no-reference", action="store_true", help="leave out rank-bm25")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    options = parser.parse_args()
    about = machine()
    print(about)
    if (about["load"] or 0) > 0.5:
        print("warning: other programs are running; look at the ratios, not at the rates")
    sets = {"MiniWiki": miniwiki()}
    if options.passages:
        sets["made-up"] = synthetic(options.passages)
    results = {}
    for name, (passages, queries) in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            made = systems(passages, queries, not options.no_reference, Path(folder))
            rates = measure(made, options.repetitions)
        title = f"{name}: {len(passages):,} passages, {len(queries)} queries"
        results[name] = report(title, rates)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": results}, indent=1))


if __name__ == "__main__":
    main()
