"""Environment steps per second beside skyrl-gym's search environment and gem's QA environment.

Every system plays the same script, search, search, answer (gem's environment has one turn: the
answer), with retrieval taken out: ours has the null retriever (parsing, tool, cache, rendering and
spaces stay), skyrl-gym has its whole tool replaced by a constant (``stub=tool``, the harder
comparison for us) or only its HTTP request (``stub=http``). Starting episodes is part of the time.
skyrl-gym makes a new environment per episode and has no vector environment: its row steps 64 in a
loop. ``step alone`` leaves the start of episodes out of the single rate.

    python -m venv rivals
    rivals/bin/pip install --no-deps skyrl-gym==0.4.0 gem-llm==0.1.0
    rivals/bin/pip install func_timeout omegaconf pandas requests math-verify msgspec nltk \
        reasoning-gym datasets transformers
    python benchmarks/env_speed.py --rival-python rivals/bin/python

Each repetition measures every system once, each in a fresh process of its own interpreter; the
table shows the median over the repetitions. ``steps/s`` is by wall clock, ``cpu`` the same by
processor time, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

QUESTIONS = 100
SIZE = 64
THINK = "<think>What is asked for is not known yet, so look for it.</think>\n"
ANSWER = f"{THINK}<answer>City 7</answer>"
#: Seconds of each episode without its start.
INSIDE: list[float] = []
OURS, HARDEST = "asl-env (asl)", "skyrl-gym (stub=tool)"


def question(number: int) -> str:
    """What the policy is asked."""
    return f"What is the capital of country {number}?"


def tagged(number: int) -> str:
    """A search in the grammar of Search-R1."""
    return f"{THINK}<search>capital of country {number}</search>"


def called(number: int) -> str:
    """A search in the grammar of ASL."""
    call = {"name": "retrieve", "arguments": {"query": f"capital of country {number}"}}
    return f"{THINK}<tool_call>\n{json.dumps(call)}\n</tool_call>"


def rate(play: Callable[[], int], seconds: float) -> dict[str, float]:
    """Calls ``play`` (which returns the steps it took) for a while, after a warm-up."""
    until = time.perf_counter() + seconds / 4
    while time.perf_counter() < until:
        play()
    INSIDE.clear()
    steps, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        steps += play()
    found = {
        "wall": steps / (time.perf_counter() - wall),
        "cpu": steps / (time.process_time() - cpu),
    }
    if INSIDE:
        found["step"] = steps / sum(INSIDE)
    return found


def act(step: Callable[[str], Any], script: tuple[str, ...]) -> None:
    """Plays a script and notes the time it took without the start of the episode."""
    started = time.perf_counter()
    for turn in script:
        step(turn)
    INSIDE.append(time.perf_counter() - started)


def measure_asl(dialect: str, seconds: float) -> dict[str, Any]:
    """Measures this package in one dialect."""
    import gymnasium as gym

    import asl_env
    from asl_env.episode import Task

    write = called if dialect == "asl" else tagged
    tasks = [Task(str(n), question(n), (f"City {n}",)) for n in range(QUESTIONS)]
    scripts = [(write(n), write(n + 1), ANSWER) for n in range(QUESTIONS)]
    options: dict[str, Any] = {"assignments": tasks, "tool": "null", "dialect": dialect}
    env = gym.make("ASLSearch-v0", **options)
    many = gym.make_vec("ASLSearch-v0", num_envs=SIZE, **options)
    env.reset(seed=0)
    many.reset(seed=0)
    batches = [list(turns) for turns in zip(*(scripts * 2)[:SIZE], strict=True)]

    def single() -> int:
        for script in scripts:
            env.reset()
            act(env.step, script)
        return 3 * len(scripts)

    def vector() -> int:
        for batch in batches:
            many.step(batch)
        return 3 * SIZE

    found = {"single": rate(single, seconds), "vector": rate(vector, seconds)}
    return {"version": asl_env.__version__, **found}


def take_out(stub: str) -> None:
    """Replaces skyrl-gym's search tool, or only the request it sends, by constants."""
    from skyrl_gym.tools import SearchToolGroup
    from skyrl_gym.tools import search as module

    texts = [
        f'"Nothing {n}"\nThis is passage {n} of a search that finds nothing.' for n in (1, 2, 3)
    ]
    if stub == "tool":
        found = "".join(f"Doc {n}: {text}\n" for n, text in enumerate(texts, 1))
        SearchToolGroup.execute_tool = lambda self, name, *given: found
    else:
        reply = {"result": [[{"document": {"contents": text}} for text in texts]]}
        module.call_search_api = lambda *given, **named: (reply, None)


def measure_skyrl(stub: str, seconds: float) -> dict[str, Any]:
    """Measures skyrl-gym's search environment without its tool, or without its request."""
    from importlib.metadata import version

    from omegaconf import OmegaConf
    from skyrl_gym.envs.search.env import SearchEnv

    take_out(stub)
    config = OmegaConf.create(
        {
            "search_url": "http://127.0.0.1:1/retrieve",
            "topk": 3,
            "timeout": 1,
            "log_requests": False,
        }
    )
    scripts = [(tagged(n), tagged(n + 1), ANSWER) for n in range(QUESTIONS)]

    def begin(number: int) -> Any:
        target = {"ground_truth": {"target": [f"City {number}"]}}
        env = SearchEnv(config, extras={"reward_spec": target, "max_turns": 9})
        env.init([{"role": "user", "content": question(number)}])
        return env

    def single() -> int:
        for number, script in enumerate(scripts):
            act(begin(number).step, script)
        return 3 * len(scripts)

    def vector() -> int:
        envs = [begin(number) for number in range(SIZE)]
        for turn in range(3):
            for number, env in enumerate(envs):
                env.step(scripts[number][turn])
        return 3 * SIZE

    rates = {"single": rate(single, seconds), "vector": rate(vector, seconds)}
    return {"version": version("skyrl-gym"), **rates}


def measure_gem(seconds: float) -> dict[str, Any]:
    """Measures gem's question answering environment on the same questions."""
    from importlib.metadata import version

    from datasets import Dataset
    from datasets.utils.logging import disable_progress_bar
    from gem.envs.qa_env import QaEnv
    from gem.vector.sync_vector_env import SyncVectorEnv
    from gem.vector.vector_env import AutoresetMode

    disable_progress_bar()
    rows = [{"question": question(n), "answer": f"City {n}"} for n in range(QUESTIONS)]

    def make() -> Any:
        return QaEnv(dataset=Dataset.from_list(rows))

    env = make()

    def single() -> int:
        for _ in range(QUESTIONS):
            env.reset()
            act(env.step, (ANSWER,))
        return QUESTIONS

    many = SyncVectorEnv(["qa"] * SIZE, [make] * SIZE, autoreset_mode=AutoresetMode.SAME_STEP)
    many.reset()
    batch = [ANSWER] * SIZE

    def vector() -> int:
        many.step(batch)
        return SIZE

    rates = {"single": rate(single, seconds), "vector": rate(vector, seconds)}
    return {"version": version("gem-llm"), **rates}


SYSTEMS: dict[str, Callable[[float], dict[str, Any]]] = {
    OURS: lambda seconds: measure_asl("asl", seconds),
    "asl-env (search-r1)": lambda seconds: measure_asl("search-r1", seconds),
    HARDEST: lambda seconds: measure_skyrl("tool", seconds),
    "skyrl-gym (stub=http)": lambda seconds: measure_skyrl("http", seconds),
    "gem QaEnv (one turn)": measure_gem,
}


def run(system: str, python: str, seconds: float) -> dict[str, Any] | None:
    """Measures one system in a fresh process; ``None`` and a line on stderr if it fails."""
    command = [
        python,
        str(Path(__file__).resolve()),
        "--measure",
        system,
        "--seconds",
        str(seconds),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines() or ["no message"]
        print(f"{system}: not measured: {reason[-1]}", file=sys.stderr)
        return None
    measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def middle(results: list[dict[str, Any]], mode: str, clock: str) -> float:
    """The median of one measurement."""
    return statistics.median(result[mode][clock] for result in results)


def table(results: dict[str, list[dict[str, Any]]]) -> None:
    """Prints medians, and the ratio to the harder of the comparisons."""
    many = f"{SIZE} at once"
    print(
        f"{'system':24} {'version':8} {'single steps/s':>14} {'(cpu)':>9} {'step alone':>11} "
        f"{many:>12} {'(cpu)':>9}"
    )
    columns = [("single", "wall"), ("single", "cpu"), ("single", "step")]
    columns += [("vector", "wall"), ("vector", "cpu")]
    for system, rows in results.items():
        one, cpu, step, vector, vector_cpu = (middle(rows, *column) for column in columns)
        print(
            f"{system:24} {rows[0]['version']:8} {one:14,.0f} {cpu:9,.0f} {step:11,.0f} "
            f"{vector:12,.0f} {vector_cpu:9,.0f}"
        )
    if OURS in results and HARDEST in results:
        for mode, goal in (("single", 1.5), ("vector", 2.0)):
            pairs = list(zip(results[OURS], results[HARDEST], strict=False))
            times = [
                statistics.median(ours[mode][clock] / theirs[mode][clock] for ours, theirs in pairs)
                for clock in ("wall", "cpu")
            ]
            print(f"{OURS} / {HARDEST}, {mode}: {times[0]:.2f} (cpu {times[1]:.2f}), goal {goal}")


def main() -> None:
    """Measures every system, by turns, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rival-python", help="interpreter that has skyrl-gym and gem-llm")
    parser.add_argument("--seconds", type=float, default=2.0, help="per measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write every measurement to this file")
    parser.add_argument("--measure", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(SYSTEMS[options.measure](options.seconds)))
        return
    results: dict[str, list[dict[str, Any]]] = {}
    for _ in range(options.repeats):
        for system in SYSTEMS:
            python = sys.executable if system.startswith("asl-env") else options.rival_python
            measured = run(system, python, options.seconds) if python else None
            if measured is not None:
                results.setdefault(system, []).append(measured)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{processor()}, {os.cpu_count()} cores, load {load:.1f}, "
        f"Python {platform.python_version()}, {options.repeats} x {options.seconds:g} s"
    )
    table(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
