"""Searches per second of BM25: ours, bm25s called directly, rank-bm25, and tantivy if it is there.

    python benchmarks/search_speed.py                  # MiniWiki and 100,000 made-up passages
    python benchmarks/search_speed.py --passages       # MiniWiki alone
    python benchmarks/search_speed.py --passages 100000 1000000 --pyserini
    python benchmarks/search_speed.py --json speed.json

All index the same terms with their own default parameters, on one thread. With ``--pyserini`` bm25s
is there a second time (``bm25s lucene``), with the formula and parameters that pyserini has by
default: Lucene's, k1 0.9, b 0.4. Beyond 200,000 passages rank-bm25 is left out. A search of ours
starts from the text of the query and ends with passages and scores (``ours``; ``disk`` is the
engine whose postings stay there) or with row numbers (``ours, rows``). bm25s is called as its guide
says, with its numba backend: from text to row numbers (``bm25s``), and from terms that were
analysed beforehand (``bm25s, terms``: no analysis is counted, the hardest comparison for us).
rank-bm25 and tantivy (where ``pip install tantivy`` was done) get analysed terms too; tantivy gives
addresses of documents, from as many segments as it made.

The systems take turns, a repetition each, so that a change of the machine's load meets all; the
table shows medians over the repetitions, and the ratio is the median of the ratios within one.
Compiling and the first search are not counted. Close other programs first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from asl_env.corpora.passages import Passage

K = 5
SLOW_QUERIES = 10  # rank-bm25 takes about half a second per query on 100,000 passages
REFERENCE_PASSAGES = 200_000  # beyond that rank-bm25 would take longer than all others together
ANALYSER = "english"
#: The formula and parameters that pyserini searches with when nothing is said.
PYSERINI = {"method": "lucene", "k1": 0.9, "b": 0.4}

T = TypeVar("T")
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


def made(name: str, make: Callable[[], T]) -> T:
    """Makes something and says how long it took, and the peak of memory so far."""
    start = time.perf_counter()
    found = make()
    print(f"{name:22}made in {time.perf_counter() - start:8.1f} s, peak so far {peak():5.2f} GB")
    return found


def peak() -> float:
    """The most memory that this process ever had resident, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def analysed(passages: list[Passage], analyse: Callable[[str], list[str]]) -> list[list[str]]:
    """The terms of every passage; each term is one object, however often it occurs."""
    from asl_env.retrieval.bm25 import indexed_text

    one: dict[str, str] = {}
    return [
        [one.setdefault(term, term) for term in analyse(indexed_text(p)) or [""]] for p in passages
    ]


def our_systems(ours: Any, disk: Any, queries: list[str]) -> dict[str, System]:
    """Both engines of ours, one query at a time and all at once."""
    return {
        "ours": lambda: [ours.search([query], K) for query in queries],
        "ours, rows": lambda: [ours.rank([query], K) for query in queries],
        "disk": lambda: [disk.search([query], K) for query in queries],
        "disk, rows": lambda: [disk.rank([query], K) for query in queries],
        "ours, batch": lambda: ours.search(queries, K),
        "ours, rows, batch": lambda: ours.rank(queries, K),
        "disk, batch": lambda: disk.search(queries, K),
    }


def bm25s_systems(
    name: str, settings: dict[str, Any], texts: list[list[str]], terms: Any, queries: list[str]
) -> dict[str, System]:
    """bm25s with its numba backend, called as its guide says."""
    import bm25s
    import Stemmer

    from asl_env.retrieval.analyser import STOPWORDS

    stemmer, stopwords = Stemmer.Stemmer(ANALYSER), list(STOPWORDS)
    direct = bm25s.BM25(backend="numba", **settings)
    made(name, lambda: direct.index(texts, show_progress=False))

    def tokens(texts: Sequence[str]) -> Any:
        return bm25s.tokenize(
            list(texts), stopwords=stopwords, stemmer=stemmer, return_ids=False, show_progress=False
        )

    def retrieve(terms: Any) -> Any:
        return direct.retrieve(terms, k=K, show_progress=False)

    return {
        name: lambda: [retrieve(tokens([query])) for query in queries],
        f"{name}, terms": lambda: [retrieve([one]) for one in terms],
        f"{name}, batch": lambda: retrieve(tokens(queries)),
        f"{name}, terms, batch": lambda: retrieve(terms),
    }


def systems(
    passages: list[Passage], queries: list[str], options: argparse.Namespace, folder: Path
) -> dict[str, tuple[System, int]]:
    """Builds every system; returns what one repetition calls, and how many queries that is."""
    from asl_env.retrieval.bm25 import BM25Retriever
    from asl_env.retrieval.reference import RankBM25Retriever

    ours = made("ours", lambda: BM25Retriever.from_passages(passages, ANALYSER, compiled=True))
    disk = made("disk", lambda: on_disk(passages, folder / "ours"))
    found = our_systems(ours, disk, queries)
    texts = made("terms", lambda: analysed(passages, ours.analyser.terms))
    terms = [ours.analyser.terms(query) or [""] for query in queries]
    found |= bm25s_systems("bm25s", {"k1": 1.5, "b": 0.75}, texts, terms, queries)
    if options.pyserini:
        found |= bm25s_systems("bm25s lucene", PYSERINI, texts, terms, queries)
    if tantivy := made("tantivy", lambda: with_tantivy(texts, folder / "tantivy")):
        found["tantivy, terms"] = lambda: [tantivy(one) for one in terms]
    counted = {name: (run, len(queries)) for name, run in found.items()}
    if not options.no_reference and len(passages) <= REFERENCE_PASSAGES:
        slow = made("rank-bm25", lambda: RankBM25Retriever(passages, ANALYSER))
        few = queries[:SLOW_QUERIES]
        counted["rank-bm25, terms"] = (lambda: [slow.rank([query], K) for query in few], len(few))
    return counted


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
    for way in ("one by one", "batch"):
        rows[f"ours over the best other, {way}"] = _against_the_best(rates, way)
    return rows


def _against_the_best(rates: dict[str, list[float]], way: str) -> dict[str, float]:
    """Prints and returns the ratio of each engine of ours to the fastest of the others."""
    batch = way == "batch"
    alike = {name: rate for name, rate in rates.items() if name.endswith("batch") == batch}
    others = {name: rate for name, rate in alike.items() if not name.startswith(("ours", "disk"))}
    best = max(others, key=lambda name: statistics.median(others[name]))
    found = {}
    for name in ("ours, batch", "disk, batch") if batch else ("ours", "disk"):
        pairs = zip(alike[name], others[best], strict=True)
        found[name] = statistics.median(a / b for a, b in pairs)
    said = ", ".join(f"{name.partition(',')[0]} {ratio:.2f}" for name, ratio in found.items())
    print(f"{way}, over the best other ({best}): {said}")
    return found


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
    parser.add_argument(
        "--passages", type=int, nargs="*", default=[100_000], help="sizes of made-up corpora"
    )
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--no-reference", action="store_true", help="leave out rank-bm25")
    parser.add_argument("--pyserini", action="store_true", help="also Lucene's k1 0.9, b 0.4")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    options = parser.parse_args()
    about = machine()
    print(about)
    if (about["load"] or 0) > 0.5:
        print("warning: other programs are running; look at the ratios, not at the rates")
    results = {}
    for size in (None, *options.passages):
        passages, queries = miniwiki() if size is None else synthetic(size)
        name = "MiniWiki" if size is None else f"made-up {size}"
        title = f"{name}: {len(passages):,} passages, {len(queries)} queries"
        print(f"\n{title}")
        with tempfile.TemporaryDirectory() as folder:
            built = systems(passages, queries, options, Path(folder))
            rates = measure(built, options.repetitions)
            results[name] = report(title, rates)
            del built, passages  # before the next corpus is made
    about["peak_gb"] = peak()
    print(f"\npeak memory {about['peak_gb']:.2f} GB")
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "results": results}, indent=1))


if __name__ == "__main__":
    main()
