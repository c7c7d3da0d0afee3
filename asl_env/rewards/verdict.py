"""The grammar of verdicts: what a judge may say, compared for equality.

The released code looks for substrings, which is how it is hacked: "conclusion: correct/wrong",
"not correct" and "wrong, the correct answer is Paris" all count as correct there. The functions
called ``released_*`` keep that behaviour for studies of exactly this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Verdict = Literal["correct", "wrong"]

_VERDICTS: Mapping[str, Verdict] = {
    "conclusion: correct": "correct",
    "conclusion: wrong": "wrong",
}
_GRADE = re.compile(r"conclusion: ([A-Z])\b(.*)")
_OTHER_GRADE = re.compile(r"\b[A-Z]\b")


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


def parse_grade(answer: str | None, letters: str = "ABCDE") -> float | None:
    """Reads a graded verdict, for judges that rank: ``conclusion: B``, case-sensitive.

    The letters divide (0, 1] evenly, best first: with five, A is 1.0, B 0.8 … E 0.2.

    Args:
        answer: Content of the answer tag, ``None`` if there was none.
        letters: The grades that exist, best first.

    Returns:
        The grade, or ``None`` if the answer does not start with one or names a second one.
    """
    match = _GRADE.fullmatch(" ".join((answer or "").split()))
    if match is None or match[1] not in letters or _OTHER_GRADE.search(match[2]):
        return None
    return (len(letters) - letters.index(match[1])) / len(letters)


def write_grade(grade: float, letters: str = "ABCDE") -> str | None:
    """Returns the answer text that states a grade; ``None`` below the lowest grade.

    Args:
        grade: A number in [0, 1]; rounded to the nearest grade.
        letters: The grades that exist, best first.
    """
    step = round(grade * len(letters))
    return f"conclusion: {letters[-step]}" if step else None


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
