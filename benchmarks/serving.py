"""Queries per second through the search server, with the same load on any server beside it.

    python benchmarks/serving.py                               # ours over MiniWiki
    python benchmarks/serving.py --serve indexes/mine --workers 4
    python benchmarks/serving.py --beside http://10.0.0.7:8000 # and another, such as Search-R1's
    python benchmarks/serving.py --seconds 2 --json serving.json

``benchmarks/rival_server.py`` prepares Search-R1's server over the passages and
vectors of an index.

Two loads, each from 64 keep-alive connections or fewer: ``single`` is 64 clients that each send one
query per request and wait for the reply, as environments do that step one by one; ``batched`` is
four clients with 64 queries per request, as vector environments do. No query is sent twice, and our
server runs without its cache. Requests are Search-R1's own form; every reply is read to the last
byte, and one whose number of results is wrong ends the benchmark. Beforehand 256 questions are
asked of every server: ``same passages`` is the share of our passages that the other one found too.

The load comes from threads of this process, which shares the machine with the server: what is
reported is a lower bound. The servers take turns, ``--repeats`` times; the table shows medians of
queries per second, and latencies over all requests.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from asl_env.retrieval.http import HttpRetriever
from asl_env.retrieval.remote.failure import PeerError
from asl_env.retrieval.remote.transport import Transport

LOADS = {"single": (64, 1), "batched": (4, 64)}
TOP_K = 3
#: Our BM25 compiles its scorer after a thousand queries.
WARM_UP = 1_500
#: Questions for which the passages of two servers are compared.
COMPARED = 256
ASL = "from asl_env.agents.cli.main import main; main()"


def texts() -> list[str]:
    """Questions of MiniWiki's evaluation sets."""
    from asl_env.corpora.miniwiki import evalsets

    names = ("miniwiki-1hop", "miniwiki-2hop", "miniwiki-3hop", "miniwiki-compare")
    return [record.question for name in names for record in evalsets.load(name)]


@contextmanager
def served(what: str, workers: int, precision: str) -> Iterator[str]:
    """Runs ``asl serve`` and yields its address."""
    command = [sys.executable, "-c", ASL, "serve", what, "--port", "0", "--json"]
    command += ["--workers", str(workers), "--cache", "0", "--precision", precision]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = "".join(itertools.takewhile(lambda line: line != "}\n", process.stdout))
            if not said:
                raise SystemExit("asl serve did not start; its message is above")
            yield json.loads(said + "}")["url"]
        finally:
            process.terminate()


def drive(
    url: str, clients: int, per_request: int, seconds: float, numbers: Iterator[int]
) -> tuple[float, list[float]]:
    """Loads a server.

    Returns:
        Queries per second, and the seconds of each request.
    """
    questions = texts()
    transport = Transport(HttpRetriever(url).urls[0], 60.0, 2**26, clients)
    taken: list[float] = []
    wrong: list[str] = []
    until = time.perf_counter() + seconds

    def client() -> None:
        while time.perf_counter() < until and not wrong:
            asked = [f"{questions[n % len(questions)]} {n}" for n in next_numbers(per_request)]
            body = json.dumps({"queries": asked, "topk": TOP_K, "return_scores": True}).encode()
            started = time.perf_counter()
            try:
                reply = transport.post(body, {"Content-Type": "application/json"})
            except PeerError as error:
                wrong.append(f"{url}: {error}")
                return
            taken.append(time.perf_counter() - started)
            if reply.status != 200 or len(json.loads(reply.body)["result"]) != per_request:
                wrong.append(f"{url}: status {reply.status}: {reply.body[:200]!r}")

    lock = threading.Lock()

    def next_numbers(count: int) -> list[int]:
        with lock:
            return list(itertools.islice(numbers, count))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit(wrong[0])
    return len(taken) * per_request / (time.perf_counter() - started), taken


def warm_up(url: str, numbers: Iterator[int]) -> None:
    """Sends enough queries for a server to compile and open whatever it does not at once."""
    retriever = HttpRetriever(url, concurrency=1)
    retriever.search([f"warm up {n}" for n in itertools.islice(numbers, WARM_UP)], TOP_K)


def agreement(ours: str, other: str) -> float:
    """The share of the passages of one server that another one finds for the same questions."""
    asked = texts()[:: max(1, len(texts()) // COMPARED)][:COMPARED]
    found = [HttpRetriever(url, concurrency=1).search(asked, TOP_K) for url in (ours, other)]
    same = [
        len({hit.passage.contents for hit in mine} & {hit.passage.contents for hit in theirs})
        for mine, theirs in zip(*found, strict=True)
    ]
    return sum(same) / sum(len(hits) for hits in found[0])


def main() -> None:
    """Runs both loads on all servers and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", default="miniwiki", help="what our server serves")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--precision", default="float32", help="of our encoder, if there is one")
    parser.add_argument("--beside", action="append", default=[], help="address of another server")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the numbers to a file")
    arguments = parser.parse_args()
    ours_is = (arguments.serve, arguments.workers, arguments.precision)
    rows: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    numbers = itertools.count()
    with ExitStack() as stack:
        ours = stack.enter_context(served(*ours_is))
        for url in (ours, *arguments.beside):
            warm_up(url, numbers)
        same = {url: agreement(ours, url) for url in arguments.beside}
        for load, (clients, per_request) in LOADS.items():
            for _ in range(arguments.repeats):
                for url in (ours, *arguments.beside):
                    speed, taken = drive(url, clients, per_request, arguments.seconds, numbers)
                    row = rows.setdefault((load, "ours" if url == ours else url), ([], []))
                    row[0].append(speed)
                    row[1].extend(taken)
    found = [_row(load, who, *values) for (load, who), values in rows.items()]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    what = f"{arguments.serve}, {arguments.precision}, {arguments.workers} worker(s)"
    print(f"{machine}; {what}, top {TOP_K}")
    for url, share in same.items():
        print(f"same passages: {share:.2f} ({url})")
    for row in found:
        print(
            f"{row['load']:8} {row['server']:30} {row['queries_per_s']:9,.0f} queries/s"
            f"   p50 {row['p50_ms']:8.1f} ms   p99 {row['p99_ms']:8.1f} ms"
        )
    if arguments.json:
        facts = {"machine": machine, "serves": what, "same_passages": same, "rows": found}
        arguments.json.write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _row(load: str, who: str, speeds: list[float], taken: list[float]) -> dict[str, Any]:
    p50, p99 = np.percentile(np.array(taken) * 1e3, [50, 99])
    return {
        "load": load,
        "server": who,
        "queries_per_s": statistics.median(speeds),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "requests": len(taken),
    }


if __name__ == "__main__":
    main()
