"""``asl report``: runs and evaluations as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders, or what asl eval --out wrote."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The HTML file; report.html in the folder, or here for several."),
    ] = None,
) -> None:
    """Write the report of runs and evaluations: one HTML file that loads nothing."""
    from asl_env.agents.report.write import write_report

    typer.echo(write_report(folders, out))
