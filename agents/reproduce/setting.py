"""The budgets and seeds of the claims: who learns, for how long, how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from asl_env.errors import AslError, did_you_mean

#: Seeds from this one on are for trials of feasibility; none of them is evidence.
DEV_SEEDS = 100


@dataclass(frozen=True)
class Setting:
    """What all arms have in common.

    Attributes:
        learner: Its name: what the results are filed under.
        agent: Who plays all seats, as ``asl train --agent`` takes it.
        base: The recipe that arms are put on (``asl train --on``); ``None`` for the recipes' own.
        rounds: Rounds of every arm, but for those that train on given tasks.
        changes: Changes of every arm's recipe; the budget above all.
        given: Further changes of the arms that train on given tasks, in one round.
        sizes: The numbers of given tasks.
        seeds: The seeds.
        evidence: Whether results count; budgets of a trial and development seeds do not.
        options: More options of ``asl train``.
    """

    learner: str
    agent: str
    base: str | None
    rounds: int
    changes: tuple[str, ...]
    given: tuple[str, ...]
    sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    evidence: bool = True
    options: tuple[str, ...] = ()

    def quick(self) -> Setting:
        """The smallest budget that passes through everything. Shows nothing but that it runs."""
        return replace(
            self.development(2),
            rounds=2,
            changes=(*self.changes, *_QUICK),
            given=(),
            sizes=(2, 4, 8, 16, 32),
        )

    def development(self, count: int) -> Setting:
        """The same on development seeds, for trials whose results are no evidence."""
        return replace(self, seeds=tuple(range(DEV_SEEDS, DEV_SEEDS + count)), evidence=False)


_QUICK = (
    "generate.steps=64", "generate.chunk_steps=64", "generate.num_envs=8", "generate.solves=2",
    "generate.verifications=1", "generate.group_size=1", "generate.accept=gate",
    "generate.threshold=0.0", "generate.accuracy=[0.0, 1.0]", "verify.steps=64",
    "verify.chunk_steps=64", "verify.num_envs=8", "verify.group_size=1", "solve.episodes=16",
    "solve.steps=64", "solve.chunk_steps=64", "solve.num_envs=8", "solve.group_size=1",
    "requests.seeds=16", "diagnostics.tasks_per_set=4", "diagnostics.claims=4",
    "diagnostics.votes=1", "diagnostics.probes=0", "diagnostics.oracle_sample=8",
)  # fmt: skip

SETTINGS: Mapping[str, Setting] = {
    "candidates": Setting(
        "candidates",
        "candidates",
        None,
        rounds=5,
        changes=("solve.episodes=2000", "solve.steps=16384"),
        given=("solve.episodes=6000", "solve.steps=49152"),
        sizes=(20, 60, 180, 540, 1620),
        seeds=tuple(range(5)),
    ),
    "nano": Setting(
        "nano",
        "nano",
        "asl-nano",
        rounds=5,
        changes=("solve.episodes=640", "solve.steps=3840"),
        given=("solve.episodes=1920", "solve.steps=11520"),
        sizes=(8, 24, 72, 216, 648),
        seeds=tuple(range(3)),
    ),
}


def setting_of(learner: str) -> Setting:
    """The setting of a learner.

    Raises:
        AslError: If there is none of that name.
    """
    if learner not in SETTINGS:
        raise AslError(f"no learner {learner!r}{did_you_mean(learner, SETTINGS)}")
    return SETTINGS[learner]
