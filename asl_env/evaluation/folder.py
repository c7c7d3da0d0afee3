"""The folder of one evaluation: its settings, finished rows batch by batch, and their time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asl_env.errors import RecordError, RunError
from asl_env.evaluation.records import encode, read_objects, recover
from asl_env.evaluation.results import read_rows
from asl_env.evaluation.scoring import Row
from asl_env.protocols import Dialect

SETTINGS, ROWS, SUMMARY = "settings.json", "rows.jsonl", "summary.json"
#: Wall time of each batch. A file of its own: the others repeat to the byte, time does not.
TIMES = "times.jsonl"


class EvalFolder:
    """Keeps an evaluation; what is on the disk is always whole batches.

    Args:
        folder: The folder; made if there is none.
        settings: What is evaluated and how; must be what the folder was begun with.
        dialect: Of the saved episodes.

    Attributes:
        rows: What was finished when the folder was opened.

    Raises:
        RunError: If the folder belongs to another evaluation, or cannot be written.
        RecordError: If its rows cannot be read.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], dialect: Dialect) -> None:
        self.folder = folder
        settings = json.loads(json.dumps(settings))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._settle(settings)
            recover(folder / ROWS)
            recover(folder / TIMES)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written: {error.strerror or error}") from error
        self.rows = read_rows(folder / ROWS, dialect) if (folder / ROWS).exists() else []

    def append(self, rows: Sequence[Row], seconds: float) -> None:
        """Adds finished rows and waits until they are on the disk.

        Args:
            rows: A batch.
            seconds: Wall time that it took.
        """
        self._add(ROWS, b"".join(encode(row.to_json()) for row in rows))
        self._add(TIMES, encode({"questions": len(rows), "seconds": round(seconds, 3)}))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Writes the summary."""
        write_json(self.folder / SUMMARY, summary)

    def _add(self, name: str, lines: bytes) -> None:
        path = self.folder / name
        size = path.stat().st_size if path.exists() else 0
        try:
            with path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            os.truncate(path, size)
            raise RunError(
                f"{path}: cannot be written: {error.strerror or error}; "
                "make room and run the same command again, finished questions are kept"
            ) from error

    def _settle(self, settings: Mapping[str, Any]) -> None:
        path = self.folder / SETTINGS
        if not path.exists():
            if (self.folder / ROWS).exists():
                raise RunError(f"{self.folder}: has rows but no {SETTINGS}; choose another folder")
            write_json(path, settings)
            return
        try:
            before = json.loads(path.read_bytes())
        except ValueError as error:
            raise RunError(f"{path}: not JSON ({error}); choose another folder") from error
        for name in sorted({*before, *settings}):
            old, new = before.get(name), settings.get(name)
            if old != new:
                raise RunError(
                    f"{self.folder}: was begun with {name} = {old!r}, now it is {new!r}; "
                    "choose another folder or the same settings"
                )


def read_settings(folder: Path) -> dict[str, Any]:
    """What an evaluation was run with; empty where its folder does not say.

    Raises:
        RecordError: If the file is there and cannot be read.
    """
    path = folder / SETTINGS
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_bytes())
    except ValueError as error:
        raise RecordError(f"{path}: not JSON ({error}); evaluate again") from error
    return settings if isinstance(settings, dict) else {}


def seconds_per_question(folder: Path) -> float | None:
    """Mean wall time of a question in seconds; ``None`` where no time was written down.

    Questions of a batch run together: this is the time of the batches by their questions.

    Raises:
        RecordError: If the file of times cannot be read.
    """
    path = folder / TIMES
    if not path.is_file():
        return None
    questions, seconds = 0.0, 0.0
    for _, record in read_objects(path):
        size, taken = record.get("questions"), record.get("seconds")
        if isinstance(size, int | float) and isinstance(taken, int | float):
            questions, seconds = questions + size, seconds + taken
    return seconds / questions if questions > 0 else None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON file that is either complete or not there."""
    beside = path.with_name(f".{path.name}.partial")
    beside.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)
