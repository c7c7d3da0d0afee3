"""Runs jobs as processes of their own, several at a time; what was killed goes on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Container, Sequence
from pathlib import Path

from asl_env.agents.coevolution.lock import locked
from asl_env.agents.reproduce.jobs import Job
from asl_env.errors import AslError, RunError

#: Seconds between two looks at the processes.
_PAUSE = 0.5

#: Told about every job that ended well or failed, with the seconds it took now.
OnEnd = Callable[[Job, float, bool], None]


class Runner:
    """Runs what is not yet done.

    Args:
        jobs: The jobs; those that need another wait for it.
        at_a_time: Processes side by side.
        on_end: Told about every job that ends.
        threads: Of each process.
    """

    def __init__(
        self, jobs: Sequence[Job], at_a_time: int, on_end: OnEnd, *, threads: int = 1
    ) -> None:
        self._at_a_time = at_a_time
        self._on_end = on_end
        self.environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self._done = {job.name for job in jobs if job.done}
        self._waiting = [job for job in jobs if job.name not in self._done]
        self._running: list[tuple[Job, subprocess.Popen[bytes], float]] = []
        self._failed: dict[str, Path] = {}

    def run(self) -> None:
        """Runs until nothing is left that can run.

        Raises:
            RunError: At the end, if a job failed; the message names its log.
        """
        try:
            while self._waiting or self._running:
                busy = {job.name for job in self._waiting if _in_use(job)}
                while len(self._running) < self._at_a_time and (job := self._next(busy)):
                    self._start(job)
                if not self._running and not busy:
                    break
                time.sleep(_PAUSE)
                self._collect()
        finally:
            self._stop()
        if self._failed:
            name, log = next(iter(self._failed.items()))
            others = f" (and {len(self._failed) - 1} more)" if len(self._failed) > 1 else ""
            raise RunError(f"{name} failed{others}; see {log}, then run the same command again")

    def _next(self, busy: Container[str]) -> Job | None:
        """The first job that can begin: its donor is done, and no old process is at it."""
        for job in self._waiting:
            if (job.needs is None or job.needs in self._done) and job.name not in busy:
                self._waiting.remove(job)
                return job
        return None

    def _start(self, job: Job) -> None:
        log = _log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            command = job.prepare()
        except AslError as error:  # the others can still be run
            log.write_text(f"asl: {error}\n", encoding="utf-8")
            self._failed[job.name] = log
            self._on_end(job, 0.0, False)
            return
        with log.open("ab") as file:
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=file, env=self.environment
            )
        self._running.append((job, process, time.monotonic()))

    def _collect(self) -> None:
        for entry in list(self._running):
            job, process, started = entry
            if process.poll() is None:
                continue
            self._running.remove(entry)
            good = process.returncode == 0 and job.done
            if good:
                self._done.add(job.name)
            else:
                self._failed[job.name] = _log(job)
            self._on_end(job, time.monotonic() - started, good)

    def _stop(self) -> None:
        """Ends what still runs; it is saved up to its last chunk."""
        for _, process, _ in self._running:
            process.terminate()
        for _, process, _ in self._running:
            process.wait()


def _log(job: Job) -> Path:
    return job.root / "logs" / f"{job.name}.log"


def _in_use(job: Job) -> bool:
    """Whether a process has the run folder, as the child of a killed predecessor may."""
    path = job.folder / "run.lock"
    if not path.exists():
        return False
    try:
        with locked(path):
            return False
    except RunError:
        return True
