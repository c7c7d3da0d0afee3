"""What the nano model (or another) can do in each seat, on questions it has not seen.

    python benchmarks/nano.py
    python benchmarks/nano.py --model runs/nano --questions 600
    python benchmarks/nano.py --temperature 0.4 --after runs/*/checkpoints/round-03/all/model

Play over MiniWiki, three passages of 600 characters in all per search, six turns at most; greedy,
or sampled with ``--temperature``. Accuracy counts golden answers and what the oracle accepts;
intervals are Wilson's, 95 %. With ``--after`` the model is compared with what became of it in
several runs: their mean, with a percentile bootstrap interval over the runs.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Mapping
from typing import Any

from asl_env.agents.lm.agent import LanguageModelAgent
from asl_env.agents.lm.nano.measure import measure
from asl_env.agents.lm.sampling import Sampling
from asl_env.agents.report.intervals import wilson
from asl_env.errors import AslError
from asl_env.evaluation.statistics import bootstrap_mean


def shares(found: Mapping[str, Any]) -> dict[str, float]:
    """What was measured, as rows of a table."""
    made = found["generator"]
    return {
        **{f"policy | {name}, right": of["accuracy"] for name, of in found["policy"].items()},
        "GRM | claims, half of them right, judged rightly": found["grm"]["accuracy"],
        "generator | seed topics, well-formed": made["formed"],
        "generator | seed topics, one right answer, the given one": made["valid"],
    }


def measured(model: str, count: int, temperature: float | None) -> dict[str, float]:
    """Measures one model."""
    sampling = Sampling(temperature=1.0 if temperature is None else temperature, max_new_tokens=96)
    agent = LanguageModelAgent(model, sampling=sampling)
    return shares(measure(agent, count, greedy=temperature is None))


def alone(found: Mapping[str, float], count: int) -> None:
    """Prints the table of one model."""
    print(f"\n| seat | on {count} each of | share |\n| --- | --- | --- |")
    for row, share in found.items():
        print(f"| {row} | {wilson(share, count)} |")


def compared(before: Mapping[str, float], after: list[dict[str, float]], count: int) -> None:
    """Prints a model beside the mean of what became of it."""
    print(f"\n| seat | on {count} each of | before | after ({len(after)} runs) | difference |")
    print("| --- | --- | --- | --- | --- |")
    for row, share in before.items():
        values = [one[row] for one in after]
        gained = bootstrap_mean([value - share for value in values])
        print(f"| {row} | {share:.3f} | {bootstrap_mean(values)} | {gained} |")


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--after", nargs="+", default=[], help="models that it became")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--temperature", type=float, help="sample in place of greedy play")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    try:
        run(arguments)
    except AslError as error:
        raise SystemExit(str(error)) from error


def run(arguments: argparse.Namespace) -> None:
    """Measures what the command line names."""
    count, temperature = arguments.questions, arguments.temperature
    before = measured(arguments.model, count, temperature)
    alone(before, count)
    if arguments.after:
        compared(before, [measured(one, count, temperature) for one in arguments.after], count)


if __name__ == "__main__":
    main()
