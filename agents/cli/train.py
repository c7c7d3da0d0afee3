"""``asl train``: the co-evolution loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from asl_env.agents.coevolution.loop import CoEvolution
    from asl_env.agents.coevolution.recipe import Recipe
    from asl_env.agents.coevolution.world import World

#: What a run is set up with when the command line does not say otherwise.
DEFAULTS: dict[str, Any] = {
    "corpus": "miniwiki",
    "index": None,
    "agent": None,
    "adapter": None,
    "chat_template": None,
    "held_out": [],
}


def train(
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Name of a recipe, or a YAML file.  [default: asl-nano for language models, asl "
            "for other agents]"
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(help="miniwiki, wiki-vital, a file or a store.  [default: miniwiki]"),
    ] = None,
    index: Annotated[
        str | None, typer.Option(help="Index folder to search in, in place of the corpus's own.")
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            help="candidates, nano, model:NAME_OR_PATH, lexical, random, endpoint:URL#MODEL, a run "
            "folder, or my_module:MyAgent; for one seat generator=..., policy=... or grm=... "
            "(repeatable).  [default: nano; candidates with a recipe for them, or, without a "
            "recipe, on another corpus than miniwiki]"
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A language model for all seats: a name of `asl model list`, a folder, a GGUF "
            "file or a hub name; short for --agent model:NAME."
        ),
    ] = None,
    adapter: Annotated[
        str | None, typer.Option(help="A LoRA adapter for the language model; it is trained.")
    ] = None,
    chat_template: Annotated[
        str | None, typer.Option(help="Its chat template, where it has none (a Jinja file).")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds in total.  [default: the recipe's]")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the run.  [default: 0]")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder.  [default: runs/<recipe>-<number>]")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this folder, exactly.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            help="Another base for the recipe: what it changes against asl is changed in this one, "
            "as in --recipe r-zero --on asl-nano."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a recipe field: solve.steps=5000 (repeatable)."),
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(help="Evaluation set, by name or file, never trained on (repeatable)."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.01, help="Seconds that one call of an agent may take.")
    ] = 600.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Let a generator, a policy and a judge train each other."""
    from asl_env.agents.coevolution.runfolder import CONFIG, RunFolder
    from asl_env.errors import RunError

    for option, value in (("--out", out), ("--on", on)):
        if resume is not None and value is not None:
            raise RunError(f"--resume names the run folder; leave {option} away")
    given = {
        "corpus": corpus,
        "index": index,
        "agent": _named(agent, model),
        "adapter": adapter,
        "chat_template": chat_template,
        "held_out": held_out,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if resume is None:
        setup, number = {**DEFAULTS, **chosen}, seed or 0
        loaded = _chosen(setup, recipe, set_, rounds, on)
        folder = out or _free_folder(loaded.name)
        if RunFolder(folder).begun:
            raise RunError(
                f"{folder}: holds a run already; go on with: asl train --resume {folder}, "
                "or choose another folder with --out"
            )
    else:
        folder, saved = resume, RunFolder(resume).config()
        for field in ("recipe", "seed", "setup"):
            if field not in saved:
                raise RunError(
                    f"{resume / CONFIG}: field {field!r} is missing; put the file back, "
                    "or begin a new run"
                )
        setup = {**DEFAULTS, **saved["setup"], **chosen}
        number = saved["seed"] if seed is None else seed
        loaded = _recipe(recipe or saved["recipe"], set_, rounds)
    _run(loaded, folder, setup, number, timeout=timeout, machine=json)


def _named(agent: list[str] | None, model: str | None) -> list[str] | None:
    """The agents of the command line; ``--model`` is one for all seats that are not named."""
    from asl_env.errors import AgentError

    if model is None:
        return agent
    if any("=" not in one for one in agent or ()):
        raise AgentError("--agent and --model both say who plays all seats; give one of them")
    return [f"model:{model}", *(agent or ())]


def _chosen(
    setup: dict[str, Any],
    recipe: str | None,
    changes: list[str] | None,
    rounds: int | None,
    on: str | None,
) -> Recipe:
    """The recipe of a new run; settles who plays where nobody was named."""
    from asl_env.agents.cli.teams import default_agent, default_recipe

    loaded = None if recipe is None else _recipe(recipe, changes, rounds, on)
    if setup["agent"] is None:
        setup["agent"] = [default_agent(setup["corpus"], loaded)]
    return loaded or _recipe(default_recipe(setup["agent"]), changes, rounds, on)


def _recipe(
    source: Any, changes: list[str] | None, rounds: int | None, on: str | None = None
) -> Recipe:
    from asl_env.agents.coevolution.recipefile import load_recipe, parse_recipe
    from asl_env.agents.coevolution.variants import rebase

    loaded = parse_recipe(source, "of the run") if isinstance(source, dict) else source
    if on is not None:
        loaded = rebase(load_recipe(loaded), on)
    more = [] if rounds is None else [f"rounds={rounds}"]
    return load_recipe(loaded, [*(changes or []), *more])


def _free_folder(name: str) -> Path:
    """``runs/asl-1``, or the next number that is free."""
    number = 1
    while (folder := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return folder


def _run(
    recipe: Recipe,
    folder: Path,
    setup: dict[str, Any],
    seed: int,
    *,
    timeout: float,
    machine: bool,
) -> None:
    from asl_env.agents.cli import console
    from asl_env.agents.cli.progress import Progress
    from asl_env.agents.cli.teams import cost, make_team
    from asl_env.agents.coevolution.callbacks import TensorBoardLog
    from asl_env.agents.coevolution.loop import CoEvolution
    from asl_env.agents.coevolution.worlds import open_world

    screen = console.status()
    shown = Progress(recipe, screen, quiet=machine)
    with shown.waiting(f"opening {setup['corpus']}"):
        world = open_world(
            setup["corpus"], recipe, seed=seed, index=setup["index"], held_out=setup["held_out"]
        )
        agents = make_team(setup["agent"], recipe, seed, setup)
        lines = [*_left_out(world), *cost(agents, recipe)]
    for line in lines:
        screen.print(line, soft_wrap=True, highlight=False)
    loop = CoEvolution(
        recipe,
        folder,
        agents,
        world,
        seed=seed,
        setup=setup,
        timeout=timeout,
        callbacks=[TensorBoardLog(folder / "tensorboard"), shown],
    )
    try:
        loop.run()
    except KeyboardInterrupt:
        screen.print(
            f"stopped; all is saved up to {shown.saved}. Go on with: asl train --resume {folder}",
            soft_wrap=True,
        )
        raise typer.Exit(130) from None
    _finish(loop, folder, machine)


def _left_out(world: World) -> list[str]:
    """What is not trained on because the run is measured on it."""
    return [
        f"{name}: left out {count} questions that are held out, or nearly the same"
        for name, count in world.contaminated.items()
    ]


def _finish(loop: CoEvolution, folder: Path, machine: bool) -> None:
    from asl_env.agents.cli import console
    from asl_env.agents.report.write import write_report

    report = write_report(folder)
    done = loop.state.round - 1
    if machine:
        console.machine(
            {
                "run": str(folder),
                "report": str(report),
                "rounds": done,
                "steps": loop.state.steps,
                "rollouts": loop.state.rollouts,
                "history": loop.state.history,
            }
        )
        return
    console.person().print(
        f"run folder: {folder}\nreport: {report}\n"
        f"more rounds: asl train --resume {folder} --rounds {2 * done}",
        soft_wrap=True,
    )
