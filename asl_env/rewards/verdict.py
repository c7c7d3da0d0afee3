"""The grammar of verdicts: what a judge may say, compared for equality.

The released code looks for substrings, which is how it is hacked: "conclusion: correct/wrong",
"not correct" and "wrong, the correct answer is Paris" all count as correct there. The functions
called ``released_*`` keep that behaviour for studies of exactly this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Verdict = Literal["correct", "wrong"]

_VERDICTS: Mapping[str, Verdict] = {
    "conclusion: correct": "correct",
    "conclusion: wrong": "wrong",
}
_GRADES: Mapping[str, float] = {
    "conclusion: A": 1.0,
    "conclusion: B": 0.8,
    "conclusion: C": 0.6,
    "conclusion: D": 0.4,
    "conclusion: E": 0.2,
}


def write_verdict(verdict: Verdict) -> str:
    """Returns the answer text that states a verdict: ``conclusion: correct``."""
    return f"conclusion: {verdict}"


def parse_verdict(answer: str | None) -> Verdict | None:
    """Reads a verdict from the text of the last answer tag.

    Args:
        answer: Content of the answer tag, ``None`` if there was none.

    Returns:
        ``correct`` or ``wrong`` if the answer is exactly ``conclusion: correct`` or
        ``conclusion: wrong``, apart from case and the amount of white space; else ``None``.
    """
    return None if answer is None else _VERDICTS.get(" ".join(answer.lower().split()))


def parse_grade(answer: str | None) -> float | None:
    """Reads a graded verdict ``conclusion: A`` (1.0), ``B`` (0.8) … ``E`` (0.2); case-sensitive.

    Args:
        answer: Content of the answer tag, ``None`` if there was none.

    Returns:
        The grade, or ``None`` for anything else.
    """
    return None if answer is None else _GRADES.get(" ".join(answer.split()))


def released_verdict(output: str) -> Verdict:
    """Reads a verdict as the released ASL judge does, holes included.

    Args:
        output: Everything the judge wrote.

    Returns:
        ``correct`` if the text after the last "conclusion" contains "correct" but not
        "incorrect", in any case; else ``wrong``.
    """
    _, found, tail = output.lower().rpartition("conclusion")
    return "correct" if found and "correct" in tail and "incorrect" not in tail else "wrong"
