"""Draws the tables and figures of docs/claims.md anew from the committed result files.

    python benchmarks/claims.py            # rewrite docs/claims.md and docs/claims-*.svg
    python benchmarks/claims.py --check    # fail if the page does not say what the code registers

Everything between two markers of the page is written by this script; the rest is left alone. The
results are made by ``asl reproduce --results benchmarks/results/claims``.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from asl_env.agents.reproduce.claims import all_claims
from asl_env.agents.reproduce.figures import claim_figure
from asl_env.agents.reproduce.outcome import judge, read_results
from asl_env.agents.reproduce.page import (
    arm_table,
    budgets,
    fooled_table,
    outcome_table,
    registered,
)
from asl_env.agents.reproduce.setting import SETTINGS, Setting
from asl_env.corpora.miniwiki import trainset
from asl_env.corpora.miniwiki.restating import restate
from asl_env.rewards.matching import cover_em, em

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "claims"
PAGE = ROOT / "docs" / "claims.md"


def registration() -> dict[str, str]:
    """The parts of the page that are fixed before anything is run."""
    sizes = SETTINGS["candidates"].sizes
    return {
        "budgets": budgets(SETTINGS.values()),
        "registered": registered(all_claims(sizes)),
        "misjudged": misjudged(),
    }


def misjudged() -> str:
    """How often a rule misjudges the articles' own words, on the embedded training questions."""
    words = [
        (
            record["golden_answers"][0],
            [restate(record["golden_answers"], record["metadata"]["chain"][-1])],
        )
        for record in trainset.load()
    ]
    exact = sum(not em(*pair) for pair in words) / len(words)
    cover = sum(not cover_em(*pair) for pair in words) / len(words)
    return (
        f"Of {len(words):,} embedded training questions, {100 * exact:.0f} % have a reference that "
        f"is not exactly what the articles say, and {100 * cover:.0f} % one that this does not "
        "cover either."
    )


def outcomes(setting: Setting) -> str:
    """Tables of one learner; its figures are written beside the page."""
    claims = all_claims(setting.sizes)
    results = read_results(claims, setting, RESULTS)
    if not any(results.seeds([arm.name]) for claim in claims for arm in claim.arms):
        return "Not run yet."
    parts = [outcome_table(judge(claims, setting, results)), arm_table(claims, results)]
    for claim in claims:
        drawing = claim_figure(claim, results)
        if drawing:
            name = f"claims-{setting.learner}-{claim.name}.svg"
            (PAGE.parent / name).write_text(drawing, encoding="utf-8")
            parts.append(f"![Claim {claim.number}: {claim.hypothesis}]({name})")
    shown = fooled_table("frozen-grm", results)
    if shown:
        parts.append(f"Wrong answers that the frozen GRM accepted after the last round:\n\n{shown}")
    return "\n\n".join(parts)


def filled(text: str, parts: dict[str, str]) -> str:
    """The page with what stands between its markers replaced."""
    for name, content in parts.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{PAGE}: the markers of {name!r} are missing")
        text = pattern.sub(lambda found, new=content: f"{found[1]}\n{new}\n\n{found[2]}", text)
    return text


def main() -> None:
    """Rewrites the page, or checks its registered part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    if arguments.check:
        if filled(text, registration()) != text:
            raise SystemExit(f"{PAGE.name} differs from the registered claims; run this script")
        return
    parts = registration() | {name: outcomes(one) for name, one in SETTINGS.items()}
    PAGE.write_text(filled(text, parts), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
