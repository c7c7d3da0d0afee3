"""What a run writes down: deterministic events, wall-clock timing, sampled trajectories."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, SupportsFloat

from asl_env.episode import RewardParts, Trajectory
from asl_env.evaluation.records import encode, to_record

EVENTS = "events.jsonl"
TIMING = "timing.jsonl"
TRAJECTORIES = "trajectories.jsonl"


class Journal:
    """Collects log lines until they are committed together with the state.

    Events hold nothing that depends on the clock or on the machine, so that an interrupted and
    resumed run writes the same bytes as one that was not. Times go to a log of their own.
    """

    def __init__(self) -> None:
        self._lines: dict[str, list[bytes]] = {EVENTS: [], TIMING: [], TRAJECTORIES: []}
        self._started, self._used = time.perf_counter(), time.process_time()

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Notes an event and returns it; numbers that are not finite become ``None``."""
        event: dict[str, Any] = finite({"event": kind, **fields})
        self._lines[EVENTS].append(encode(event))
        return event

    def trajectory(self, episode: Trajectory, reward: RewardParts, **where: Any) -> None:
        """Notes an episode, with the round and phase in which it was played."""
        record = finite({**to_record(episode, reward), **where})
        self._lines[TRAJECTORIES].append(encode(record))

    def timing(self, **fields: Any) -> None:
        """Notes the seconds since the last such note, on the clock and of the processor."""
        now, used = time.perf_counter(), time.process_time()
        spent = {"seconds": now - self._started, "cpu": used - self._used}
        line = {"time": time.time(), **spent, **fields}
        self._started, self._used = now, used
        self._lines[TIMING].append(encode(finite(line)))

    def take(self) -> tuple[dict[str, list[bytes]], dict[str, list[bytes]]]:
        """Hands over the lines collected since the last call.

        Returns:
            Lines that are part of the run's state, and lines that are not (timing), by file.
        """
        lines, self._lines = self._lines, {name: [] for name in self._lines}
        return lines, {TIMING: lines.pop(TIMING)}


def finite(value: Any) -> Any:
    """Makes a value fit for JSON: NaN and infinities become ``None``, other numbers floats.

    Learners report NumPy scalars and tensors with one element, too; tuples become lists.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, SupportsFloat):
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)
