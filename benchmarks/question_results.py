"""Scores of real questions as small files: ids, numbers and settings, no text of anybody's.

``sets/SET.json`` has the ids of the questions that were asked; ``SPEC/SET/AGENT.json`` has one
column per metric and cost, in the order of those ids, with ``null`` where there is no number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from question_sets import FILES, Asked

import asl_env
from asl_env.evaluation.results import COSTS, EvalResult
from asl_env.evaluation.scoring import SCORES

Record = Mapping[str, Any]


def record_of(result: EvalResult) -> dict[str, Any]:
    """The small form of a result."""
    rows = result.rows
    columns: dict[str, list[float | None]] = {}
    for name in SCORES:
        if any(name in row.scores for row in rows):
            columns[name] = [_short(row.scores.get(name)) for row in rows]
    for name in COSTS:
        if any(name in row.costs for row in rows):
            columns[name] = [_short(row.costs.get(name)) for row in rows]
    return {
        "settings": dict(result.settings),
        "version": asl_env.__version__,
        "ids": digest(row.task.id for row in rows),
        "counts": dict(result.counts),
        "seconds": None if result.seconds is None else round(result.seconds, 4),
        "columns": columns,
    }


def digest(ids: Iterator[str]) -> str:
    """Tells whether two lists of ids are the same."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


class Results:
    """A folder of such files.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write_set(self, asked: Asked, passages: int) -> None:
        """Writes what is asked of a set."""
        about = {
            "passages": passages,
            "questions": asked.total,
            "evidence": asked.evidence if asked.titled else None,
            "answers": asked.answers,
            "ids": [task.id for task in asked.tasks],
        }
        _write(self._folder / "sets" / f"{asked.name}.json", about)

    def write(self, spec: str, name: str, agent: str, record: Record) -> None:
        """Writes what an agent reached on a set."""
        _write(self._folder / spec / name / f"{agent}.json", record)

    def sets(self) -> dict[str, Record]:
        """What was asked, by set."""
        paths = sorted((self._folder / "sets").glob("*.json"), key=_place)
        return {path.stem: _read(path) for path in paths}

    def specs(self) -> list[str]:
        """Names of the specs by which was asked."""
        return sorted({path.parent.parent.name for path in self._folder.glob("*/*/*.json")})

    def agents(self, spec: str, name: str, ids: list[str]) -> dict[str, Record]:
        """What agents reached on a set; those that were asked other questions are left out."""
        wanted = digest(iter(ids))
        found = {
            path.stem: _read(path) for path in sorted((self._folder / spec / name).glob("*.json"))
        }
        return {agent: record for agent, record in found.items() if record["ids"] == wanted}


def _place(path: Path) -> tuple[int, str]:
    """Sets in the order of ``FILES``, those of one file by name."""
    numbers = [n for n, name in enumerate(FILES) if f"{path.stem}-".startswith(f"{name}-")]
    return numbers[0] if numbers else len(FILES), path.stem


def _short(value: float | None) -> float | None:
    if value is None:
        return None
    return int(value) if value == int(value) else round(value, 4)


def _write(path: Path, content: Record) -> None:
    """One line per field and column, complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = content.get("columns")
    lines = [
        f" {_dumps(key)}: {_dumps(value)}" for key, value in content.items() if key != "columns"
    ]
    if columns is not None:
        inner = ",\n".join(f"  {_dumps(key)}: {_dumps(value)}" for key, value in columns.items())
        lines.append(f' "columns": {{\n{inner}\n }}')
    part = path.with_name(f".{path.name}.part")
    part.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    part.replace(path)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content
