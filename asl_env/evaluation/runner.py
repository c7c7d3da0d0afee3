"""Evaluating an agent on questions: batched, reproducible, and resumable after a kill.

    tool = SearchTool(make_retriever("miniwiki"))
    result = evaluate(agent, load_tasks("miniwiki-2hop"), tool=tool)
    print(result.metrics["em"])

With a folder, every finished batch is on the disk before the next begins: ``settings.json`` says
what is evaluated, ``rows.jsonl`` has one line per question with the full trajectories, and
``summary.json`` appears at the end. The same call on the same folder goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asl_env.episode import SCHEMA_VERSION, Claim, Task, Trajectory
from asl_env.errors import InvalidTaskError, RunError
from asl_env.evaluation.records import encode, recover
from asl_env.evaluation.results import EvalResult, Row, read_rows, score, summarise
from asl_env.play import Tool, play
from asl_env.protocols import Agent, Dialect

SETTINGS, ROWS, SUMMARY = "settings.json", "rows.jsonl", "summary.json"

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
    wanted = _distinct(tasks)
    settings: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        **(about or {}),
        "tasks_digest": _digest(wanted),
        "dialect": dialect if isinstance(dialect, str) else dialect.name,
        "judged": judge is not None,
        "greedy": greedy,
        "seed": seed,
        "max_turns": max_turns,
    }
    store = _Folder(Path(folder), settings) if folder is not None else None
    rows = store.rows if store else []
    left = wanted[len(rows) :]
    for start in range(0, len(left), batch_size):
        batch = left[start : start + batch_size]
        seeds = [task_seed(seed, task.id) for task in batch]
        common: dict[str, Any] = {
            "tool": tool,
            "dialect": dialect,
            "greedy": greedy,
            "max_turns": max_turns,
            "timeout": timeout,
        }
        played = play(agent, batch, seeds=seeds, **common)
        judgements = _judge(judge, batch, played, seeds, common)
        fresh = [
            score(task, episode, judgement, judge is not None)
            for task, episode, judgement in zip(batch, played, judgements, strict=True)
        ]
        rows.extend(fresh)
        if store:
            store.append(fresh)
        if progress:
            progress(len(rows), len(wanted))
    result = summarise(rows, settings)
    if store:
        _write_json(store.folder / SUMMARY, result.to_json())
    return result


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


class _Folder:
    """The folder of one evaluation: rows that are finished, appended batch by batch."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        settings = json.loads(json.dumps(settings))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._settle(settings)
            recover(folder / ROWS)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written: {error.strerror or error}") from error
        self.rows = read_rows(folder / ROWS) if (folder / ROWS).exists() else []

    def append(self, rows: Sequence[Row]) -> None:
        """Adds finished rows and waits until they are on the disk."""
        path = self.folder / ROWS
        size = path.stat().st_size if path.exists() else 0
        try:
            with path.open("ab") as file:
                file.write(b"".join(encode(row.to_json()) for row in rows))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            os.truncate(path, size)
            raise RunError(
                f"{path}: cannot be written: {error.strerror or error}; "
                "make room and run the same command again, finished questions are kept"
            ) from error

    def _settle(self, settings: Mapping[str, Any]) -> None:
        path = self.folder / SETTINGS
        if not path.exists():
            if (self.folder / ROWS).exists():
                raise RunError(f"{self.folder}: has rows but no {SETTINGS}; choose another folder")
            _write_json(path, settings)
            return
        try:
            before = json.loads(path.read_bytes())
        except ValueError as error:
            raise RunError(f"{path}: not JSON ({error}); choose another folder") from error
        for name in sorted({*before, *settings}):
            old, new = before.get(name), settings.get(name)
            if old != new:
                raise RunError(
                    f"{self.folder}: was begun with {name} = {old!r}, now it is {new!r}; "
                    "choose another folder or the same settings"
                )


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON file that is either complete or not there."""
    beside = path.with_name(f".{path.name}.partial")
    beside.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)


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
