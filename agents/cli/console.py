"""What the commands share: tables for people on standard error, JSON for machines on output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn


def person() -> Console:
    """Returns the console for people: standard output, colours only in a terminal."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def status() -> Console:
    """Returns the console for progress and remarks: standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


def progress(*columns: ProgressColumn) -> Progress:
    """Returns a bar on standard error that leaves nothing behind, and is silent in files and pipes.

    Args:
        columns: What it shows.
    """
    from rich.progress import Progress

    shown = status()
    return Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal)


def machine(value: Mapping[str, Any]) -> None:
    """Prints one JSON object on standard output, for ``--json``."""
    typer.echo(json.dumps(value, ensure_ascii=True, indent=2))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table; all columns but the first are aligned right."""
    from rich import box
    from rich.table import Table

    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        shown.add_column(column, justify="right" if index else "left", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    person().print(shown)
