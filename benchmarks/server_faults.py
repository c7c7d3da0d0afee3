"""Kills and restarts the search server while environments play; no observation may be wrong.

    python benchmarks/server_faults.py                    # 20 kills, 32 environments
    python benchmarks/server_faults.py --kills 2 --retries 0 --down 1

Thirty-two ``ASLSearch-v0`` environments, a thread each, play episodes of four searches through one
``HttpRetriever`` at ``asl serve`` over a file of passages. Meanwhile the server process is killed
(SIGKILL) and started again at the same port, over and over. Every observation is compared with
what the same index, opened in this process, finds for the query; the searched names are unique, so
an answer to another query would show. An episode whose search failed after the retries must be
truncated and invalid. The exit code is 1 if one observation is wrong or one failure is not marked.

With the default retries a client outlives a restart, so few episodes are invalid; ``--retries 0``
shows how it looks when it does not.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import gymnasium as gym

import asl_env  # noqa: F401 - registers the environments
from asl_env.corpora.catalog import open_corpus
from asl_env.dialects import make_dialect
from asl_env.episode import Task
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.http import HttpRetriever
from asl_env.tool import SearchTool

DIALECT = make_dialect("asl")
ASL = "from asl_env.agents.cli.main import main; main()"
SEARCHES = 4
PASSAGES = 500


class Service:
    """The server process, which can be killed and started again at its port."""

    def __init__(self, corpus: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._corpus = corpus
        self.start()

    def start(self) -> None:
        """Starts the server and waits until it serves."""
        command = [sys.executable, "-c", ASL, "serve", str(self._corpus)]
        command += ["--port", str(self.port), "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if not any(line == "}\n" for line in self._process.stdout):
            raise SystemExit("asl serve did not start; its message is above")

    def kill(self) -> None:
        """Ends it as a crash would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Players:
    """Environments that play until they are told to stop.

    Attributes:
        counts: Episodes, invalid episodes, searches, and everything that must not happen.
    """

    def __init__(self, count: int, retriever: HttpRetriever, truth: BM25Retriever) -> None:
        self.counts: Counter[str] = Counter()
        self._truth = SearchTool(truth)
        self._tool = SearchTool(retriever, cache_size=0)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._play, args=(n,)) for n in range(count)]

    def start(self) -> None:
        """Lets them play."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets them end the episodes they are in."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _play(self, number: int) -> None:
        env = gym.make("ASLSearch-v0", tool=self._tool)
        for episode in itertools.count():
            if self._stop.is_set():
                return
            task = Task(f"{number}-{episode}", "Where do the towns lie?", ("nowhere",))
            env.reset(seed=episode, options={"task": task})
            found = self._episode(env, number * 7919 + episode * SEARCHES)
            with self._lock:
                self.counts.update(found)

    def _episode(self, env: gym.Env, start: int) -> Counter[str]:
        found = Counter({"episodes": 1})
        for step in range(SEARCHES):
            turn = DIALECT.write_search(f"Town {(start + step) % PASSAGES}")
            observation, _, terminated, truncated, info = env.step(turn)
            found["searches"] += 1
            if terminated or truncated:
                marked = truncated and "search" in str(info.get("invalid"))
                found["invalid" if marked else "unmarked failures"] += 1
                return found
            if observation != self._expected(turn):
                found["wrong observations"] += 1
        env.step(DIALECT.write_final("nowhere"))
        return found

    def _expected(self, turn: str) -> str:
        from asl_env.episode import Role

        calls = DIALECT.parse(turn, Role.POLICY).calls
        [message] = DIALECT.render_results(self._truth.run(calls))
        return message["content"]


def main() -> int:
    """Plays, kills, reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--environments", type=int, default=32)
    parser.add_argument("--up", type=float, default=3.0, help="seconds between start and kill")
    parser.add_argument("--down", type=float, default=0.5, help="seconds between kill and start")
    parser.add_argument("--retries", type=int, default=6, help="of the client")
    parser.add_argument("--json", type=Path, help="also write the numbers to a file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "towns.jsonl"
        rows = [
            {"id": str(n), "title": f"Town {n}", "text": f"Town {n} lies on river {n % 7}."}
            for n in range(PASSAGES)
        ]
        corpus.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
        truth = BM25Retriever.from_passages(open_corpus(corpus).passages())
        service = Service(corpus)
        retriever = HttpRetriever(f"http://127.0.0.1:{service.port}", retries=arguments.retries)
        players = Players(arguments.environments, retriever, truth)
        players.start()
        try:
            for _ in range(arguments.kills):
                time.sleep(arguments.up)
                service.kill()
                time.sleep(arguments.down)
                service.start()
            time.sleep(arguments.up)
        finally:
            players.stop()
            service.kill()
    report = {"kills": arguments.kills, "wrong observations": 0, "unmarked failures": 0}
    report |= {"invalid": 0} | dict(players.counts)
    print(json.dumps(report, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2), encoding="utf-8")
    return int(report["wrong observations"] + report["unmarked failures"] > 0)


if __name__ == "__main__":
    sys.exit(main())
