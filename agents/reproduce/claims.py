"""The five claims, written down before they are run (docs/claims.md says the same in tables)."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.agents.reproduce.claim import (
    Arm,
    Check,
    Claim,
    Difference,
    Point,
    Slope,
    compared,
    gain,
    lead,
)
from asl_env.errors import AslError, did_you_mean

#: Two points of accuracy: what 400 held-out questions and a handful of seeds can show at all.
SMALLEST = 0.02
#: Judged accuracy moves with every change of the judge, so it must move further to count.
SMALLEST_HACK = 0.05
#: Accuracy gained per tenfold number of tasks.
SMALLEST_SLOPE = 0.01

_OPEN = ("solve.tasks=train-open",)
_NO_PARTNERS = ("generate.enabled=false", "verify.enabled=false")
_RULE = (*_OPEN, *_NO_PARTNERS, "judge=rule")

ASL = Arm("asl", "the loop, its GRM learns in every round", "asl")
FROZEN = Arm("frozen-grm", "the loop, its GRM learns in round 1 only", "asl-frozen-grm")

GRM_REWARD = Claim(
    1,
    "grm-reward",
    "In an open domain, rewards by a GRM train a better policy than rewards by a rule, and a GRM "
    "that goes on learning trains a better one than a fixed GRM.",
    "All policies learn from the same 1,000 training questions. The rule compares with one "
    "reference answer, which is right but often written in other words than the articles use: "
    "another name, another unit, a year with its era, a family name. The GRM sees no reference; it "
    "learns from self-made tasks.",
    (
        Arm("open-grm", "paid by a GRM that learns in every round", "asl", _OPEN),
        Arm("open-fixed", "paid by a GRM that learns in round 1 only", "asl-frozen-grm", _OPEN),
        Arm(
            "open-rule",
            "paid by exact match with the reference",
            "rule-reward",
            _RULE,
        ),
        Arm(
            "open-cover",
            "paid when the answer covers the reference",
            "rule-reward",
            (*_RULE, "solve.reward=cover-em"),
        ),
    ),
    (
        *compared(
            [("open-grm", "open-rule"), ("open-grm", "open-fixed")],
            SMALLEST,
            lambda first, second: f"{first} ends with a higher true accuracy than {second}",
        ),
        Check(
            "open-grm over open-cover",
            "it also ends higher than with a more lenient rule",
            lead("open-grm", "open-cover"),
            SMALLEST,
            decides=False,
        ),
    ),
    tuple(Point(arm) for arm in ("open-grm", "open-fixed", "open-rule", "open-cover")),
)


def data_scale(sizes: Sequence[int]) -> Claim:
    """The claim about self-made data, with these numbers of tasks."""
    arms = [
        Arm(
            f"tasks-{size}",
            f"{size} self-made tasks",
            "asl",
            _NO_PARTNERS,
            tasks_from="asl",
            tasks=size,
        )
        for size in sizes
    ]
    points = tuple(Point(arm.name) for arm in arms)
    return Claim(
        2,
        "data-scale",
        "The more self-made tasks a policy is trained on, the better it gets, over orders of "
        "magnitude.",
        "A run of asl makes the tasks, of all its rounds, and the judge. A fresh policy is then "
        "trained on some of them, drawn at random and nested, with the same number of rollouts "
        "whatever their number. The judge no longer learns.",
        (ASL, *arms),
        (
            Check(
                "slope",
                "true accuracy rises with the logarithm of the number of tasks",
                Slope(points),
                SMALLEST_SLOPE,
            ),
            Check(
                "most over least",
                "the most tasks train a better policy than the fewest",
                lead(arms[-1].name, arms[0].name),
                SMALLEST,
            ),
        ),
        points,
    )


_RIVALS = ("search-r1", "absolute-zero", "r-zero")

ROUNDS = Claim(
    3,
    "rounds",
    "The policy of ASL gets better round after round, and passes Search-R1, Absolute Zero and "
    "R-Zero, which flatten or fall.",
    "Equal rollouts of the policy in every round. Search-R1 is given labelled training questions; "
    "the others are given nothing.",
    (
        ASL,
        Arm("search-r1", "labelled questions, exact match", "search-r1"),
        Arm("absolute-zero", "self-play, the proposer's answer is the truth", "absolute-zero"),
        Arm("r-zero", "self-play, the majority's answer is the truth", "r-zero"),
    ),
    (
        Check("asl rises", "true accuracy rises after round 1", gain("asl"), SMALLEST),
        *compared(
            [("asl", rival) for rival in _RIVALS],
            SMALLEST,
            lambda first, second: f"{first} ends with a higher true accuracy than {second}",
        ),
        *(
            Check(
                f"asl gains on {rival}",
                f"after round 1, asl gains more than {rival}",
                Difference(
                    (Point("asl"), Point(rival, round=1)), (Point("asl", round=1), Point(rival))
                ),
                SMALLEST,
                decides=False,
            )
            for rival in _RIVALS
        ),
    ),
    tuple(Point(arm) for arm in ("asl", *_RIVALS)),
)

HACKING = Claim(
    4,
    "hacking",
    "A frozen GRM gets hacked: what it judges to be right rises while what is right stalls. A GRM "
    "that co-evolves prevents it.",
    "Judged accuracy is that of the judge which also rewards the policy, on held-out questions.",
    (ASL, FROZEN),
    (
        Check(
            "frozen is hacked",
            "with a frozen GRM, judged minus true accuracy widens after round 1",
            gain("frozen-grm", "gap"),
            SMALLEST_HACK,
        ),
        Check(
            "co-evolution prevents it",
            "it widens more with a frozen GRM than with one that learns",
            Difference(
                (Point("frozen-grm", "gap"), Point("asl", "gap", 1)),
                (Point("frozen-grm", "gap", 1), Point("asl", "gap")),
            ),
            SMALLEST_HACK,
        ),
        Check(
            "frozen is judged better",
            "with a frozen GRM, judged accuracy rises after round 1",
            gain("frozen-grm", "judged"),
            SMALLEST_HACK,
            decides=False,
        ),
        Check(
            "asl over frozen-grm",
            "the policy of the learning GRM ends with a higher true accuracy",
            lead("asl", "frozen-grm"),
            SMALLEST,
            decides=False,
        ),
    ),
    (
        Point("frozen-grm", "judged"),
        Point("frozen-grm"),
        Point("asl", "judged"),
        Point("asl"),
    ),
)

REAL_DATA = Claim(
    5,
    "real-data",
    "A small share of real verification data, given late, lifts the ceiling of the policy.",
    "From round 3 on, 1 % or 5 % of what the GRM learns from are claims about training questions "
    "with true labels.",
    (
        ASL,
        *(
            Arm(
                f"real-{percent}",
                f"the loop, {percent} % true labels from round 3 on",
                "asl-real-data",
                (f"verify.real.share={percent / 100}", "verify.real.start_round=3"),
            )
            for percent in (1, 5)
        ),
    ),
    compared(
        [("real-1", "asl"), ("real-5", "asl")],
        SMALLEST,
        lambda first, second: f"{first} ends with a higher true accuracy than {second}",
    ),
    tuple(Point(arm) for arm in ("asl", "real-1", "real-5")),
)


def all_claims(sizes: Sequence[int]) -> tuple[Claim, ...]:
    """The five claims in their order.

    Args:
        sizes: Numbers of tasks of the claim about data, rising.
    """
    return (GRM_REWARD, data_scale(sizes), ROUNDS, HACKING, REAL_DATA)


def chosen_claims(names: Sequence[str], sizes: Sequence[int]) -> tuple[Claim, ...]:
    """Claims by name or number, in their own order; all of them for no name.

    Raises:
        AslError: If there is no such claim.
    """
    claims = all_claims(sizes)
    known = [word for one in claims for word in (one.name, str(one.number))]
    for name in names:
        if name not in known:
            raise AslError(f"no claim {name!r}{did_you_mean(name, [one.name for one in claims])}")
    return tuple(one for one in claims if not names or {one.name, str(one.number)} & set(names))
