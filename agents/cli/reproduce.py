"""``asl reproduce``: the claims of the paper, tested as they were registered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from asl_env.agents.reproduce.claim import Claim
    from asl_env.agents.reproduce.costs import ArmCost
    from asl_env.agents.reproduce.jobs import Job
    from asl_env.agents.reproduce.outcome import Outcome
    from asl_env.agents.reproduce.setting import Setting

#: What a background process writes to, in the folder of the runs.
LOG = "reproduce.log"


def reproduce(
    claims: Annotated[
        list[str] | None, typer.Argument(help="Names or numbers of claims.  [default: all]")
    ] = None,
    learner: Annotated[str, typer.Option(help="Who learns: candidates or nano.")] = "candidates",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many registered seeds.")
    ] = None,
    development: Annotated[
        int, typer.Option(min=0, help="So many development seeds instead; they are no evidence.")
    ] = 0,
    quick: Annotated[
        bool, typer.Option(help="The smallest budget, to see that all runs. No evidence.")
    ] = False,
    at_a_time: Annotated[int, typer.Option(min=1, help="Runs side by side.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each run.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run folders.  [default: runs/claims-LEARNER]")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Folder of the result files.  [default: OUT/results]")
    ] = None,
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Only list the runs, and which of them are done.")
    ] = False,
    background: Annotated[
        bool, typer.Option(help="Leave it to a process of its own, and return.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Run the claims that are registered in docs/claims.md, and judge them.

    Runs that are done are only read, those that were killed go on: the same command again is
    always right.
    """
    from asl_env.agents.reproduce.claims import chosen_claims
    from asl_env.agents.reproduce.jobs import plan
    from asl_env.errors import AslError

    setting = _setting(learner, seeds, development, quick)
    chosen = chosen_claims(claims or [], setting.sizes)
    root = (out or _default_folder(setting, quick)).resolve()
    if results is not None and not setting.evidence:
        raise AslError("--results is for evidence; leave --quick and --development away")
    jobs = plan(chosen, setting, root)
    if plan_only and background:
        raise AslError("--plan lists runs at once; leave --background away")
    if root.exists() and not root.is_dir():
        raise AslError(f"{root}: is a file; choose a folder with --out")
    if plan_only:
        _show_plan(jobs, json)
        return
    if background:
        _leave(root, json)
        return
    _run(jobs, chosen, setting, root, results or root / "results", (at_a_time, threads), json)


def _setting(learner: str, seeds: int | None, development: int, quick: bool) -> Setting:
    from asl_env.agents.reproduce.setting import setting_of
    from asl_env.errors import AslError

    setting = setting_of(learner)
    if quick and development:
        raise AslError("--quick brings its own seeds; leave --development away")
    if quick:
        setting = setting.quick()
    elif development:
        setting = setting.development(development)
    if seeds is not None and seeds > len(setting.seeds):
        raise AslError(f"--seeds {seeds}: only {len(setting.seeds)} are registered")
    return replace(setting, seeds=setting.seeds[:seeds])


def _default_folder(setting: Setting, quick: bool) -> Path:
    kind = "quick" if quick else "claims" if setting.evidence else "trial"
    return Path("runs") / f"{kind}-{setting.learner}"


def _show_plan(jobs: Sequence[Job], machine: bool) -> None:
    from asl_env.agents.cli import console

    rows = [(job.name, job.recipe.name, str(job.recipe.rounds), _state(job)) for job in jobs]
    if machine:
        console.machine({"runs": [{"run": row[0], "state": row[3]} for row in rows]})
        return
    console.table(f"{len(rows)} runs", ("run", "arm", "rounds", "state"), rows)


def _state(job: Job) -> str:
    from asl_env.agents.coevolution.runfolder import RunFolder

    return "done" if job.done else "begun" if RunFolder(job.folder).begun else "to do"


def _leave(root: Path, machine: bool) -> None:
    """Starts the same command without ``--background`` in a process of its own session."""
    import subprocess
    import sys

    from asl_env.agents.cli import console
    from asl_env.agents.coevolution.lock import locked
    from asl_env.agents.reproduce.jobs import START

    root.mkdir(parents=True, exist_ok=True)
    with locked(root / "run.lock"):  # nobody is at it: say so here, not in a log
        pass
    words = [word for word in sys.argv[1:] if word != "--background"]
    with (root / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", START, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if machine:
        console.machine({"process": process.pid, "log": str(root / LOG)})
        return
    console.person().print(f"process {process.pid}; see {root / LOG}", soft_wrap=True)


def _run(
    jobs: Sequence[Job],
    claims: Sequence[Claim],
    setting: Setting,
    root: Path,
    folder: Path,
    processes: tuple[int, int],
    machine: bool,
) -> None:
    from asl_env.agents.cli import console
    from asl_env.agents.coevolution.lock import locked
    from asl_env.agents.reproduce.costs import arm_costs
    from asl_env.agents.reproduce.outcome import judge, read_results
    from asl_env.agents.reproduce.results import write_results
    from asl_env.agents.reproduce.running import Runner

    left = sum(not job.done for job in jobs)
    screen = console.status()
    if not setting.evidence:
        screen.print("a trial: its results are no evidence", highlight=False)
    screen.print(f"{len(jobs)} runs, {left} to do", highlight=False)

    def ended(job: Job, seconds: float, good: bool) -> None:
        nonlocal left
        left -= good
        what = f"{seconds:.0f} s" if good else "failed"
        screen.print(f"{job.name}: {what}; {left} to do", highlight=False)
        write_results([job], folder)

    root.mkdir(parents=True, exist_ok=True)
    with locked(root / "run.lock"):
        write_results(jobs, folder)  # refuses runs of another description before hours are spent
        at_a_time, threads = processes
        Runner(jobs, at_a_time, ended, threads=threads).run()
    found = read_results(claims, setting, folder)
    outcomes, costs = judge(claims, setting, found), arm_costs(claims, found)
    _show(outcomes, costs, setting, folder, machine)


def _show(
    outcomes: Sequence[Outcome],
    costs: Sequence[ArmCost],
    setting: Setting,
    folder: Path,
    machine: bool,
) -> None:
    from asl_env.agents.cli import console
    from asl_env.agents.reproduce.costs import COLUMNS

    if machine:
        shown = [_record(outcome) for outcome in outcomes]
        arms = [vars(cost) for cost in costs]
        about = {"evidence": setting.evidence, "results": str(folder)}
        console.machine({**about, "claims": shown, "arms": arms})
        return
    rows: list[tuple[str, str, str, str]] = []
    for outcome in outcomes:
        rows.append((f"{outcome.claim.number}. {outcome.claim.name}", "", "", outcome.verdict))
        for check, found in outcome.findings:
            verdict = found.verdict if check.decides else f"({found.verdict})"
            rows.append((f"   {check.name}", str(found), f"{check.smallest:g}", verdict))
    title = "Claims" if setting.evidence else "Claims (a trial, no evidence)"
    console.table(title, ("", "effect [95 %]", "smallest", "verdict"), rows)
    spent = [(cost.arm, str(cost.seeds), *cost.cells()) for cost in costs]
    console.table("What the arms cost, means over seeds", ("arm", "seeds", *COLUMNS), spent)
    console.person().print(f"results: {folder}", soft_wrap=True)


def _record(outcome: Outcome) -> dict[str, Any]:
    from asl_env.agents.coevolution.events import finite

    checks = [
        {"name": check.name, "smallest": check.smallest, "decides": check.decides, **vars(found)}
        for check, found in outcome.findings
    ]
    record: dict[str, Any] = finite(
        {"claim": outcome.claim.name, "verdict": outcome.verdict, "comparisons": checks}
    )
    return record
