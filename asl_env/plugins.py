"""Parts that other distributions add through entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any


def plugin_names(group: str) -> list[str]:
    """Returns the names that installed distributions register in an entry-point group."""
    return sorted({entry.name for entry in entry_points(group=group)})


def load_plugin(group: str, name: str) -> Any | None:
    """Loads the part registered under a name, or returns ``None`` if nobody registered it.

    Args:
        group: Entry-point group, such as ``asl_env.dialects``.
        name: Name of the part.
    """
    for entry in entry_points(group=group, name=name):
        return entry.load()
    return None
