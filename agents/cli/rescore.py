"""``asl rescore``: metrics from saved trajectories, without running an agent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def rescore(
    saved: Annotated[
        Path, typer.Argument(help="Folder of an evaluation, or a file of trajectories.")
    ],
    tasks: Annotated[
        str | None, typer.Option(help="Take the accepted answers from this set instead.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another one, to be compared question by question.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Compute metrics again from saved trajectories; no agent runs."""
    from asl_env import evaluation
    from asl_env.agents.cli import console
    from asl_env.agents.cli.eval import TITLES, show

    answers = None if tasks is None else evaluation.load_tasks(tasks)
    result = evaluation.rescore(saved, answers, seed=seed)
    other = None if against is None else evaluation.rescore(against, answers, seed=seed)
    differences = {} if other is None else evaluation.compare(other, result, seed=seed)
    if json:
        record = result.to_json()
        if against is not None:
            record["difference"] = {name: d.to_json() for name, d in differences.items()}
        console.machine(record)
        return
    show(result, str(saved))
    if against is not None:
        rows = [
            (
                TITLES[name],
                f"{value.mean:+.3f}",
                f"{value.low:+.3f} – {value.high:+.3f}",
                f"{value.p_value:.4f}",
                str(value.n),
            )
            for name, value in differences.items()
        ]
        columns = ("metric", "difference", "95 % interval", "p", "shared questions")
        console.table(f"{saved} minus {against}", columns, rows)
