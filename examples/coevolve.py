"""The whole loop from Python: a generator, a policy and a GRM train each other on MiniWiki.

    python examples/coevolve.py --out runs/coevolve --rounds 3

Killed at any instant, the same command goes on exactly where the run was. ``asl train`` does the
same with a progress display; this script shows the parts it is made of.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asl_env.agents.candidates.learner import CandidatesLearner
from asl_env.agents.coevolution.callbacks import LoopCallback
from asl_env.agents.coevolution.loop import CoEvolution
from asl_env.agents.coevolution.recipefile import load_recipe
from asl_env.agents.coevolution.worlds import open_world
from asl_env.agents.report.write import write_report


class RoundPrinter(LoopCallback):
    """Prints what is measured before the first and after every round."""

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Looks at one event; what a callback does never changes the run."""
        if event["event"] == "measured":
            policy = event["metrics"]["policy"]
            print(
                f"round {event['round']}: held-out accuracy true {policy['true']:.3f}, "
                f"judged {policy['judged']:.3f}"
            )
        elif event["event"] == "alarm":
            print(f"round {event['round']}: the judge is being fooled ({event['why']})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/coevolve"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set", action="append", default=[], help="change a recipe field: solve.steps=1000"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the networks are small

    # A recipe states the experiment: budgets, rewards, thresholds. `asl` is the paper's loop.
    recipe = load_recipe("asl", [f"rounds={arguments.rounds}", *arguments.set])
    # The world: what is searched, seed topics, held-out questions, an oracle where there is one.
    world = open_world("miniwiki", recipe, seed=arguments.seed)
    # One learner plays all three seats. A mapping {"generator": ..., "policy": ..., "grm": ...}
    # gives each seat its own agent; an agent that cannot learn just plays.
    learner = CandidatesLearner(seed=arguments.seed)

    loop = CoEvolution(
        recipe, arguments.out, learner, world, seed=arguments.seed, callbacks=[RoundPrinter()]
    )
    state = loop.run()
    print(f"{state.round - 1} rounds, {state.steps} environment steps")
    print(f"report: {write_report(arguments.out)}")


if __name__ == "__main__":
    main()
