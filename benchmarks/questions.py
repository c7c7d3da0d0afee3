"""Agents on real questions over real Wikipedia paragraphs, as ``asl eval`` measures them.

    python benchmarks/questions.py --data DIR
    python benchmarks/questions.py --data DIR --candidates runs/real --nano runs/asl-nano-1
    python benchmarks/questions.py --data DIR --limit 20       # a trial; writes no committed result
    python benchmarks/questions.py --table                     # draws the tables again

``DIR`` holds ``passages.jsonl`` and the files of ``question_sets.FILES``. Every evaluation is an
ordinary folder of ``asl eval`` under ``--out``: the same command goes on where it was killed.
Scores go to ``benchmarks/results/questions``, without questions, answers or passages.
``hotpotqa-dev`` is a test set: nothing is tuned on it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from question_results import Results, record_of
from question_sets import FILES, PASSAGES, Asked, Evidence, ask, load_sets
from question_tables import tables

from asl_env.agents.cli.searching import index_digest, open_retriever
from asl_env.agents.coevolution.lock import locked
from asl_env.agents.coevolution.runfolder import RunFolder
from asl_env.agents.loading import load_agent
from asl_env.corpora.catalog import open_corpus
from asl_env.errors import AgentError, AslError
from asl_env.evaluation import evaluate
from asl_env.evaluation.spec import EvalSpec, load_spec
from asl_env.protocols import Agent, Retriever

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "questions"
SCRIPTED, UNTRAINED = ("random", "lexical"), ("candidates", "nano")
#: Classes of the agents that can be trained.
KINDS = {"candidates": "CandidatesLearner", "nano": "LanguageModelAgent"}


@dataclass(frozen=True)
class Player:
    """An agent that is measured.

    Attributes:
        label: In tables and file names.
        name: As ``asl eval --agent`` takes it.
        about: What a reader must know of it; of a run its recipe, corpus, seed and rounds.
        dialects: Those it can be asked in; ``None`` for all.
    """

    label: str
    name: str
    about: Mapping[str, Any]
    dialects: tuple[str, ...] | None = None

    def check(self, agent: Agent) -> None:
        """Refuses a run of another kind of agent than the option says.

        Raises:
            AgentError: If it is of another kind.
        """
        option, kind = self.label.partition("-")[0], type(agent).__name__
        wanted = KINDS.get(option, kind)
        if kind != wanted:
            raise AgentError(f"--{option} {self.name}: is a {kind}, not a {wanted}; give another")


def players(arguments: argparse.Namespace) -> Iterator[Player]:
    """The agents of the command line, the quick ones first."""
    runs = {"candidates": arguments.candidates, "nano": arguments.nano}
    for name in arguments.agents:
        # Nano models have learned one dialect only.
        dialects = ("asl",) if name == "nano" else None
        yield Player(name, name, {"agent": name}, dialects)
        run = runs.get(name)
        if run is not None:
            yield Player(f"{name}-trained", str(run), trained(run), dialects)


def trained(run: Path) -> dict[str, Any]:
    """How a run was trained; its folder's name stays out of the results."""
    folder = RunFolder(run)
    if not folder.begun:
        return {"agent": "checkpoint", "weights": digest(run)}
    config, state = folder.config(), folder.peek_state()
    if state is None:
        raise AgentError(f"{run}: has no checkpoint yet; let it finish a chunk")
    recipe = config.get("recipe", {})
    return {
        "agent": "run",
        "recipe": recipe.get("name"),
        "corpus": config.get("corpus"),
        "seed": config.get("seed"),
        "labelled": recipe.get("solve", {}).get("tasks"),
        "checkpoint": state["checkpoint"],
        "weights": digest(folder.checkpoint(state["checkpoint"])),
    }


def digest(folder: Path) -> str:
    """Tells two checkpoints apart: of the names and contents of all files in a folder."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


class Bench:
    """Measures agents on sets, one folder each.

    Args:
        data: Folder of passages and questions.
        out: Folder of the evaluations.
        results: Where scores are written.
        limit: Questions of each set at most.
    """

    def __init__(self, data: Path, out: Path, results: Results, limit: int | None) -> None:
        passages = data / PASSAGES
        self._retriever: Retriever = open_retriever(str(passages))
        self._digest = index_digest(str(passages))
        self._evidence = Evidence(open_corpus(passages).passages())
        self._data, self._out, self._results, self._limit = data, out, results, limit

    def sets(self, names: Sequence[str]) -> list[Asked]:
        """What is asked; tells the results of it."""
        found = []
        for one in load_sets(self._data, names):
            for line in one.report.lines():
                print(f"{one.name}: left out {line}", file=sys.stderr)
            asked = ask(one, self._evidence, self._limit)
            self._results.write_set(asked, self._evidence.count)
            if asked.tasks:
                found.append(asked)
            else:
                print(f"{one.name}: nothing can be asked over these passages", file=sys.stderr)
        if not found:
            raise AslError(f"nothing of {', '.join(names)} can be asked over these passages")
        return found

    def measure(self, player: Player, spec: EvalSpec, asked: Sequence[Asked]) -> None:
        """Evaluates one agent on all sets."""
        agent: Agent = load_agent(player.name, dialect=spec.dialect)
        player.check(agent)
        tool = spec.tool(self._retriever)
        # One question that does not count: compiling and first allocations are no part of the time.
        evaluate(agent, asked[0].tasks[:1], tool=tool, **spec.arguments())
        for one in asked:
            folder = self._out / spec.name / one.name / player.label
            folder.mkdir(parents=True, exist_ok=True)
            about = {**player.about, "tasks": one.name, "index_digest": self._digest}
            with locked(folder / ".lock"):
                result = evaluate(
                    agent,
                    one.tasks,
                    tool=tool,
                    folder=folder,
                    about=about | spec.record(),
                    **spec.arguments(),
                )
            self._results.write(spec.name, one.name, player.label, record_of(result))
            print(
                f"{spec.name} {one.name} {player.label}: em {result.metrics['em']}, "
                f"{result.seconds or 0:.3f} s a question",
                file=sys.stderr,
                flush=True,
            )


def count(text: str) -> int:
    """A number of questions, at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of questions")
    return int(text)


def main() -> None:
    """Measures what is not yet measured, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of passages and questions")
    parser.add_argument("--sets", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument(
        "--agents", nargs="+", choices=SCRIPTED + UNTRAINED, default=[*SCRIPTED, *UNTRAINED]
    )
    parser.add_argument("--candidates", type=Path, metavar="RUN", help="a trained one beside it")
    parser.add_argument("--nano", type=Path, metavar="RUN", help="a trained one beside it")
    parser.add_argument("--spec", nargs="+", default=["asl-v1"], help="names or YAML files")
    parser.add_argument("--limit", type=count, help="questions of each set; makes it a trial")
    parser.add_argument("--out", type=Path, help="folder of the evaluations")
    parser.add_argument("--results", type=Path, help="folder of scores")
    parser.add_argument("--table", action="store_true", help="print the tables and stop")
    arguments = parser.parse_args()
    # A trial asks other questions: in a folder of its own it is in nobody's way.
    usual = "questions" if arguments.limit is None else f"questions-{arguments.limit}"
    out = arguments.out or Path("runs") / usual
    folder = arguments.results or (RESULTS if arguments.limit is None else out / "results")
    results = Results(folder)
    if not arguments.table:
        if arguments.data is None:
            parser.error("--data DIR is missing: the folder of passages.jsonl and the questions")
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        bench = Bench(arguments.data, out, results, arguments.limit)
        asked = bench.sets(arguments.sets)
        for player in players(arguments):
            for spec in map(load_spec, arguments.spec):
                if player.dialects is None or spec.dialect in player.dialects:
                    bench.measure(player, spec, asked)
    print(tables(results))


if __name__ == "__main__":
    try:
        main()
    except AslError as error:
        raise SystemExit(f"questions: {error}") from error
