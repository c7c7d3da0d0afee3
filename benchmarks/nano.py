"""What the nano model (or another) can do in each seat, on questions it has not seen.

    python benchmarks/nano.py
    python benchmarks/nano.py --model runs/nano --questions 600

Greedy play over MiniWiki, three passages of 600 characters in all per search, six turns at most.
Accuracy counts golden answers and what the oracle accepts; intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import os
import platform
from math import sqrt

from asl_env.agents.lm.agent import LanguageModelAgent
from asl_env.agents.lm.nano.measure import measure
from asl_env.agents.lm.sampling import Sampling


def interval(share: float, count: int) -> str:
    """A share with its Wilson interval."""
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    return f"{share:.3f} [{middle - half:.3f}, {middle + half:.3f}]"


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--questions", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    agent = LanguageModelAgent(arguments.model, sampling=Sampling(max_new_tokens=96))
    count = arguments.questions
    found = measure(agent, count)
    print(f"\n| seat | on {count} each of | share |\n| --- | --- | --- |")
    for name, values in found["policy"].items():
        print(f"| policy | {name} | {interval(values['accuracy'], count)} right |")
    print(
        f"| GRM | claims, half of them right | {interval(found['grm']['accuracy'], count)} right |"
    )
    made = found["generator"]
    print(f"| generator | seed topics | {interval(made['formed'], count)} well-formed |")
    print(f"| generator | seed topics | {interval(made['valid'], count)} one right answer, given |")


if __name__ == "__main__":
    main()
