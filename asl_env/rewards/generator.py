"""What a question is worth to the generator that wrote it: one table of formulas.

With m the mean verdict over the n solves of a question, p_v the share of verdict v and k the
number of right solves:

| name | formula | from |
|---|---|---|
| ``asl`` | H = −Σ p_v ln p_v, behind the verification gate | ASL (arXiv 2510.14253), main runs |
| ``entropy`` | H | ASL, variant |
| ``entropy+tool`` | H + (1 − ln 2) · 1[answer in the last tool response] | ASL, variant |
| ``tool-gt`` | (1[answer in the last tool response] + 1[source answer not in the answer] + 1[source answer not in the question]) / 3 | ASL, variant |
| ``absolute-zero`` | 1 − m if 0 < m < 1 else 0 | Absolute Zero (arXiv 2505.03335) |
| ``r-zero`` | max(0, 1 − 2·abs(m − ½) − λ · cluster share) | R-Zero (arXiv 2508.05004) |
| ``dr-zero`` | (n − k) / (n − 1) if 0 < k < n else 0 | Dr. Zero (Meta) |
| ``learnability`` | 4 m (1 − m) | variance of a solve, scaled to 1 |

The gates (format, verification) and the partners that solve and judge are in ``proposing``.
"""  # noqa: E501 - a table row cannot be broken

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from asl_env.errors import AslError


@dataclass(frozen=True)
class Evidence:
    """What is known about a question after it was solved n times.

    Attributes:
        scores: The verdicts of the solves, each in [0, 1] (binary judges: 0 or 1); at least one.
        tool_hit: The generator's answer is in the last tool response that it saw.
        source_in_answer: The answer of the source question is part of the new answer.
        source_in_question: The answer of the source question is part of the new question.
        cluster_share: Share of the batch's questions that read like this one, itself included.
        penalty: Weight λ of the cluster share.

    Raises:
        AslError: If there are no scores.
    """

    scores: tuple[float, ...]
    tool_hit: bool = False
    source_in_answer: bool = False
    source_in_question: bool = False
    cluster_share: float = 0.0
    penalty: float = 1.0

    def __post_init__(self) -> None:
        if not self.scores:
            raise AslError("a generator reward needs the verdict of at least one solve; got none")

    @property
    def mean(self) -> float:
        """Mean verdict m."""
        return math.fsum(self.scores) / len(self.scores)


def entropy(evidence: Evidence) -> float:
    """Entropy of the verdicts in nats; at most ln 2 for a binary judge, 0 if all agree."""
    total = len(evidence.scores)
    counts = sorted(Counter(evidence.scores).values())  # sorted: the same float in any order
    return math.fsum(-count / total * math.log(count / total) for count in counts)


def entropy_tool(evidence: Evidence) -> float:
    """Entropy, and a bonus that fills it up to 1 if the answer was really found."""
    return entropy(evidence) + (1.0 - math.log(2.0)) * evidence.tool_hit


def tool_gt(evidence: Evidence) -> float:
    """Share of three wishes: answer found, and source answer neither asked for nor given away."""
    novel = (not evidence.source_in_answer) + (not evidence.source_in_question)
    return (evidence.tool_hit + novel) / 3.0


def absolute_zero(evidence: Evidence) -> float:
    """Harder is better, short of impossible.

    The proposer's learnability reward of Absolute Zero (Zhao et al., arXiv 2505.03335, equation 4),
    with m the solver's mean success.
    """
    mean = evidence.mean
    return 1.0 - mean if 0.0 < mean < 1.0 else 0.0


def r_zero(evidence: Evidence) -> float:
    """Best at one half, less what the question shares with others of its batch.

    The challenger's reward of R-Zero (Huang et al., arXiv 2508.05004, section 3.2): uncertainty
    1 − 2·abs(p − ½), less λ·abs(C_k)/B, cut off at zero. The verdicts are R-Zero's if they say
    which answers agree with the majority (see ``voting``); the mean of the verdicts is then p.
    """
    uncertainty = 1.0 - 2.0 * abs(evidence.mean - 0.5)
    return max(0.0, uncertainty - evidence.penalty * evidence.cluster_share)


def dr_zero(evidence: Evidence) -> float:
    """Best when exactly one solve is right; a solve is right from a verdict of one half on."""
    n = len(evidence.scores)
    right = sum(score >= 0.5 for score in evidence.scores)
    return (n - right) / (n - 1) if 0 < right < n else 0.0


def learnability(evidence: Evidence) -> float:
    """Variance of a solve, scaled to [0, 1]."""
    mean = evidence.mean
    return 4.0 * mean * (1.0 - mean)


class GeneratorRule(NamedTuple):
    """One row of the table; call it with the evidence.

    Attributes:
        formula: The formula.
        verifies: Whether the judge must first confirm the generator's own answer.
        clusters: Whether the formula looks at the other questions of the batch.
    """

    formula: Callable[[Evidence], float]
    verifies: bool = False
    clusters: bool = False

    def __call__(self, evidence: Evidence) -> float:
        """Returns the reward."""
        return self.formula(evidence)


#: Every generator reward by name.
GENERATOR_REWARDS: Mapping[str, GeneratorRule] = {
    "asl": GeneratorRule(entropy, verifies=True),
    "entropy": GeneratorRule(entropy),
    "entropy+tool": GeneratorRule(entropy_tool),
    "tool-gt": GeneratorRule(tool_gt),
    "absolute-zero": GeneratorRule(absolute_zero),
    "r-zero": GeneratorRule(r_zero, clusters=True),
    "dr-zero": GeneratorRule(dr_zero),
    "learnability": GeneratorRule(learnability),
}
