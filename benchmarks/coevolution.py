"""Held-out accuracy per round of recipes, over seeds, with intervals.

    python benchmarks/coevolution.py --recipes asl asl-frozen-grm --seeds 5 --out runs/benchmark

Every run is an ordinary ``asl train`` run folder; a run that is already complete is only read, one
that was killed is resumed. Intervals are percentile bootstrap over seeds (10,000 resamples); the
difference of two columns resamples seeds in pairs. Baselines (lexical, oracle, random) answer the
same held-out questions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np


def interval(values: np.ndarray, seed: int = 0) -> str:
    """Mean and 95 % percentile bootstrap interval."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(10_000, len(values)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def run(recipe: str, seed: int, folder: Path, extra: list[str], threads: int) -> float:
    """Runs or resumes one seed; returns the seconds it took now."""
    start = "from asl_env.agents.cli.main import main; main()"
    command = [sys.executable, "-c", start, "train", "--recipe", recipe]
    if (folder / "state.json").exists():
        command = [*command[:3], "train", "--resume", str(folder), "--json"]
    else:
        command += ["--seed", str(seed), "--out", str(folder), "--json", *extra]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def measured(folder: Path) -> list[dict[str, Any]]:
    """The metrics of each round, round 0 (untrained) first."""
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return [event["metrics"] for event in events if event["event"] == "measured"]


def column(runs: list[list[dict[str, Any]]], number: int, *path: str) -> np.ndarray:
    """One metric of one round over seeds; NaN where a run lacks it."""
    out = []
    for rounds in runs:
        value: Any = rounds[number]
        for key in path:
            value = value.get(key, {}) if isinstance(value, dict) else {}
        out.append(float(value) if isinstance(value, (int, float)) else np.nan)
    return np.asarray(out)


def report(recipe: str, runs: list[list[dict[str, Any]]]) -> None:
    """Prints the table of one recipe."""
    print(f"\n## {recipe}, {len(runs)} seeds: mean [95 % bootstrap interval over seeds]\n")
    print("| round | true accuracy | judged accuracy | gap | valid tasks | GRM accuracy |")
    print("|---|---|---|---|---|---|")
    for number in range(len(runs[0])):
        true = column(runs, number, "policy", "true")
        judged = column(runs, number, "policy", "judged")
        valid = column(runs, number, "tasks", "oracle", "valid")
        grm = column(runs, number, "grm", "accuracy")
        cells = [interval(true), interval(judged), interval(judged - true)]
        cells += ["–" if np.isnan(v).any() else interval(v) for v in (valid, grm)]
        print(f"| {number} | {' | '.join(cells)} |")
    print("\n| measured | first | last round | difference |")
    print("|---|---|---|---|")
    last = len(runs[0]) - 1
    rows = [(name, 0, ("policy", "sets", name, "true")) for name in runs[0][0]["policy"]["sets"]]
    rows += [("all sets", 0, ("policy", "true")), ("GRM accuracy", 0, ("grm", "accuracy"))]
    rows += [
        ("valid tasks (from round 1)", 1, ("tasks", "oracle", "valid")),
        ("GRM on the policy's answers: kappa", 0, ("grm_on_policy", "kappa")),
        ("GRM on the policy's answers: false accepts", 0, ("grm_on_policy", "false_accept")),
        ("searches per question", 0, ("policy", "searches")),
    ]
    for name, start, path in rows:
        first, final = column(runs, start, *path), column(runs, last, *path)
        print(f"| {name} | {interval(first)} | {interval(final)} | {interval(final - first)} |")


def baselines(recipe: str) -> None:
    """Prints what agents that do not learn reach on the same held-out questions."""
    from asl_env.agents.coevolution.diagnostics import Diagnostics
    from asl_env.agents.coevolution.phases import Stage
    from asl_env.agents.coevolution.recipefile import load_recipe
    from asl_env.agents.coevolution.state import RunState
    from asl_env.agents.coevolution.team import Team
    from asl_env.agents.coevolution.worlds import open_world
    from asl_env.agents.loading import load_agent

    loaded = load_recipe(recipe)
    world = open_world("miniwiki", loaded)
    print("\n## Baselines on the same questions\n\n| agent | true accuracy | by set |")
    print("|---|---|---|")
    for name in ("random", "lexical", "oracle"):
        agent = load_agent(name)
        stage = Stage(loaded, 0, world, Team(agent), agent)
        policy = Diagnostics(stage).measure(RunState())["policy"]
        parts = ", ".join(f"{k.split('-')[1]} {v['true']:.2f}" for k, v in policy["sets"].items())
        print(f"| {name} | {policy['true']:.3f} | {parts} |")


def main() -> None:
    """Runs everything and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=["asl", "asl-frozen-grm"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"))
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--at-a-time", type=int, default=1, help="runs side by side")
    parser.add_argument("--no-baselines", action="store_true")
    arguments, extra = parser.parse_known_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores,", end=" ")
    print(f"Python {platform.python_version()}")
    collected: dict[str, list[list[dict[str, Any]]]] = {}
    for recipe in arguments.recipes:
        collected[recipe] = []
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        folders = [arguments.out / f"{Path(recipe).stem}-{seed}" for seed in seeds]
        with ThreadPoolExecutor(arguments.at_a_time) as pool:
            jobs = [
                pool.submit(run, recipe, seed, folder, extra, arguments.threads)
                for seed, folder in zip(seeds, folders, strict=True)
            ]
            for folder, job in zip(folders, jobs, strict=True):
                print(f"{folder.name}: {job.result():.0f} s", flush=True)
                collected[recipe].append(measured(folder))
        report(recipe, collected[recipe])
    if not arguments.no_baselines:
        baselines(arguments.recipes[0])


if __name__ == "__main__":
    main()
