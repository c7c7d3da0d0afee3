"""``asl doctor``: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Annotated, Any, Literal, NamedTuple

import typer

State = Literal["ok", "optional", "problem"]

_PYTHONS = ((3, 10), (3, 14))


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    advice: str = ""


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Check this installation and say what to do; exit code 1 if something is wrong."""
    from asl_env.agents.cli import console

    findings = list(examine())
    if json:
        console.machine({"findings": [finding._asdict() for finding in findings]})
    else:
        signs = {"ok": "ok", "optional": "–", "problem": "PROBLEM"}
        rows = [(f.what, f"{f.found}", signs[f.state], f.advice) for f in findings]
        console.table("asl doctor", ("what", "found", "state", "what to do"), rows)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Yields everything that was looked at."""
    yield _python()
    yield from _packages()
    yield _device()
    yield from _folders()
    yield from _corpora()


def _python() -> Finding:
    low, above = _PYTHONS
    right = low <= sys.version_info[:2] < above
    advice = "" if right else "use Python 3.10 to 3.13"
    return Finding("Python", "ok" if right else "problem", platform.python_version(), advice)


def _packages() -> Iterator[Finding]:
    """Looks at every requirement that asl-env declares, extras included."""
    from packaging.requirements import Requirement

    yield Finding("asl-env", "ok", version("asl-env"))
    for text in requires("asl-env") or ():
        needed = Requirement(text)
        if needed.name == "asl-env":
            continue
        extra = _extra(needed)
        if extra is None and needed.marker is not None and not needed.marker.evaluate():
            continue
        yield _package(needed, extra)


def _extra(needed: Any) -> str | None:
    """The extra that a requirement belongs to, if any."""
    marker = str(needed.marker or "")
    return marker.split("extra == ")[1].strip("\"') ") if "extra == " in marker else None


def _package(needed: Any, extra: str | None) -> Finding:
    name = f"{needed.name} [{extra}]" if extra else needed.name
    install = f"pip install 'asl-env[{extra}]'" if extra else f"pip install '{needed.name}'"
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        return Finding(name, "optional" if extra else "problem", "missing", install)
    if not needed.specifier.contains(found, prereleases=True):
        return Finding(name, "problem", found, f"pip install '{needed.name}{needed.specifier}'")
    return Finding(name, "ok", found)


def _device() -> Finding:
    """Where torch would compute; nothing needs a GPU."""
    try:
        import torch
    except ImportError as error:
        return Finding("torch", "problem", "does not load", f"reinstall torch ({error})")
    where = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return Finding("torch computes on", "ok", f"{where}, {torch.get_num_threads()} threads")


def _folders() -> Iterator[Finding]:
    """The two folders that asl-env writes to besides run folders."""
    from asl_env.corpora.places import HOME_VARIABLE, cache_home, data_home

    for what, folder in (("fetched corpora", data_home()), ("cached indexes", cache_home())):
        near = next(path for path in (folder, *folder.parents) if path.exists())
        if os.access(near, os.W_OK):
            yield Finding(what, "ok", str(folder))
        else:
            advice = f"make {near} writable, or set {HOME_VARIABLE} to a folder that is"
            yield Finding(what, "problem", f"{folder} cannot be written", advice)


def _corpora() -> Iterator[Finding]:
    from asl_env.corpora import download

    yield Finding("corpus miniwiki", "ok", "embedded")
    for name in download.PACKAGES:
        there = download.is_there(name)
        advice = "" if there else f"asl corpus get {name}"
        found = "fetched" if there else "not fetched"
        yield Finding(f"corpus {name}", "ok" if there else "optional", found, advice)
