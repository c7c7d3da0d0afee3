"""Majority votes: what most attempts answer stands in for the truth, without any judge.

R-Zero (Huang et al., arXiv 2508.05004, section 3.3) takes the commonest answer of the solver as the
pseudo-label of a question, ỹ = argmax_y Σ_j 1[y_j = y]; the share of answers equal to it is the
solver's empirical accuracy p = (1/m) Σ_j 1[y_j = ỹ], on which the challenger's reward (section 3.2)
and the filter of the tasks stand. Answers are equal here if they normalise to the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from asl_env.rewards.matching import cover_em
from asl_env.rewards.verdict import Verdict
from asl_env.text import normalize


def majority_answer(answers: Sequence[str | None]) -> str | None:
    """The commonest answer up to normalisation; the first among equals.

    Args:
        answers: One per attempt; ``None`` where none was given.

    Returns:
        The answer as it was first written; ``None`` if all are missing or normalise to nothing.
    """
    counts = Counter(text for answer in answers if (text := normalize(answer or "")))
    if not counts:
        return None
    best = max(counts, key=lambda text: counts[text])  # first among equals: insertion order
    return next(answer for answer in answers if answer and normalize(answer) == best)


def majority_is(answers: Sequence[str | None], reference: str) -> bool:
    """Whether the commonest answer contains the reference; it does not if there is none.

    Args:
        answers: One per attempt; ``None`` where none was given.
        reference: What the commonest one is compared with, by ``cover_em``.
    """
    commonest = majority_answer(answers)
    return commonest is not None and bool(cover_em(commonest, [reference]))


def majority_verdicts(answers: Sequence[str | None]) -> list[Verdict]:
    """A verdict per attempt: ``correct`` if it gives the majority's answer.

    The share of ``correct`` is R-Zero's p; a missing answer agrees with nobody.

    Args:
        answers: One per attempt; ``None`` where none was given.
    """
    best = normalize(majority_answer(answers) or "")
    return [
        "correct" if best and normalize(answer or "") == best else "wrong" for answer in answers
    ]
