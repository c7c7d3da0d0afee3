"""``asl serve`` from the outside: what it opens, says, and ends with."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from asl_env.agents.cli.main import main
from asl_env.agents.cli.serve import open_served
from asl_env.corpora.passages import Passage
from asl_env.retrieval.http import HttpRetriever
from asl_env.retrieval.index import build_index
from asl_env.retrieval.sharded import ShardedRetriever

TOWNS = [Passage(str(n), f"Town {n}", f"Town {n} lies on river {n % 7}.") for n in range(30)]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    build_index(TOWNS, tmp_path / "towns")
    return tmp_path / "towns"


@contextmanager
def serving(*words: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Runs the command until it says where it listens."""
    program = "from asl_env.agents.cli.main import main; main()"
    command = [sys.executable, "-c", program, "serve", *map(str, words), "--port", "0", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            said = "".join(itertools.takewhile(lambda line: line != "}\n", process.stdout))
            assert said, process.communicate()[1]
            yield process, json.loads(said + "}")
        finally:
            process.kill()


def test_several_folders_are_the_shards_of_one_index(tmp_path: Path) -> None:
    build_index(TOWNS[:15], tmp_path / "a", kind="faiss-flat")
    build_index(TOWNS[15:], tmp_path / "b", kind="faiss-flat")
    build_index(TOWNS, tmp_path / "whole", kind="faiss-flat")
    sharded = open_served((str(tmp_path / "a"), str(tmp_path / "b")))
    whole = open_served((str(tmp_path / "whole"),))
    assert isinstance(sharded, ShardedRetriever)
    queries = ["Town 3", "Town 22", "river 4"]
    assert sharded.search(queries, 5) == whole.search(queries, 5)


def test_workers_can_be_handed_the_opener() -> None:
    assert pickle.loads(pickle.dumps(open_served)) is open_served


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "unknown retriever 'nowhere'"),
        (["null", "--top-k", "9", "--max-top-k", "5"], "top_k=9 is more than max_top_k=5"),
        (["null", "--precision", "bfloat16"], "--precision goes with index folders; null is none"),
        (["null", "--token-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (["null", "--host", "no-such-host.invalid"], "cannot listen at no-such-host.invalid"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", *words])
    assert caught.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("asl: ")
    assert says in last


@pytest.mark.slow
def test_it_serves_an_index_and_ends_well(index: Path) -> None:
    with serving(index) as (process, said):
        found = HttpRetriever(said["url"]).search(["Town 17"], 3)
        assert found[0][0].passage == TOWNS[17]
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    with serving(index) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="workers are killed by signals")
def test_workers_share_the_port_and_come_back(index: Path) -> None:
    with serving(index, "--workers", 2) as (process, said):
        retriever = HttpRetriever(said["url"], retries=8)
        for n in range(30):
            assert retriever.search([f"Town {n}"], 1)[0][0].passage == TOWNS[n]
        stats = requests.get(f"{said['url']}/stats", timeout=60).json()
        assert stats["workers"] == 2
        assert stats["requests"] >= 30
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if children.exists():
            for child in children.read_text().split():
                command = Path(f"/proc/{child}/cmdline").read_text()
                if "spawn_main" in command:
                    os.kill(int(child), signal.SIGKILL)
        for n in range(30):
            assert retriever.search([f"Town {n}"], 1)[0][0].passage == TOWNS[n]
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0


@pytest.mark.slow
def test_a_server_that_is_killed_makes_no_wrong_observation() -> None:
    script = Path(__file__).resolve().parents[3] / "benchmarks" / "server_faults.py"
    words = ["--kills", "2", "--environments", "4", "--up", "1", "--retries", "1"]
    done = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["wrong observations"] == report["unmarked failures"] == 0
    assert report["episodes"] > report["invalid"]
