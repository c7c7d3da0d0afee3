"""Writing a report for whatever a folder holds."""

from __future__ import annotations

from pathlib import Path

from asl_env.agents.coevolution.runfolder import CONFIG
from asl_env.agents.report.evaluation import evaluation_page
from asl_env.agents.report.run import run_page
from asl_env.errors import RecordError, RunError
from asl_env.evaluation.folder import ROWS

#: Name of the file that is written into the folder.
REPORT = "report.html"


def write_report(folder: str | Path, out: str | Path | None = None) -> Path:
    """Writes the report of a run folder or an evaluation folder.

    Args:
        folder: A run folder (finished or not), or what ``asl eval --out`` wrote.
        out: The HTML file; ``report.html`` in the folder by default.

    Returns:
        The path of the report.

    Raises:
        RecordError: If the folder holds neither, or a log in it cannot be read.
        RunError: If the run's configuration is damaged, or the report cannot be written.
    """
    source = Path(folder)
    if (source / CONFIG).is_file():
        html = run_page(source)
    elif (source / ROWS).is_file():
        html = evaluation_page(source)
    else:
        raise RecordError(f"{source}: neither a run folder nor the folder of an evaluation")
    path = source / REPORT if out is None else Path(out)
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(html, encoding="utf-8", errors="replace")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path
