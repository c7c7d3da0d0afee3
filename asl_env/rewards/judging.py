"""Asking partners: many claims or tasks, one batched rollout of another seat."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from asl_env.episode import Assignment, Claim, Task, Trajectory
from asl_env.errors import AslError
from asl_env.protocols import Agent, Dialect
from asl_env.rewards.verdict import Verdict, parse_verdict, released_verdict

if TYPE_CHECKING:
    from asl_env.play import Tool


class Judgement(NamedTuple):
    """What one judge said about one claim.

    Attributes:
        verdict: The verdict, or ``None`` if there is none.
        failure: Why there is none: ``verdict`` (outside the grammar) or what failed on the way.
    """

    verdict: Verdict | None
    failure: str | None = None


def derive_seed(seed: int, *path: str | int) -> int:
    """Returns a seed for a partner's rollout, the same for the same seed and path.

    Args:
        seed: Seed of the episode that is scored.
        path: What the rollout is for, for example ``"solve", 3``.

    Returns:
        An integer in [0, 2**63).
    """
    digest = hashlib.blake2b(repr((int(seed), *path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True)
class Partners:
    """Who solves and judges for a reward model, and with what.

    Attributes:
        tool: The partners' search tool.
        dialect: How they write.
        solver: Plays the policy seat.
        judge: Plays the GRM seat.
        max_turns: Turns of a rollout at most.
        compat: Read verdicts as the released code does, from everything the judge wrote.
    """

    tool: Tool
    dialect: Dialect
    solver: Agent | None = None
    judge: Agent | None = None
    max_turns: int = 9
    compat: bool = False

    def judgements(self, claims: Sequence[Claim], seeds: Sequence[int]) -> list[Judgement]:
        """Lets the judge judge every claim once, all in one batch; one seed per claim."""
        return [self._read(rollout) for rollout in self._play(self.judge, claims, seeds)]

    def attempts(self, tasks: Sequence[Task], seeds: Sequence[int]) -> list[Trajectory]:
        """Lets the solver solve every task once, all in one batch; one seed per task."""
        return self._play(self.solver, tasks, seeds)

    def _play(
        self, agent: Agent | None, assignments: Sequence[Assignment], seeds: Sequence[int]
    ) -> list[Trajectory]:
        if not assignments:
            return []
        if agent is None:
            raise AslError("a rollout was asked for, but there is no agent to play it")
        from asl_env.play import play

        return play(
            agent,
            assignments,
            tool=self.tool,
            dialect=self.dialect,
            seeds=seeds,
            max_turns=self.max_turns,
        )

    def _read(self, rollout: Trajectory) -> Judgement:
        if rollout.invalid is not None:
            return Judgement(None, rollout.invalid)
        if self.compat:
            return Judgement(released_verdict("\n".join(turn.text for turn in rollout.turns)))
        verdict = parse_verdict(rollout.answer)
        return Judgement(verdict, "verdict" if verdict is None else None)
