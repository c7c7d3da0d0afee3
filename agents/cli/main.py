"""The ``asl`` command: finds the command that was asked for and loads only that one.

Commands live in modules of their own, named in ``COMMANDS``; the module is imported when its
command runs, so that ``asl --help`` answers at once. Errors of the project become one line on
standard error and exit code 2; Ctrl-C gives exit code 130.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import typer

from asl_env.corpora.errors import AslError, did_you_mean

#: Exit codes: what the shell gets.
FAILED, INTERRUPTED = 2, 130
#: What typer raises for wrong usage; it has no name that all versions share.
_UsageError: Any = typer.BadParameter.__base__


class Command(NamedTuple):
    """Where a command is: a function, or a ``typer.Typer`` with commands of its own."""

    module: str
    attribute: str
    help: str


_HERE = "asl_env.agents.cli"

COMMANDS: dict[str, Command] = {
    "train": Command(f"{_HERE}.train", "train", "Let the three seats train each other."),
    "eval": Command(f"{_HERE}.eval", "evaluate", "Measure an agent on a set of questions."),
    "compare": Command(f"{_HERE}.compare", "compare", "Compare two evaluations, by question."),
    "rescore": Command(f"{_HERE}.rescore", "rescore", "Compute metrics from saved trajectories."),
    "play": Command(f"{_HERE}.play", "play", "Take a seat yourself, in the terminal."),
    "report": Command(f"{_HERE}.report", "report", "Write a run folder's report as one HTML file."),
    "reproduce": Command(f"{_HERE}.reproduce", "reproduce", "Test the claims of the paper."),
    "corpus": Command(f"{_HERE}.corpus", "app", "Get and build corpora."),
    "index": Command(f"{_HERE}.index", "app", "Build, check and search indexes."),
    "serve": Command(f"{_HERE}.serve", "serve", "Serve an index to many clients over HTTP."),
    "model": Command(f"{_HERE}.model", "app", "Get real language models."),
    "warmup": Command(f"{_HERE}.warmup", "warmup", "Teach a language model the forms of play."),
    "doctor": Command(f"{_HERE}.doctor", "doctor", "Check this installation and say what to do."),
}


def build(chosen: str | None = None) -> typer.Typer:
    """Builds the application with the chosen command loaded and the others as mere names.

    Args:
        chosen: Name of the command that will run; ``None`` for the overview.
    """
    app = typer.Typer(
        name="asl",
        help="Agentic self-learning: a generator, a policy and a judge train each other.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback(invoke_without_command=True)(_version)
    for name, command in COMMANDS.items():
        if name != chosen:
            app.command(name=name, help=command.help)(_name_only)
            continue
        found: Any = getattr(import_module(command.module), command.attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, help=command.help)
        else:
            app.command(name=name)(found)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and leaves with its exit code.

    Args:
        arguments: What was typed after ``asl``; the process's own arguments by default.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    code = _guarded(lambda: _run(typed))
    raise SystemExit(code)


def _run(typed: list[str]) -> int:
    chosen = typed[0] if typed and not typed[0].startswith("-") else None
    if chosen is not None and chosen not in COMMANDS:
        raise AslError(f"no command {chosen!r}{did_you_mean(chosen, COMMANDS)}")
    try:
        code = build(chosen)(args=typed, prog_name="asl", standalone_mode=False)
    except typer.Abort as end:
        raise KeyboardInterrupt from end
    except _UsageError as error:
        return _misused(error)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _misused(error: Any) -> int:
    """Says in one line what is wrong with the arguments; without any, typer has shown the help."""
    said = " ".join(error.format_message().split())
    if said and type(error).__name__ != "NoArgsIsHelpError":
        where = "asl" if error.ctx is None else error.ctx.command_path
        raise AslError(f"{said.rstrip('.')}; see {where} --help")
    return FAILED


def _guarded(run: Callable[[], int]) -> int:
    """Runs a command; errors on purpose, Ctrl-C and a full disk become one line each."""
    try:
        return run()
    except AslError as error:
        _complain(" ".join(str(error).split()))
        return FAILED
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`asl ... | head`); stop without a second complaint.
        sys.stderr.close()
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"{where}{error.strerror or error}")
        return FAILED


def _complain(message: str) -> None:
    typer.echo(f"asl: {message}", err=True)


def _version(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        import asl_env

        typer.echo(f"asl-env {asl_env.__version__}")
        raise typer.Exit


def _name_only() -> None:
    """Stands in the overview for a command that was not asked for; never runs."""
