"""``asl eval``: an agent on a set of questions."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from asl_env.agents.cli.evalspec import Asking
    from asl_env.evaluation.results import EvalResult
    from asl_env.evaluation.runner import Progress
    from asl_env.evaluation.tasks import TaskSet

#: Titles of the metrics in tables.
TITLES = {
    "em": "exact match",
    "cover-em": "cover match",
    "f1": "F1",
    "hotpotqa-f1": "HotpotQA F1",
    "judged": "judged",
    "gold-recall": "gold titles found",
}


def evaluate(
    agent: Annotated[
        str | None,
        typer.Option(
            help="random, lexical, oracle, nano, endpoint:URL#MODEL, a run folder, or "
            "my_module:MyAgent.  [default: lexical]"
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A language model: a name of `asl model list`, folder, GGUF, hub name."),
    ] = None,
    tasks: Annotated[
        str,
        typer.Option(
            help="miniwiki-1hop, -2hop, -3hop, -compare; a JSON, JSONL, Parquet or TSV file; nq, "
            "hotpotqa and others, or hf:OWNER/NAME/FILE, from the hub."
        ),
    ] = "miniwiki-2hop",
    corpus: Annotated[
        str, typer.Option(help="What is searched: miniwiki, wiki-vital, a file or a store.")
    ] = "miniwiki",
    index: Annotated[
        str | None, typer.Option(help="An index folder, in place of --corpus.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many questions.")] = None,
    judge: Annotated[
        str | None, typer.Option(help="Who judges the answers; named like --agent.")
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option(help="A frozen spec: asl-v1, searchr1-v1, or a YAML file of your own."),
    ] = None,
    dialect: Annotated[str | None, typer.Option(help="asl or search-r1.  [default: asl]")] = None,
    sample: Annotated[
        bool | None, typer.Option("--sample", help="Sample turns; greedy otherwise.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of a sampling agent.  [default: 0]")
    ] = None,
    max_turns: Annotated[
        int | None, typer.Option(min=1, help="Turns per question at most.  [default: 9]")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, max=20, help="Passages per search.  [default: 3]")
    ] = None,
    max_chars: Annotated[
        int | None,
        typer.Option(
            min=1, help="Characters per search.  [default: what the agent was trained with]"
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.01, help="Seconds that one call of the agent may take."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for rows and trajectories; an interrupted run goes on there."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Measure an agent on a set of questions: em, f1, cover-em, judged, with 95 % intervals."""
    from asl_env.agents.cli.evalspec import asking
    from asl_env.agents.cli.searching import open_retriever, suited
    from asl_env.agents.coevolution.lock import locked
    from asl_env.agents.loading import load_agent
    from asl_env.episode import Role
    from asl_env.evaluation import load_tasks, runner

    agent = _named(agent, model)
    given = {
        "dialect": dialect,
        "sample": sample,
        "seed": seed,
        "max_turns": max_turns,
        "top_k": top_k,
        "max_chars": max_chars,
    }
    how = asking(spec, given, suited(agent))
    found = load_tasks(tasks, limit)
    _tell_problems(found)
    tool = how.tool(open_retriever(corpus, index))
    player = load_agent(agent, dialect=how.dialect)
    grm = load_agent(judge, dialect=how.dialect, role=Role.GRM) if judge else None
    about = {"agent": agent, "tasks": tasks, "corpus": index or corpus, "judge": judge}
    about |= how.record() | _index(corpus, index, how)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    with locked(out / ".lock") if out else nullcontext(), _progress(len(found)) as progress:
        result = runner.evaluate(
            player,
            found,
            tool=tool,
            judge=grm,
            timeout=timeout,
            folder=out,
            about=about,
            progress=progress,
            **how.arguments,
        )
    _tell(result, f"{agent} on {tasks}", out, json)


def _tell(result: EvalResult, title: str, out: Path | None, json: bool) -> None:
    from asl_env.agents.cli import console
    from asl_env.evaluation.folder import ROWS

    if json:
        console.machine(result.to_json() | {"seconds_per_question": result.seconds})
        return
    show(result, title)
    if out is not None:
        typer.echo(f"rows and trajectories: {out / ROWS}", err=True)


def _index(corpus: str, index: str | None, how: Asking) -> dict[str, Any]:
    """What the result says about the index; refuses another than the spec's."""
    from asl_env.agents.cli.searching import index_digest

    digest = index_digest(corpus, index)
    if how.spec is not None:
        how.spec.check_index(digest)
    return {"index_digest": digest}


def _named(agent: str | None, model: str | None) -> str:
    """The agent of the command line."""
    from asl_env.errors import AgentError

    if model is None:
        return agent or "lexical"
    if agent is not None:
        raise AgentError("--agent and --model both say who answers; give one of them")
    return f"model:{model}"


def show(result: EvalResult, title: str) -> None:
    """Prints the table of an evaluation and one line about what was left out."""
    from asl_env.agents.cli import console

    rows = [
        (TITLES[name], f"{value.mean:.3f}", f"{value.low:.3f} – {value.high:.3f}", str(value.n))
        for name, value in result.metrics.items()
    ]
    console.table(title, ("metric", "mean", "95 % interval", "questions"), rows)
    counts = result.counts
    parts = [f"{counts['unanswered']} without an answer"]
    parts += [f"{counts['truncated']} cut off"] if counts["truncated"] else []
    parts += [f"{counts['invalid']} invalid, left out"] if counts["invalid"] else []
    parts += [f"{counts['unjudged']} without a verdict"] if counts["unjudged"] else []
    costs = [f"{estimate.mean:.2f} {name}" for name, estimate in result.costs.items()]
    costs += [] if result.seconds is None else [f"{result.seconds:.3f} s"]
    if costs:
        console.person().print(f"a question takes {', '.join(costs)}")
    console.person().print(f"{counts['scored']} of {counts['tasks']} scored: {', '.join(parts)}")


def _tell_problems(found: TaskSet) -> None:
    for line in found.report.lines():
        typer.echo(f"{found.name}: left out {line}", err=True)


class _progress:  # noqa: N801 - used like a function
    """A progress bar on standard error; silent when that is not a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total

    def __enter__(self) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

        from asl_env.agents.cli import console

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = console.progress(*columns)
        self._bar.start()
        line = self._bar.add_task("questions", total=self._total)
        return lambda done, total: self._bar.update(line, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
