"""Reading a run's logs: lines that need not be there, values that need not be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asl_env.evaluation.records import read_objects


def get(metrics: Mapping[str, Any], path: str) -> Any:
    """Returns a nested value by its dotted path, ``None`` where there is none."""
    value: Any = metrics
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the objects of a JSONL file; none if there is no file.

    Raises:
        RecordError: If a line cannot be read.
    """
    if path.exists():
        for _, record in read_objects(path):
            yield record
