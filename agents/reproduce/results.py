"""Small result files: what a run measured at the end of each round, one line each.

One file per arm in a folder per learner. They hold all that tables and figures are drawn from, so
that anyone can redraw them without the run folders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asl_env.agents.coevolution.events import EVENTS, TIMING
from asl_env.agents.reproduce.claim import LAST, Point
from asl_env.agents.reproduce.jobs import Job, write_whole
from asl_env.errors import RecordError
from asl_env.evaluation.records import encode, read_objects

_Row = Mapping[str, Any]


def distil(job: Job) -> list[dict[str, Any]]:
    """Reads what a finished run measured.

    Args:
        job: A job that is done.

    Returns:
        One row per measured round, the untrained round 0 first.

    Raises:
        RunError: If the folder holds another run.
    """
    job.check()
    events = [event for _, event in read_objects(job.folder / EVENTS)]
    timing = [line for _, line in read_objects(job.folder / TIMING)]
    ended = {
        event["round"]: event["rollouts"] for event in events if event["event"] == "round-ended"
    }
    head = {"learner": job.setting.learner, "arm": job.arm.name, "seed": job.seed}
    head |= {"run": job.digest, "evidence": job.setting.evidence}
    rows = []
    for event in events:
        if event["event"] == "measured":
            number, metrics = event["round"], event["metrics"]
            spent = [line for line in timing if line.get("round", 0) <= number]
            cost = {
                "rollouts": ended[number],
                "seconds": round(math.fsum(line["seconds"] for line in spent), 1),
                "cpu": round(math.fsum(line.get("cpu", 0.0) for line in spent), 1),
            }
            last = number == job.recipe.rounds
            rows.append({**head, "round": number, **_measured(metrics, last), **cost})
    if job.donor is not None:
        given = sum(1 for _ in read_objects(job.tasks))
        rows = [{**row, "given": given} for row in rows]
    return rows


def _measured(metrics: _Row, last: bool) -> dict[str, Any]:
    """The numbers that claims are about, to five digits."""
    policy, grm = metrics["policy"], metrics.get("grm") or {}
    row: dict[str, Any] = {name: _digits(policy[name]) for name in ("n", "true", "judged", "em")}
    row["sets"] = {name: _digits(values["true"]) for name, values in policy["sets"].items()}
    row["grm"] = {name: _digits(grm[name]) for name in ("accuracy", "false_accept") if name in grm}
    on_policy = (metrics.get("grm_on_policy") or {}).get("false_accept")
    row["grm"] |= {} if on_policy is None else {"false_accept_on_policy": _digits(on_policy)}
    tasks = metrics.get("tasks")
    if tasks:
        valid = (tasks.get("oracle") or {}).get("valid")
        row["tasks"] = {"count": tasks["count"], "valid": _digits(valid)}
    if last and metrics.get("fooled"):
        row["fooled"] = metrics["fooled"]
    return row


def _digits(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def write_results(jobs: Sequence[Job], folder: Path) -> list[Path]:
    """Writes the result files of all jobs that are done.

    Args:
        jobs: The jobs.
        folder: Folder of result files. What they hold of other seeds stays, unless it is of another
            description of the arm.

    Returns:
        The files that were written.
    """
    arms: dict[Path, list[Job]] = {}
    for job in jobs:
        if job.done:
            path = folder / job.setting.learner / f"{job.arm.name}.jsonl"
            arms.setdefault(path, []).append(job)
    for path, done in arms.items():
        seeds, digest = {job.seed for job in done}, done[0].digest
        old = [row for _, row in read_objects(path)] if path.exists() else []
        rows = [row for row in old if row.get("run") == digest and row["seed"] not in seeds]
        rows += [row for job in done for row in distil(job)]
        rows.sort(key=lambda row: (row["seed"], row["round"]))
        write_whole(path, b"".join(map(encode, rows)))
    return list(arms)


class Results:
    """Rows of one learner by arm, seed and round.

    Args:
        folder: Folder of result files of the learner.
        digests: What each arm must have run (``Job.digest``); others are refused.

    Raises:
        RecordError: If a file cannot be read, or is of another description of the arm.
    """

    def __init__(self, folder: Path, digests: Mapping[str, str]) -> None:
        self._rows: dict[tuple[str, int], dict[int, _Row]] = {}
        for arm, digest in digests.items():
            for row in _rows(folder / f"{arm}.jsonl", digest):
                self._rows.setdefault((arm, row["seed"]), {})[row["round"]] = row

    def seeds(self, arms: Sequence[str]) -> list[int]:
        """The seeds for which all of these arms have results."""
        found = [{seed for arm, seed in self._rows if arm == name} for name in arms]
        return sorted(set.intersection(*found)) if found else []

    def rounds(self, arm: str, seed: int) -> Mapping[int, _Row]:
        """The rows of a run by round."""
        return self._rows[arm, seed]

    def last(self, arm: str, seed: int) -> _Row:
        """The row after the last round."""
        rows = self._rows[arm, seed]
        return rows[max(rows)]

    def run(self, seed: int) -> SeedResults:
        """The results of one seed."""
        return SeedResults(self, seed)

    def fooled(self, arm: str) -> list[_Row]:
        """Wrong answers that the judge of an arm accepted after the last round, of all seeds."""
        lasts = [self.last(arm, seed) for seed in self.seeds([arm])]
        return [example for row in lasts for example in row.get("fooled", ())]


class SeedResults:
    """Numbers of one seed, as effects read them."""

    def __init__(self, results: Results, seed: int) -> None:
        self._results = results
        self._seed = seed

    def _row(self, arm: str, number: int) -> _Row:
        if number == LAST:
            return self._results.last(arm, self._seed)
        return self._results.rounds(arm, self._seed)[number]

    def value(self, point: Point) -> float:
        """The number at a point."""
        return metric_of(self._row(point.arm, point.round), point.metric)

    def given(self, arm: str) -> float:
        """How many self-made tasks the arm was given."""
        return float(self._row(arm, LAST)["given"])


def metric_of(row: _Row, metric: str) -> float:
    """A metric of a row: ``gap`` is judged minus true accuracy. NaN where nothing was measured."""
    if metric == "gap":
        return metric_of(row, "judged") - metric_of(row, "true")
    value = row[metric]
    return math.nan if value is None else float(value)


def _rows(path: Path, digest: str) -> Iterator[_Row]:
    if not path.exists():
        return
    for where, row in read_objects(path):
        if row.get("run") != digest:
            raise RecordError(f"{where}: of another description of this arm; run it again")
        yield row
