"""What came out: a finding per comparison, a verdict per claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asl_env.agents.reproduce.claim import Check, Claim
from asl_env.agents.reproduce.jobs import Job, plan
from asl_env.agents.reproduce.results import Results
from asl_env.agents.reproduce.setting import Setting
from asl_env.agents.reproduce.verdict import Finding, Verdict, find, together


@dataclass(frozen=True)
class Outcome:
    """A claim and what was found.

    Attributes:
        claim: The claim.
        findings: One per comparison, in the claim's order.
    """

    claim: Claim
    findings: tuple[tuple[Check, Finding], ...]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the claim."""
        return together([finding for check, finding in self.findings if check.decides])


def digests(claims: Sequence[Claim], setting: Setting) -> dict[str, str]:
    """What each arm of the claims runs (``Job.digest``)."""
    jobs = plan(claims, setting, Path())
    return {job.arm.name: job.digest for job in _one_per_arm(jobs)}


def _one_per_arm(jobs: Sequence[Job]) -> list[Job]:
    return list({job.arm.name: job for job in jobs}.values())


def read_results(claims: Sequence[Claim], setting: Setting, folder: Path) -> Results:
    """Opens the result files of a setting.

    Args:
        claims: The claims.
        setting: Budget, learner and seeds.
        folder: Folder with one folder per learner.

    Raises:
        RecordError: If a file is damaged, or holds results of another description.
    """
    return Results(folder / setting.learner, digests(claims, setting))


def judge(claims: Sequence[Claim], setting: Setting, results: Results) -> list[Outcome]:
    """Judges claims by the seeds for which all arms of a comparison have results.

    A seed on which a number was not measured (a judge without a single valid verdict) is left out.

    Args:
        claims: The claims.
        setting: Its seeds count, others do not.
        results: The results.
    """
    outcomes = []
    for claim in claims:
        findings = []
        for check in claim.checks:
            seeds = [s for s in results.seeds(check.effect.arms) if s in setting.seeds]
            effects = [check.effect.of(results.run(seed)) for seed in seeds]
            values = [effect for effect in effects if math.isfinite(effect)]
            findings.append((check, find(values, check.smallest)))
        outcomes.append(Outcome(claim, tuple(findings)))
    return outcomes
