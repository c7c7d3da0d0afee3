"""``asl compare``: two evaluations of the same questions, question by question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asl_env.evaluation.comparison import Comparison


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of an evaluation.")],
    second: Annotated[Path, typer.Argument(help="Another one; differences are its minus first.")],
    rescore: Annotated[
        bool, typer.Option(help="Compute the scores of both again from their trajectories.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Compare two evaluations of the same questions: differences, test, wins and losses."""
    from asl_env import evaluation
    from asl_env.agents.cli import console
    from asl_env.evaluation.comparison import compare_saved, read_saved, saved_of

    paths = (first, second)
    if rescore:
        old, new = (saved_of(evaluation.rescore(path), str(path)) for path in paths)
    else:
        old, new = (read_saved(path) for path in paths)
    found = compare_saved(old, new, seed=seed)
    if json:
        record = {"first": str(first), "second": str(second), **found.to_json()}
        console.machine(record)
        return
    _show(found, f"{second} minus {first}")


def _show(found: Comparison, title: str) -> None:
    from asl_env.agents.cli import console
    from asl_env.agents.cli.eval import TITLES

    rows = [
        (
            TITLES[name],
            f"{paired.first:.3f}",
            f"{paired.second:.3f}",
            f"{paired.difference.mean:+.3f} "
            f"[{paired.difference.low:+.3f}, {paired.difference.high:+.3f}]",
            _p(paired.difference.p_value),
            f"{paired.wins}/{paired.losses}",
        )
        for name, paired in found.metrics.items()
    ]
    columns = ("metric", "first", "second", "difference [95 %]", "p", "won/lost")
    console.table(title, columns, rows)
    left_out = f", {found.left_out} invalid in one and left out" if found.left_out else ""
    console.person().print(f"{found.questions} questions{left_out}")
    for remark in found.remarks:
        console.person().print(f"they differ in {remark}")


def _p(value: float) -> str:
    """A p-value as papers write it: never 0."""
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"
