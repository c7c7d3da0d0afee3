"""BM25 over millions of passages: what building, opening and searching an index costs.

    python benchmarks/scale.py work --passages 100000
    python benchmarks/scale.py work --passages 21000000 --memory 6GB --json scale.json

``work`` is a folder for the passage store and the index; run the same command again after an
interruption, and what is finished is not made again (its time is then not reported).

The passages are made up, block by block from seeded generators, never all in memory. A word is an
English stopword (42 %), one of 50,000 common words by Zipf's law (52 %), or a rare word whose rank
follows a Pareto law with density r^-1.7, so that the vocabulary grows with the 0.59th power of the
text (Heaps' law), to about ten million words for 21 million passages; a fifth of the words repeat
one of the same passage. A query has 6 to 15 words: half of them stopwords, the rest from one
passage, common words more often than rare ones. Made-up text has no grammar, and no two words that
belong together: take the times as those of this text, not of Wikipedia's.

Every stage runs in a process of its own. Memory is sampled five times a second over that process
and its children: ``resident`` counts pages of mapped files (which the system takes back when it
needs them), ``private`` does not. The disk is looked at every two seconds: everything in ``work``,
with what is removed at the end. Needs Linux. Close other programs first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage

WORDS, BLOCK = 100, 5_000
COMMON = 50_000
SHARES = (0.42, 0.94)  # up to here a stopword, up to here a common word
TAIL = 1.7
K = 5


class Text:
    """Made-up text.

    Args:
        seed: Other seeds give other text.
    """

    def __init__(self, seed: int = 0) -> None:
        from asl_env.retrieval.analyser import STOPWORDS

        self.seed = seed
        stop = sorted(STOPWORDS, key=lambda word: (len(word), word))
        self.stop = len(stop)
        self.words = np.array([*stop, *(f"w{n}" for n in range(COMMON))], dtype=object)
        self.laws = [_zipf(len(stop)), _zipf(COMMON)]

    def ids(self, block: int) -> NDArray[np.int64]:
        """Numbers of the words of a block of passages: shape ``[BLOCK, WORDS + 2]``."""
        rng = np.random.default_rng([self.seed, block])
        shape = (BLOCK, WORDS + 2)  # two for the title
        kind, place = rng.random(shape), rng.random(shape)
        rare = COMMON * np.maximum(1.0 - place, 1e-12) ** (-1.0 / (TAIL - 1.0))
        ids = self.stop + np.minimum(rare, 1e15).astype(np.int64)
        for number, (low, high) in enumerate(((0.0, SHARES[0]), SHARES)):
            here = (kind >= low) & (kind < high)
            ids[here] = number * self.stop + np.searchsorted(self.laws[number], place[here])
        again = rng.random(shape) < 0.2
        other = rng.integers(0, WORDS + 2, shape)
        return np.where(again, np.take_along_axis(ids, other, axis=1), ids)

    def passages(self, count: int) -> Iterator[Passage]:
        """Yields ``count`` passages."""
        for block in range(-(-count // BLOCK)):
            for row, words in enumerate(self._spelled(self.ids(block))):
                number = block * BLOCK + row
                if number == count:
                    return
                yield Passage(str(number), " ".join(words[:2]), " ".join(words[2:]))

    def queries(self, count: int, passages: int) -> list[str]:
        """Draws queries in the shape of real questions about one passage each."""
        rng = np.random.default_rng([self.seed, 1 << 40])
        blocks = rng.integers(0, max(1, passages // BLOCK), -(-count // 50))
        found = []
        for block in blocks.tolist():
            ids = self.ids(block)[: min(BLOCK, passages)]
            for row in rng.integers(0, len(ids), 50).tolist():
                length = int(rng.integers(6, 16))
                content = np.unique(ids[row][ids[row] >= self.stop])
                chances = 1.0 / np.sqrt(content)
                some = rng.choice(
                    content, min(len(content), length // 2), False, chances / chances.sum()
                )
                stop = np.searchsorted(self.laws[0], rng.random(length - len(some)))
                words = rng.permutation(np.concatenate([some, stop]))
                found.append(" ".join(self._spelled(words[None])[0]))
        return found[:count]

    def _spelled(self, ids: NDArray[np.int64]) -> list[list[str]]:
        known = np.minimum(ids, len(self.words) - 1)
        spelled = self.words[known]
        rows, columns = np.nonzero(ids >= len(self.words))
        spelled[rows, columns] = [f"r{n}" for n in ids[rows, columns].tolist()]
        return spelled.tolist()


def _zipf(count: int) -> NDArray[np.float64]:
    """Cumulative shares of ``count`` words by the law of Zipf and Mandelbrot."""
    share = 1.0 / (np.arange(count) + 2.7)
    return np.cumsum(share / share.sum())[:-1]


def store(options: argparse.Namespace) -> dict[str, Any]:
    """Writes the passage store."""
    from asl_env.corpora.writer import write_store

    made = write_store(
        options.folder / "store",
        Text().passages(options.passages),
        name="made-up",
        compression=options.compress,
        overwrite=True,
    )
    return {"text_bytes": made.text_bytes, "digest": made.digest}


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Builds the index of it."""
    from asl_env.retrieval.index import build_index

    last = [time.monotonic()]

    def tell(stage: str, done: int, total: int | None) -> None:
        if time.monotonic() - last[0] > 30:
            last[0] = time.monotonic()
            print(f"  {stage}: {done:,} of {total or 0:,}", file=sys.stderr, flush=True)

    info = build_index(
        options.folder / "store",
        options.folder / "index",
        kind=options.kind,
        memory=options.memory,
        workers=options.workers,
        overwrite=True,
        progress=tell,
    )
    sizes = {name: facts["bytes"] for name, facts in info.files.items()}
    return {
        "engine": info.engine,
        "bm25_bytes": sum(size for name, size in sizes.items() if name.startswith("bm25/")),
        "files": sizes,
    }


def search(options: argparse.Namespace) -> dict[str, Any]:
    """Opens the index and searches it."""
    extra, *queries = Text().queries(options.queries + 1, options.passages)
    from asl_env.retrieval.index import open_index

    start = time.perf_counter()
    index = open_index(options.folder / "index")
    opened = time.perf_counter() - start
    found: dict[str, Any] = {"open_s": opened, "queries": len(queries)}
    start = time.perf_counter()
    index.search([extra], K)
    found["first_search_s"] = time.perf_counter() - start
    for name in ("fresh", "warm"):
        taken, hits = [], 0
        for query in queries:
            start = time.perf_counter()
            [answer] = index.search([query], K)
            taken.append(time.perf_counter() - start)
            hits += len(answer)
        found[name] = {
            "per_s": len(queries) / sum(taken),
            **{f"p{q}_ms": 1e3 * float(np.percentile(taken, q)) for q in (50, 90, 99, 100)},
            "hits": hits,
        }
    start = time.perf_counter()
    for first in range(0, len(queries), 64):
        index.search(queries[first : first + 64], K)
    found["batches_per_s"] = len(queries) / (time.perf_counter() - start)
    return found


STAGES = {"store": store, "build": build, "search": search}


def memory_of(pid: int) -> tuple[int, int]:
    """Resident and private bytes of a process and its children."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    family, size = {pid}, 0
    while len(family) > size:
        size = len(family)
        family |= {child for child, parent in parents.items() if parent in family}
    totals = [0, 0]
    for member in family:
        try:
            lines = Path(f"/proc/{member}/status").read_text().splitlines()
        except OSError:
            continue
        facts = dict(line.split(":", 1) for line in lines)
        for at, key in enumerate(("VmRSS", "RssAnon")):
            totals[at] += 1024 * int(facts.get(key, "0 kB").split()[0])
    return totals[0], totals[1]


def disk_of(folder: Path) -> int:
    """Bytes that the files of a folder take; those with several names count once."""
    sizes: dict[int, int] = {}
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                about = (Path(base) / name).stat()
            except OSError:  # work that was just finished
                continue
            sizes[about.st_ino] = about.st_size
    return sum(sizes.values())


def run_stage(stage: str, arguments: list[str], folder: Path) -> dict[str, Any]:
    """Runs a stage in a process of its own, and watches its memory."""
    result = folder / f"{stage}.json"
    result.unlink(missing_ok=True)
    start = time.monotonic()
    running = subprocess.Popen([sys.executable, __file__, *arguments, "--stage", stage])
    peaks, disk, looks = [0, 0], 0, 0
    while running.poll() is None:
        peaks = [max(pair) for pair in zip(peaks, memory_of(running.pid), strict=True)]
        if looks % 10 == 0:
            disk = max(disk, disk_of(folder))
        looks += 1
        time.sleep(0.2)
    if running.returncode:
        raise SystemExit(f"{stage}: exit code {running.returncode}; run it again to go on")
    about = {"seconds": time.monotonic() - start, "resident": peaks[0], "private": peaks[1]}
    about |= {"disk": max(disk, disk_of(folder))}
    about |= json.loads(result.read_text())
    result.write_text(json.dumps(about))
    return about


def is_made(folder: Path, passages: int) -> bool:
    """Whether the index is there, of this many passages."""
    from asl_env.errors import AslError
    from asl_env.retrieval.index import index_info

    try:
        return index_info(folder / "index").passages == passages
    except AslError:
        return False


def report(results: dict[str, dict[str, Any]]) -> None:
    """Prints what was measured."""
    for stage, about in results.items():
        if "seconds" in about:
            print(
                f"{stage}: {about['seconds']:,.0f} s, peak {about['resident'] / 1e9:.2f} GB "
                f"resident, {about['private'] / 1e9:.2f} GB private, "
                f"{about['disk'] / 1e9:.2f} GB on the disk"
            )
    made, found = results["build"], results["search"]
    text, bm25 = results["store"]["text_bytes"] / 1e9, made["bm25_bytes"] / 1e9
    print(f"text {text:.2f} GB, BM25 ({made['engine']}) {bm25:.2f} GB")
    print(f"opened in {found['open_s']:.3f} s, first search after {found['first_search_s']:.2f} s")
    for name in ("fresh", "warm"):
        one = found[name]
        print(
            f"one by one, {name}: {one['per_s']:,.0f}/s, p50 {one['p50_ms']:.2f} ms, "
            f"p99 {one['p99_ms']:.2f} ms, slowest {one['p100_ms']:.1f} ms"
        )
    print(f"batches of 64: {found['batches_per_s']:,.0f}/s")


def main() -> None:
    """Runs the benchmark, or one stage of it."""
    parser = argparse.ArgumentParser(description="BM25 over millions of passages.")
    parser.add_argument("folder", type=Path, help="for the store and the index")
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kind", default="bm25-disk", choices=("bm25", "bm25-disk"))
    parser.add_argument("--compress", default="zlib", choices=("none", "zlib"))
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    parser.add_argument("--stage", choices=tuple(STAGES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        about = STAGES[options.stage](options)
        (options.folder / f"{options.stage}.json").write_text(json.dumps(about))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: other programs are running (load {load:.1f})")
    results = {}
    for stage in STAGES:
        saved = options.folder / f"{stage}.json"
        done = is_made(options.folder, options.passages) if stage == "build" else False
        if stage == "store":
            done = _has_store(options)
        if done and saved.is_file():
            results[stage] = json.loads(saved.read_text())
            print(f"{stage}: made before")
        else:
            results[stage] = run_stage(stage, sys.argv[1:], options.folder)
    report(results)
    if options.json:
        about = {"passages": options.passages, "cores": os.cpu_count(), "load": load}
        options.json.write_text(json.dumps({**about, **results}, indent=1))


def _has_store(options: argparse.Namespace) -> bool:
    from asl_env.corpora.store import PassageStore, is_store

    folder = options.folder / "store"
    return is_store(folder) and len(PassageStore(folder)) == options.passages


if __name__ == "__main__":
    main()
