"""``asl report``: a run or an evaluation as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(help="A run folder, or what asl eval --out wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="The HTML file; report.html in the folder if not set.")
    ] = None,
) -> None:
    """Write a run's or an evaluation's report: one HTML file that loads nothing."""
    from asl_env.agents.report.write import write_report

    typer.echo(write_report(folder, out))
