"""What ``asl train`` shows: a bar per phase, and a table that grows by a row per round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asl_env.agents.coevolution.callbacks import LoopCallback
from asl_env.agents.coevolution.recipe import Recipe
from asl_env.agents.coevolution.state import RunState

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

#: Title, path inside a round's metrics, and format of each column.
COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("round", "round", "d"),
    ("tasks", "tasks.count", "d"),
    ("valid", "tasks.oracle.valid", ".2f"),
    ("difficulty", "tasks.difficulty", ".2f"),
    ("own", "tasks.policy.judged", ".3f"),
    ("judged", "policy.judged", ".3f"),
    ("true", "policy.true", ".3f"),
    ("kappa", "grm.kappa", ".2f"),
    ("false+", "grm_on_policy.false_accept", ".2f"),
    ("hacked", "hacks.mean", ".2f"),
)


LEGEND = (
    "valid, difficulty: of the round's own tasks; own, judged: accuracy by the GRM's verdicts, or "
    "by rule where it rewards nobody, on own and on held-out tasks; true: by golden answers and "
    "oracle; kappa: the GRM against the truth; false+: share of wrong answers it accepts; hacked: "
    "of hack probes it accepts"
)


class Progress(LoopCallback):
    """Shows a run to a person.

    Args:
        recipe: For the budgets.
        console: Where to.
        quiet: Show nothing.

    Attributes:
        saved: Up to where the run is saved, in words.
    """

    def __init__(self, recipe: Recipe, console: Console, quiet: bool = False) -> None:
        self.saved = "the beginning"
        self._recipe = recipe
        self._console = console
        self._quiet = quiet
        self._bar: Bar | None = None
        self._line: Any = None
        self._titled = False

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Shows that something takes a while."""
        if self._quiet:
            yield
        else:
            with self._console.status(what):
                yield

    def on_start(self, state: RunState) -> None:
        """Opens the bar, and shows the rounds that are done already."""
        self._note(state)
        if self._quiet:
            return
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[score]}"),
            console=self._console,
            transient=True,
        )
        self._bar.start()
        self._line = self._bar.add_task(_where(state), total=1, score="")
        for metrics in state.history:
            self._row(metrics)

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Moves the bar to the next phase; prints rounds, warnings and alarms."""
        if self._bar is None:
            return
        kind = event["event"]
        if kind == "phase-begun":
            spec = getattr(self._recipe, event["phase"])
            title = f"round {event['round']}, {event['phase']}"
            self._bar.reset(self._line, total=spec.steps, description=title, score="")
        elif kind == "chunk":
            self._bar.update(self._line, completed=event["steps"])
        elif kind == "phase-ended":
            self._bar.reset(
                self._line, total=1, description=f"round {event['round']}, measuring", score=""
            )
        elif kind == "measured":
            self._row(event["metrics"])
        elif kind == "alarm":
            self._bar.console.print(
                f"[bold red]alarm[/] round {event['round']}: judged and true accuracy part "
                f"({event['why']} {event['value']:.2f} > {event['limit']:.2f})"
            )

        elif kind == "collapse":
            self._bar.console.print(
                f"[bold yellow]warning[/] round {event['round']}, {event['phase']}: "
                f"{event['warning']}"
            )

    def on_update(self, state: RunState, metrics: Mapping[str, Any]) -> None:
        """Shows the score of the chunk so far."""
        if self._bar is not None and "score" in metrics:
            self._bar.update(self._line, score=f"score {metrics['score']:.3f}")

    def on_save(self, state: RunState) -> None:
        """Notes up to where the run is saved."""
        self._note(state)

    def on_end(self) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _note(self, state: RunState) -> None:
        if state.commits:
            self.saved = f"{_where(state)}, step {state.progress.steps}"

    def _row(self, metrics: Mapping[str, Any]) -> None:
        assert self._bar is not None
        if not self._titled:
            self._titled = True
            self._bar.console.print(LEGEND, style="dim")
            self._bar.console.print("  ".join(title for title, _, _ in COLUMNS), style="bold")
        cells = (cell(metrics, path, form).rjust(len(title)) for title, path, form in COLUMNS)
        self._bar.console.print("  ".join(cells), soft_wrap=True)


def cell(metrics: Mapping[str, Any], path: str, form: str) -> str:
    """Formats one number of nested metrics; a dash where there is none."""
    value: Any = metrics
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return "-" if value is None else format(value, form)


def _where(state: RunState) -> str:
    if state.round == 0:
        return "before training"
    return f"round {state.round}, {state.phase}"
