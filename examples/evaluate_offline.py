"""Two agents on the same held-out questions: intervals, and whether the difference is real.

    python examples/evaluate_offline.py --tasks miniwiki-2hop --limit 200

Every question leaves one line in ``rows.jsonl`` with the full trajectory, so that metrics can be
computed again, with corrected answers too, without running an agent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from asl_env.agents.loading import load_agent
from asl_env.evaluation import compare, evaluate, load_tasks, rescore
from asl_env.retrieval.registry import make_retriever
from asl_env.tool import SearchTool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default="miniwiki-2hop", help="a MiniWiki set, or a JSONL file")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--agents", nargs=2, default=["random", "lexical"])
    parser.add_argument("--judge", default="lexical", help="who judges the answers")
    parser.add_argument("--out", type=Path, default=Path("runs/evaluation"))
    arguments = parser.parse_args()

    tasks = load_tasks(arguments.tasks, limit=arguments.limit)
    tool = SearchTool(make_retriever("miniwiki"))
    judge = load_agent(arguments.judge)
    folders = [arguments.out / name.replace(":", "-") for name in arguments.agents]

    for name, folder in zip(arguments.agents, folders, strict=True):
        # A second run on the same folder goes on where the first one stopped.
        result = evaluate(
            load_agent(name), tasks, tool=tool, judge=judge, folder=folder, about={"agent": name}
        )
        print(f"\n{name}: {result.counts['scored']} questions")
        for metric, estimate in result.metrics.items():
            print(f"  {metric:9} {estimate}")

    # Nothing is played here: both results come from the saved trajectories.
    first, second = (rescore(folder) for folder in folders)
    print(f"\n{arguments.agents[1]} minus {arguments.agents[0]}, question by question:")
    for metric, difference in compare(first, second).items():
        print(f"  {metric:9} {difference}  p = {difference.p_value:.4f}")


if __name__ == "__main__":
    main()
