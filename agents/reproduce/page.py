"""The claims as Markdown: what was registered, and what came out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asl_env.agents.reproduce.claim import Claim
from asl_env.agents.reproduce.costs import COLUMNS, arm_costs
from asl_env.agents.reproduce.outcome import Outcome
from asl_env.agents.reproduce.results import Results, metric_of
from asl_env.agents.reproduce.setting import Setting
from asl_env.agents.reproduce.verdict import interquartile_means

#: Wrong answers that are shown.
_EXAMPLES = 12


def registered(claims: Sequence[Claim]) -> str:
    """The descriptions of claims: hypothesis, arms, comparisons."""
    parts = []
    for claim in claims:
        parts.append(f"### {claim.number}. {claim.name}\n\n{claim.hypothesis} {claim.setting}")
        arms = [
            (
                f"`{arm.name}`",
                arm.about,
                f"`{arm.recipe}`",
                " ".join(f"`{change}`" for change in arm.changes),
            )
            for arm in claim.arms
        ]
        parts.append(_table(("arm", "what", "recipe", "changes"), arms))
        checks = [
            (check.name, check.says, str(check.effect), f"{check.smallest:g}", _role(check.decides))
            for check in claim.checks
        ]
        columns = ("comparison", "the claim says", "effect per seed", "smallest", "")
        parts.append(_table(columns, checks))
    return "\n\n".join(parts)


def budgets(settings: Iterable[Setting]) -> str:
    """The budgets and seeds of every learner."""
    rows = [
        (
            one.learner,
            "the recipes" if one.base is None else f"`--on {one.base}`",
            str(one.rounds),
            " ".join(f"`{change}`" for change in one.changes),
            " ".join(f"`{change}`" for change in one.given),
            ", ".join(map(str, one.seeds)),
        )
        for one in settings
    ]
    columns = ("learner", "base", "rounds", "every arm", "one round on given tasks", "seeds")
    return _table(columns, rows)


def _role(decides: bool) -> str:
    return "decides" if decides else "is reported"


def outcome_table(outcomes: Sequence[Outcome]) -> str:
    """Verdicts with effect sizes and intervals."""
    rows = []
    for outcome in outcomes:
        head = f"**{outcome.claim.number}. {outcome.claim.name}**"
        rows.append((head, "", "", "", f"**{outcome.verdict}**"))
        for check, found in outcome.findings:
            above = f"{found.positive}/{found.seeds}"
            verdict = found.verdict if check.decides else f"({found.verdict})"
            rows.append((check.name, str(found), f"{check.smallest:g}", above, verdict))
    columns = ("", "effect [95 %]", "smallest", "seeds above 0", "verdict")
    return _table(columns, rows)


def arm_table(claims: Sequence[Claim], results: Results) -> str:
    """What every arm reached and cost in its last round, seeds taken together."""
    rows = []
    for cost in arm_costs(claims, results):
        lasts = [results.last(cost.arm, seed) for seed in results.seeds([cost.arm])]
        scores = [[metric_of(row, name) for name in ("true", "judged")] for row in lasts]
        points, low, high = interquartile_means(scores)
        shown = [f"{points[n]:.3f} [{low[n]:.3f}, {high[n]:.3f}]" for n in range(2)]
        rows.append((f"`{cost.arm}`", str(cost.seeds), *shown, *cost.cells()))
    return _table(("arm", "seeds", "true", "judged", *COLUMNS), rows)


def fooled_table(arm: str, results: Results) -> str:
    """Wrong answers that the judge of an arm took for right, and how they differ from right ones.

    Spread over the seeds; the same pair of question and answer is shown once.
    """
    found = {(row["question"], row["answer"]): row for row in results.fooled(arm)}
    rows = list(found.values())
    step = max(1, len(rows) // _EXAMPLES)
    shown = [
        (_cell(row["question"]), _cell(row["answer"]), _cell(row["golden"]))
        for row in rows[::step][:_EXAMPLES]
    ]
    return _table(("question", "accepted answer", "right answer"), shown) if shown else ""


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")[:160]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
