"""What the generate phase brings in: tasks for the policy, judged solves for the GRM."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from asl_env.agents.coevolution.filters import TaskFilter
from asl_env.agents.coevolution.recipe import GenerateSpec, VerifySpec
from asl_env.agents.coevolution.seeds import generator
from asl_env.agents.coevolution.state import RunState
from asl_env.episode import Request, RewardParts, Task, Trajectory
from asl_env.protocols import Dialect
from asl_env.rewards.labels import claims_from_solves
from asl_env.rewards.nearmiss import near_misses
from asl_env.rewards.voting import majority_answer, majority_is
from asl_env.text import normalize

if TYPE_CHECKING:
    from asl_env.rewards.proposing import Solve


class Harvester:
    """Takes in finished generator episodes.

    Args:
        generate: Which questions become tasks.
        verify: How judged solves are labelled.
        tasks: Length, form, duplicates, contamination.
        seed: Seed of the run; balancing and near misses draw from it.
        dialect: How the search results in an episode are written.
    """

    def __init__(
        self,
        generate: GenerateSpec,
        verify: VerifySpec,
        tasks: TaskFilter,
        seed: int,
        dialect: Dialect,
    ) -> None:
        self._generate = generate
        self._verify = verify
        self._filter = tasks
        self._seed = seed
        self._dialect = dialect

    def take(self, state: RunState, episode: Trajectory, parts: RewardParts) -> None:
        """Adds what an episode brought to the state.

        A question may fail as a task (asked before, say) and still give claims.
        """
        extras = parts.extras
        question, answer = episode.question, episode.answer
        solves: Sequence[Mapping[str, Any]] = extras.get("solves") or ()
        if parts.invalid is not None or question is None or answer is None:
            return
        reason = self._refusal(state, question, answer, parts, solves)
        if reason in (None, "unanimous", "accuracy", "duplicate"):
            self._add_claims(state, episode, solves)
        if reason is None:
            self._add_task(state, episode, question, answer, parts, solves)
        else:
            state.rejected[reason] = state.rejected.get(reason, 0) + 1

    def _refusal(
        self,
        state: RunState,
        question: str,
        answer: str,
        parts: RewardParts,
        solves: Sequence[Mapping[str, Any]],
    ) -> str | None:
        reason = parts.extras.get("reason")
        if reason is not None:
            return _refused(reason)
        rejection = self._filter.reject(question, answer, state.seen)
        if rejection is not None:
            return rejection
        if self._generate.accept == "positive" and not raw_score(parts) > 0.0:
            return "unanimous"
        rate = solve_rate(solves)
        low, high = self._generate.accuracy
        return "accuracy" if not math.isnan(rate) and not low <= rate <= high else None

    def _add_claims(
        self, state: RunState, episode: Trajectory, solves: Sequence[Mapping[str, Any]]
    ) -> None:
        question, answer = episode.question or "", episode.answer or ""
        if not self._verify.enabled or self._verify.labels == "real":
            return
        if self._verify.agreed and not majority_is([one["answer"] for one in solves], answer):
            return
        rng = generator(self._seed, state.round, "balance", len(state.claims), question)
        if self._verify.own_answers:
            solves = [*solves, {"answer": answer, "verdict": None, "seed": 0}]
        misses = near_misses(episode, self._dialect) if self._verify.near_misses else []
        if misses:
            missed = misses[int(rng.integers(len(misses)))]
            solves = [*solves, {"answer": missed, "verdict": None, "seed": 0}]
        state.claims += claims_from_solves(
            question,
            answer,
            cast("Sequence[Solve]", solves),
            self._verify.labels,
            id=f"r{state.round}-c{len(state.claims)}",
            rng=rng if self._verify.balance else None,
            provenance={"round": state.round},
        )

    def _add_task(
        self,
        state: RunState,
        episode: Trajectory,
        question: str,
        answer: str,
        parts: RewardParts,
        solves: Sequence[Mapping[str, Any]],
    ) -> None:
        request = episode.assignment
        assert isinstance(request, Request)
        if self._generate.answer == "majority":
            answer = majority_answer([solve["answer"] for solve in solves]) or answer
        provenance = {
            "round": state.round,
            "request": request.id,
            "kind": request.kind,
            "topic": request.topic,
            "reward": float(parts.total),
            "verification": parts.extras.get("verification"),
        }
        if "parent" in request.provenance:
            provenance["parent"] = request.provenance["parent"]
        task = Task(f"r{state.round}-t{len(state.tasks)}", question, (answer,), provenance)
        state.tasks.append(task)
        state.seen[normalize(question)] = None
        rate = solve_rate(solves)
        if not math.isnan(rate):
            state.solve_rates[task.id] = rate


def _refused(reason: str) -> str:
    """The name under which a question is counted that the reward did not take."""
    if reason == "verification":
        return reason
    return "made up" if reason.startswith("never read") else "invalid"


def raw_score(parts: RewardParts) -> float:
    """The reward without the format reward: what the paper filters and plateaus on."""
    return float(parts.total - parts.parts.get("format", 0.0))


def solve_rate(solves: Sequence[Mapping[str, Any]]) -> float:
    """Share of solves judged correct among those with a verdict; NaN without any."""
    verdicts = [solve["verdict"] for solve in solves if solve["verdict"] is not None]
    return verdicts.count("correct") / len(verdicts) if verdicts else math.nan
