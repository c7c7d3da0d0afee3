"""How long until the first observation: import, make, reset, first search; fresh processes.

    python benchmarks/startup.py --repeats 5

Each repeat is a process of its own. ``reset`` draws the first task; the first search builds
MiniWiki's index, or opens the one that an earlier process left in the cache (``--cold`` gives every
process an empty cache).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

STEPS = """
import json, time
marks = [time.perf_counter()]
import gymnasium as gym
import asl_env
marks.append(time.perf_counter())
env = gym.make({id!r})
marks.append(time.perf_counter())
env.reset(seed=0)
marks.append(time.perf_counter())
env.step('<tool_call>{{"name": "retrieve", "arguments": {{"query": "river"}}}}</tool_call>')
marks.append(time.perf_counter())
print(json.dumps([after - before for before, after in zip(marks, marks[1:])]))
"""
NAMES = ("import asl_env", "gym.make", "reset", "first search")


def measure(env_id: str, cold: bool) -> list[float]:
    """Runs one process; returns seconds per step."""
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, **({"ASL_ENV_HOME": empty} if cold else {})}
        done = subprocess.run(
            [sys.executable, "-c", STEPS.format(id=env_id)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def main() -> None:
    """Prints the median and range of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", default="ASLSearch-v0")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="an empty cache for every process")
    arguments = parser.parse_args()
    measure(arguments.id, cold=False)  # the first process also compiles to bytecode
    runs = [measure(arguments.id, arguments.cold) for _ in range(arguments.repeats)]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{arguments.id}, {platform.processor() or platform.machine()}, load {load:.2f}")
    columns = [*zip(*runs, strict=True), [sum(run[:3]) for run in runs]]
    for name, values in zip((*NAMES, "import + make + reset"), columns, strict=True):
        low, high = min(values), max(values)
        print(f"{name:22} {statistics.median(values):6.2f} s   ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
