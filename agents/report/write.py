"""Writing a report for whatever one or more folders hold."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import BinaryIO

from asl_env.agents.coevolution.runfolder import CONFIG
from asl_env.agents.report.browser import browser
from asl_env.agents.report.catalog import Catalog
from asl_env.agents.report.evaluation import read_evaluation
from asl_env.agents.report.overview import overview
from asl_env.agents.report.page import folded, head, section, tail
from asl_env.agents.report.part import Part
from asl_env.agents.report.run import read_run
from asl_env.errors import RecordError, RunError
from asl_env.evaluation.folder import ROWS

#: Name of the file that is written into the folder.
REPORT = "report.html"


def write_report(folders: str | Path | Sequence[str | Path], out: str | Path | None = None) -> Path:
    """Writes the report of run folders and evaluation folders.

    Episodes go through one at a time, so that memory does not grow with their number.

    Args:
        folders: Run folders (finished or not), or what ``asl eval --out`` wrote; one or more.
        out: The HTML file; by default ``report.html`` in the folder, or, for several folders, in
            the working folder.

    Returns:
        The path of the report.

    Raises:
        RecordError: If a folder holds neither, or a log in it cannot be read.
        RunError: If a run's configuration is damaged, or the report cannot be written.
    """
    sources = [Path(one) for one in ([folders] if isinstance(folders, str | Path) else folders)]
    if not sources:
        raise RunError("no folder to report on; name a run folder or what asl eval --out wrote")
    for source in sources:
        if not (source / CONFIG).is_file() and not (source / ROWS).is_file():
            raise RecordError(
                f"{source}: neither a run folder nor the folder of an evaluation; name what asl "
                "train or asl eval --out wrote"
            )
    alone = sources[0] / REPORT if len(sources) == 1 else Path(REPORT)
    path = alone if out is None else Path(out)
    beside = path.with_name(f".{path.name}.part")
    try:
        with tempfile.TemporaryFile(dir=path.parent) as data:
            catalog = Catalog(data)
            parts = [_read(source, at, catalog) for at, source in enumerate(sources)]
            data.seek(0)
            with beside.open("wb") as file:
                _write(file, parts, data, catalog.count)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def _read(source: Path, number: int, catalog: Catalog) -> Part:
    reads = read_run if (source / CONFIG).is_file() else read_evaluation
    try:
        return reads(source, number, catalog)
    except OSError as error:
        if error.filename is None:  # the catalog, which is written meanwhile, has no name
            raise
        raise RecordError(
            f"{error.filename}: cannot be read ({error.strerror or error})"
        ) from error


def _write(file: BinaryIO, parts: Sequence[Part], data: BinaryIO, count: int) -> None:
    shown = [(name, body) for name, body in _sections(parts) if body]
    if count:
        shown.append(("Trajectories", browser(parts, count)))
    anchored = [(f"s{at}", name, body) for at, (name, body) in enumerate(shown)]
    alone = parts[0] if len(parts) == 1 else None
    title = alone.title if alone is not None else f"{len(parts)} runs and evaluations"
    facts = {**alone.facts} if alone is not None else {}
    facts["episodes"] = f"{count:,}"
    links = [(anchor, name) for anchor, name, _ in anchored]
    _text(file, head(title, facts, links))
    for anchor, name, body in anchored:
        _text(file, section(anchor, name, body))
    _text(file, "</main>\n")
    shutil.copyfileobj(data, file)
    _text(file, tail())


def _sections(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    if len(parts) == 1:
        yield from parts[0].sections
        return
    yield "Overview", overview(parts)
    for part in parts:
        inner = "".join(f"<h3>{escape(name)}</h3>{body}" for name, body in part.sections if body)
        yield part.title, folded("Show", inner)


def _text(file: BinaryIO, text: str) -> None:
    file.write(text.encode("utf-8", errors="replace"))
