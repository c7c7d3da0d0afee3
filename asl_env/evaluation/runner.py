"""Evaluating an agent on questions: batched, reproducible, and resumable after a kill.

    tool = SearchTool(make_retriever("miniwiki"))
    result = evaluate(agent, load_tasks("miniwiki-2hop"), tool=tool)
    print(result.metrics["em"])

With a folder, every finished batch is on the disk before the next begins: ``settings.json`` says
what is evaluated, ``rows.jsonl`` has one line per question with the full trajectories,
``times.jsonl`` the wall time of each batch, and ``summary.json`` appears at the end. The same call
on the same folder goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from asl_env.dialects import make_dialect
from asl_env.episode import SCHEMA_VERSION, Claim, Task, Trajectory
from asl_env.errors import InvalidTaskError
from asl_env.evaluation.folder import EvalFolder, seconds_per_question
from asl_env.evaluation.results import EvalResult, summarise
from asl_env.evaluation.scoring import Row, score
from asl_env.play import Tool, play
from asl_env.protocols import Agent, Dialect
from asl_env.rewards.matching import METRIC_VERSION

#: Called after every batch with the number of finished questions and of all questions.
Progress = Callable[[int, int], None]


def evaluate(
    agent: Agent,
    tasks: Iterable[Task],
    *,
    tool: Tool,
    dialect: str | Dialect = "asl",
    judge: Agent | None = None,
    greedy: bool = True,
    seed: int = 0,
    max_turns: int = 9,
    batch_size: int = 64,
    timeout: float | None = None,
    folder: str | Path | None = None,
    about: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> EvalResult:
    """Plays the policy seat on every task and scores the answers.

    Args:
        agent: Who answers.
        tasks: The questions; ids must be distinct.
        tool: The search tool.
        dialect: Name or object.
        judge: Who judges the answers in the GRM seat, if anybody; adds the metric ``judged``.
        greedy: Take the most likely turn instead of sampling.
        seed: Of sampling agents; each question draws from its own stream of (seed, task id), so
            that neither the order nor the batch size changes a result.
        max_turns: Assistant turns per question at most.
        batch_size: Questions that are played together.
        timeout: Seconds that one call of an agent may take.
        folder: Where rows are kept; an interrupted evaluation goes on from there.
        about: Names of agent, corpus and so on for ``settings.json``.
        progress: Called after every batch.

    Returns:
        Rows in the order of the tasks, metrics with 95 % intervals, and counts.

    Raises:
        AgentError: If an agent misbehaved; finished questions stay in the folder.
        InvalidTaskError: If there is no task, or two tasks share an id.
        RunError: If the folder belongs to another evaluation.
    """
    wanted, grammar = _distinct(tasks), make_dialect(dialect)
    settings: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "metric_version": METRIC_VERSION,
        **(about or {}),
        "tasks_digest": _digest(wanted),
        "dialect": grammar.name,
        "judged": judge is not None,
        "greedy": greedy,
        "seed": seed,
        "max_turns": max_turns,
    }
    common: dict[str, Any] = {
        "tool": tool,
        "dialect": grammar,
        "greedy": greedy,
        "max_turns": max_turns,
        "timeout": timeout,
    }
    store = EvalFolder(Path(folder), settings, grammar) if folder is not None else None
    rows: list[Row] = store.rows if store else []
    left = wanted[len(rows) :]
    elapsed = 0.0
    for start in range(0, len(left), batch_size):
        began = perf_counter()
        fresh = _batch(agent, judge, left[start : start + batch_size], seed, common)
        rows.extend(fresh)
        elapsed += perf_counter() - began
        if store:
            store.append(fresh, perf_counter() - began)
        if progress:
            progress(len(rows), len(wanted))
    seconds = seconds_per_question(store.folder) if store else elapsed / len(wanted)
    result = summarise(rows, settings, seconds=seconds)
    if store:
        store.finish(result.to_json())
    return result


def _batch(
    agent: Agent, judge: Agent | None, tasks: Sequence[Task], seed: int, common: Mapping[str, Any]
) -> list[Row]:
    """Plays, judges and scores some questions together."""
    seeds = [task_seed(seed, task.id) for task in tasks]
    played = play(agent, tasks, seeds=seeds, **common)
    judgements = _judge(judge, tasks, played, seeds, common)
    return [
        score(task, episode, judgement, judge is not None, common["dialect"])
        for task, episode, judgement in zip(tasks, played, judgements, strict=True)
    ]


def task_seed(seed: int, task_id: str) -> int:
    """Returns the seed of a question: a hash of the evaluation's seed and the task's id."""
    digest = hashlib.blake2b(f"{seed}\n{task_id}".encode(errors="surrogatepass"), digest_size=6)
    return int.from_bytes(digest.digest(), "big")


def _judge(
    judge: Agent | None,
    tasks: Sequence[Task],
    played: Sequence[Trajectory],
    seeds: Sequence[int],
    common: Mapping[str, Any],
) -> list[Trajectory | None]:
    """Asks the judge about every valid episode that has an answer, all in one batch."""
    judgements: list[Trajectory | None] = [None] * len(tasks)
    if judge is None:
        return judgements
    asked = [
        at
        for at, episode in enumerate(played)
        if episode.answer is not None and episode.invalid is None
    ]
    claims = [Claim(tasks[at].id, tasks[at].question, str(played[at].answer)) for at in asked]
    verdicts = play(judge, claims, seeds=[seeds[at] for at in asked], **common) if asked else []
    for at, verdict in zip(asked, verdicts, strict=True):
        judgements[at] = verdict
    return judgements


def _distinct(tasks: Iterable[Task]) -> list[Task]:
    wanted = list(tasks)
    seen: set[str] = set()
    for task in wanted:
        if task.id in seen:
            raise InvalidTaskError(f"two tasks have the id {task.id!r}; ids must be distinct")
        seen.add(task.id)
    if not wanted:
        raise InvalidTaskError("there is no task to evaluate")
    return wanted


def _digest(tasks: Sequence[Task]) -> str:
    parts = [[task.id, task.question, *task.answers] for task in tasks]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
