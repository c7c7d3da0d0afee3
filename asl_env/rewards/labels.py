"""Labels for the GRM seat: where they come from, and how they are balanced.

| source | a solver's answer is labelled correct if |
|---|---|
| ``reference`` | it covers the generator's own answer (rule match) |
| ``self`` | the judge's earlier verdict on it says so |
| ``majority`` | most verdicts on all solves with this (normalised) answer say so |

Real data, the fourth source, comes with its labels: ``real_claims``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from asl_env.episode import Claim, Task
from asl_env.errors import AslError, did_you_mean
from asl_env.rewards.matching import cover_em
from asl_env.rewards.proposing import Solve
from asl_env.rewards.verdict import Verdict
from asl_env.text import normalize

LabelSource = Literal["reference", "self", "majority"]

Labels = list[Verdict | None]


def reference_labels(solves: Sequence[Solve], reference: str) -> Labels:
    """Labels answers by rule match with the reference answer; no answer, no label."""
    return [
        None
        if solve["answer"] is None
        else ("correct" if cover_em(solve["answer"], [reference]) else "wrong")
        for solve in solves
    ]


def self_labels(solves: Sequence[Solve], reference: str) -> Labels:
    """Labels answers by the verdicts they got; no answer or no verdict, no label."""
    return [None if solve["answer"] is None else solve["verdict"] for solve in solves]


def majority_labels(solves: Sequence[Solve], reference: str) -> Labels:
    """Labels answers by most verdicts on all solves with the same answer; a tie has no label."""
    votes: Counter[str] = Counter()
    for solve in solves:
        if solve["answer"] is not None and solve["verdict"] is not None:
            votes[normalize(solve["answer"])] += 1 if solve["verdict"] == "correct" else -1
    return [
        None if solve["answer"] is None else _sign(votes[normalize(solve["answer"])])
        for solve in solves
    ]


def _sign(votes: int) -> Verdict | None:
    if votes == 0:
        return None
    return "correct" if votes > 0 else "wrong"


#: Label sources by name.
LABEL_SOURCES: Mapping[str, Callable[[Sequence[Solve], str], Labels]] = {
    "reference": reference_labels,
    "self": self_labels,
    "majority": majority_labels,
}


def claims_from_solves(
    question: str,
    reference: str,
    solves: Sequence[Solve],
    source: str,
    *,
    id: str,
    rng: np.random.Generator | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> list[Claim]:
    """Makes labelled claims from the judged solves of one question.

    Args:
        question: The question.
        reference: The generator's answer.
        solves: ``RewardParts.extras["solves"]`` of the generator's episode.
        source: ``reference``, ``self`` or ``majority``.
        id: Start of the claims' ids; the number of the solve is appended.
        rng: Balances the claims; ``None`` keeps all of them.
        provenance: Stored with every claim, beside the label source.

    Returns:
        Claims in the order of the solves; solves without a label are left out.

    Raises:
        AslError: If there is no such source.
    """
    if source not in LABEL_SOURCES:
        raise AslError(f"no label source is named {source!r}{did_you_mean(source, LABEL_SOURCES)}")
    labels = LABEL_SOURCES[source](solves, reference)
    origin = {**(provenance or {}), "labels": source}
    claims = [
        Claim(f"{id}-{number}", question, solve["answer"], label, origin)
        for number, (solve, label) in enumerate(zip(solves, labels, strict=True))
        if label is not None and solve["answer"] is not None
    ]
    return claims if rng is None else balance(claims, rng)


def balance(claims: Sequence[Claim], rng: np.random.Generator) -> list[Claim]:
    """Keeps the rarer label whole, and equally many random claims with the other label.

    Claims that all have the same label balance to nothing; claims without a label are left out.

    Args:
        claims: Claims, as a rule of one question.
        rng: Chooses which of the commoner label are kept.

    Returns:
        The kept claims in their old order.
    """
    groups: dict[str, list[int]] = {"correct": [], "wrong": []}
    for index, claim in enumerate(claims):
        if claim.label is not None:
            groups[claim.label].append(index)
    size = min(len(group) for group in groups.values())
    kept: list[int] = []
    for group in groups.values():
        if len(group) > size:
            group = [group[i] for i in rng.permutation(len(group))[:size]]
        kept.extend(group)
    return [claims[index] for index in sorted(kept)]


def real_claims(tasks: Sequence[Task], count: int, rng: np.random.Generator) -> list[Claim]:
    """Makes balanced claims from tasks whose answers are known to be right.

    Each drawn task gives a correct claim (its first answer) and a wrong one (the answer of
    another task that does not match any of its own).

    Args:
        tasks: Tasks with real answers.
        count: Number of claims; an odd one is rounded up.
        rng: Draws tasks and wrong answers.

    Returns:
        The claims, correct and wrong in turn; tasks for which no wrong answer exists are passed
        over, so there may be fewer.
    """
    claims: list[Claim] = []
    for index in rng.permutation(len(tasks)):
        if len(claims) >= count:
            break
        task = tasks[index]
        wrong = _wrong_answer(task, tasks, rng)
        if wrong is None:
            continue
        origin = {"labels": "real", "task": task.id}
        claims.append(Claim(f"{task.id}-real", task.question, task.answers[0], "correct", origin))
        claims.append(Claim(f"{task.id}-false", task.question, wrong, "wrong", origin))
    return claims


def _wrong_answer(task: Task, tasks: Sequence[Task], rng: np.random.Generator) -> str | None:
    for index in rng.integers(len(tasks), size=100):
        answer: str = tasks[index].answers[0]
        if not cover_em(answer, task.answers) and not cover_em(task.answers[0], [answer]):
            return answer
    return None
