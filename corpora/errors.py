"""The error family of the project: every message is one line that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AslError(Exception):
    """Base of every error raised on purpose; the command line prints it as one line."""


class CorpusError(AslError):
    """A corpus file, passage or download that cannot be used; the message names file and line."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ``"; did you mean 'x'?"`` for the nearest known name, else a list of what there is.

    Args:
        name: What the user wrote.
        known: Every name that would have been accepted.

    Returns:
        The tail of an error message, starting with ``"; "``.
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
