"""Finds a dialect by its name."""

from __future__ import annotations

from typing import Any

from asl_env.dialects.asl import AslDialect
from asl_env.dialects.search_r1 import SearchR1Dialect
from asl_env.errors import AslError, did_you_mean
from asl_env.plugins import load_plugin, plugin_names
from asl_env.protocols import Dialect

#: Entry-point group: a dialect object, or a class or function without arguments that makes one.
GROUP = "asl_env.dialects"

#: Raised when a built-in dialect reads a turn or writes a result otherwise than before; frozen
#: evaluation specs name the version that they were written for.
GRAMMAR_VERSION = 1

_BUILT_IN: dict[str, Dialect] = {"asl": AslDialect(), "search-r1": SearchR1Dialect()}


def make_dialect(name: str | Dialect = "asl") -> Dialect:
    """Returns the dialect of that name; a dialect object is returned as it is.

    Args:
        name: ``asl``, ``search-r1``, a name from the entry-point group ``asl_env.dialects``, or
            an object that follows the ``Dialect`` protocol.

    Raises:
        AslError: If there is no such dialect, or the object is not one.
    """
    if not isinstance(name, str):
        return _checked(name, repr(type(name).__name__))
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    part = load_plugin(GROUP, name)
    if part is None:
        known = [*_BUILT_IN, *plugin_names(GROUP)]
        raise AslError(f"no dialect is named {name!r}{did_you_mean(name, known)}")
    return _checked(
        part if isinstance(part, Dialect) and not isinstance(part, type) else part(), name
    )


def _checked(part: Any, name: str) -> Dialect:
    if isinstance(part, type) or not isinstance(part, Dialect):
        raise AslError(
            f"dialect {name}: not a dialect; give it every member of the Dialect protocol"
        )
    return part
