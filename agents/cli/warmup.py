"""``asl warmup``: a language model learns the forms of play by imitation, before the loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from asl_env.agents.lm.nano.warmup import Looks


def warmup(
    out: Annotated[Path, typer.Option(help="Folder of the model; a killed warm-up goes on there.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="A model to warm up (name, folder, GGUF file), with LoRA, in place of a new nano."
        ),
    ] = None,
    chat_template: Annotated[
        str | None, typer.Option(help="Its chat template, where it has none (a Jinja file).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of worlds, play, weights and order.")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a setting: habits.slips=0, stages.0.worlds=10 (repeatable)."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that play.  [default: one per core]")
    ] = None,
    questions: Annotated[
        int, typer.Option(min=0, help="Held-out questions per set measured at the end; 0 for none.")
    ] = 200,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Teach a model to search: it imitates scripted play in freshly named worlds."""
    from asl_env.agents.cli import console
    from asl_env.agents.lm.libraries import require
    from asl_env.agents.lm.nano.card import write_card
    from asl_env.agents.lm.nano.settings import GIVEN_MODEL, read_settings
    from asl_env.agents.lm.nano.warmup import warmup as train

    require("transformers")
    given = None
    if model is not None:
        from asl_env.agents.lm.loading import load_language_model

        require("peft")
        given = load_language_model(model, template=chat_template, device=device)
    base = None if given is None else GIVEN_MODEL
    settings = read_settings([f"seed={seed}", *(set_ or [])], base)
    with _Shown() as looks:
        record = train(settings, out, given, device=device, processes=processes, looks=looks)
    if questions:
        from asl_env.agents.lm.agent import LanguageModelAgent
        from asl_env.agents.lm.nano.measure import measure

        shown = console.status()
        with shown.status("measuring") as line:
            record["measured"] = measure(
                LanguageModelAgent(out),
                questions,
                say=lambda what: line.update(f"measuring {what}"),
            )
    write_card(out, record)
    if json:
        console.machine(record)
        return
    console.person().print(f"model: {out}\ntry it: asl play --watch --model {out}", soft_wrap=True)


class _Shown:
    """Two progress bars on standard error, with the time left."""

    def __enter__(self) -> Looks:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        from asl_env.agents.cli import console
        from asl_env.agents.lm.nano.warmup import Looks

        self._bar: Any = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=console.status(),
        )
        self._bar.start()
        play = self._bar.add_task("playing in worlds", total=None, loss="")
        learn = self._bar.add_task("learning", total=None, loss="")

        def training(step: int, steps: int, loss: float) -> None:
            self._bar.update(learn, completed=step, total=steps, loss=f"loss {loss:.3f}")

        return Looks(
            gathering=lambda done, total: self._bar.update(play, completed=done, total=total),
            training=training,
        )

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
