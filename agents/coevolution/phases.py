"""The three phases of a round: what each trains on, how it is rewarded, what it produces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asl_env.agents.coevolution.filters import TaskFilter
from asl_env.agents.coevolution.harvest import Harvester, raw_score
from asl_env.agents.coevolution.recipe import PhaseSpec, Recipe
from asl_env.agents.coevolution.requests import mix_seeds, rewrites
from asl_env.agents.coevolution.seeds import generator
from asl_env.agents.coevolution.state import Phase, RunState
from asl_env.agents.coevolution.team import Team
from asl_env.agents.coevolution.world import World
from asl_env.dialects import make_dialect
from asl_env.episode import Assignment, RewardParts, Role, Task, Trajectory
from asl_env.protocols import Agent, RewardModel
from asl_env.rewards.labels import real_claims
from asl_env.rewards.registry import make_reward
from asl_env.rewards.repetition import RecentQuestions


@dataclass(frozen=True)
class Stage:
    """What all phases of a run share.

    Attributes:
        recipe: The experiment.
        seed: Seed of the run.
        world: Corpus, tool, held-out sets.
        team: Who plays.
        judge: Whose verdicts reward the others; ``None`` where a rule or the majority decides.
    """

    recipe: Recipe
    seed: int
    world: World
    team: Team
    judge: Agent | None


class PhaseRunner(Protocol):
    """One phase of a round.

    Attributes:
        name: Which one.
        role: The seat that plays, and learns if it can.
        passes: How often an agent that does not learn plays all assignments; ``None`` for as
            often as the budget allows, 0 for not at all.
    """

    name: Phase
    role: Role
    passes: int | None

    @property
    def spec(self) -> PhaseSpec:
        """Its part of the recipe."""
        ...

    def begin(self, state: RunState) -> dict[str, Any]:
        """Prepares the state; returns what the event says."""
        ...

    def assignments(self, state: RunState) -> Sequence[Assignment]:
        """What is played; empty when there is nothing to play."""
        ...

    def reward(self, state: RunState) -> RewardModel:
        """How episodes are rewarded."""
        ...

    def collect(self, state: RunState, episode: Trajectory, parts: RewardParts) -> None:
        """Takes in a finished episode."""
        ...

    def enough(self, state: RunState) -> bool:
        """Whether the phase has brought what it is there for."""
        ...

    def end(self, state: RunState) -> dict[str, Any]:
        """Hands over to the next phase; returns what the event says."""
        ...


class GeneratePhase:
    """The generator learns to ask; its accepted questions are the round's tasks."""

    name: Phase = "generate"
    role = Role.GENERATOR
    passes: int | None = None

    def __init__(self, stage: Stage) -> None:
        recipe = stage.recipe
        self.spec = recipe.generate
        self._stage = stage
        held_out = [task.question for tasks in stage.world.held_out.values() for task in tasks]
        tasks = TaskFilter(recipe.filters, held_out)
        self._harvester = Harvester(
            recipe.generate, recipe.verify, tasks, stage.seed, make_dialect(recipe.dialect)
        )

    def begin(self, state: RunState) -> dict[str, Any]:
        """Adds seed requests to the rewrites of the last round."""
        stage = self._stage
        rewritten = len(state.requests)
        rng = generator(stage.seed, state.round, "requests")
        state.requests = mix_seeds(
            state.requests, stage.world.topics, stage.recipe.requests, state.round, rng
        )
        kinds = [request.kind for request in state.requests]
        return {
            "requests": len(kinds),
            "seeds": len(kinds) - rewritten,
            "harder": kinds.count("harder"),
            "easier": kinds.count("easier"),
            "style": state.requests[0].style if rewritten else None,
        }

    def assignments(self, state: RunState) -> Sequence[Assignment]:
        """The requests."""
        return state.requests

    def reward(self, state: RunState) -> RewardModel:
        """The recipe's generator reward; the partners are the live policy and the judge."""
        stage, spec, extra = self._stage, self.spec, dict[str, Any]()
        if spec.repetition is not None:
            penalty = spec.repetition
            recent = RecentQuestions(penalty.window, penalty.distance, state.asked)
            extra = {"penalty": penalty.weight, "repetition": recent}
        if spec.grounded:
            extra["grounded"] = True
        return make_reward(
            spec.reward,
            solver=stage.team[Role.POLICY],
            judge=stage.judge,
            tool=stage.world.tool,
            dialect=stage.recipe.dialect,
            solves=spec.solves,
            verifications=spec.verifications if state.round >= spec.gate_from else 0,
            threshold=spec.threshold,
            format_reward=stage.recipe.format_reward,
            majority=stage.recipe.judge == "majority",
            match=stage.recipe.match,
            max_turns=stage.recipe.max_turns,
            **extra,
        )

    def collect(self, state: RunState, episode: Trajectory, parts: RewardParts) -> None:
        """Harvests tasks and judged solves."""
        repetition, valid = self.spec.repetition, parts.extras.get("reason") is None
        if repetition is not None and valid and parts.invalid is None and episode.question:
            state.asked = [*state.asked, episode.question][-repetition.window :]
        self._harvester.take(state, episode, parts)

    def enough(self, state: RunState) -> bool:
        """More tasks than the recipe's limit of the round."""
        enough = self.spec.enough
        return enough is not None and len(state.tasks) > enough.limit(state.round)

    def end(self, state: RunState) -> dict[str, Any]:
        """Counts the harvest."""
        return {
            "tasks": len(state.tasks),
            "claims": len(state.claims),
            "rejected": dict(sorted(state.rejected.items())),
        }


class VerifyPhase:
    """The GRM learns to agree with the labels of the judged solves."""

    name: Phase = "verify"
    role = Role.GRM
    passes: int | None = 0

    def __init__(self, stage: Stage) -> None:
        self.spec = stage.recipe.verify
        self._stage = stage

    def begin(self, state: RunState) -> dict[str, Any]:
        """Cuts the claims to the newest, and mixes in real ones when their round has come."""
        stage, spec, real = self._stage, self.spec, self.spec.real
        if spec.max_claims is not None:
            state.claims = state.claims[-spec.max_claims :]
        own, added, left_out = len(state.claims), 0, dict[str, int]()
        if real is not None and state.round >= real.start_round and real.share > 0.0:
            tasks = stage.world.labelled(real.path)
            wanted = round(own * real.share / (1.0 - real.share)) if real.share < 1.0 else own
            rng = generator(stage.seed, state.round, "real")
            fresh = real_claims(tasks, max(2, wanted), rng)
            if real.share == 1.0 or spec.labels == "real":
                own, state.claims = 0, []
            state.claims += fresh
            added, left_out = len(fresh), _left_out(stage, real.path)
        return {"claims": own, "real": added} | left_out

    def assignments(self, state: RunState) -> Sequence[Assignment]:
        """The claims; none once the GRM learns no more."""
        until = self.spec.until_round
        return state.claims if until is None or state.round <= until else []

    def reward(self, state: RunState) -> RewardModel:
        """Agreement with the hidden label."""
        return make_reward("agreement", format_reward=self._stage.recipe.format_reward)

    def collect(self, state: RunState, episode: Trajectory, parts: RewardParts) -> None:
        """Nothing: the claims are used up."""

    def enough(self, state: RunState) -> bool:
        """Never; the phase ends by budget or plateau."""
        return False

    def end(self, state: RunState) -> dict[str, Any]:
        """Counts the labels that were trained on."""
        labels = [claim.label for claim in state.claims]
        return {"correct": labels.count("correct"), "wrong": labels.count("wrong")}


class SolvePhase:
    """The policy learns to answer; how well each question goes shapes the next requests."""

    name: Phase = "solve"
    role = Role.POLICY
    passes: int | None = 1

    def __init__(self, stage: Stage) -> None:
        self.spec = stage.recipe.solve
        self._stage = stage

    def begin(self, state: RunState) -> dict[str, Any]:
        """Tops the tasks up from earlier rounds if they are few."""
        if self.spec.tasks != "generated":
            count = {"tasks": len(self.assignments(state))}
            return count | _left_out(self._stage, self.spec.tasks)
        return {"tasks": len(state.tasks), "topped_up": len(self._old(state))}

    def assignments(self, state: RunState) -> Sequence[Assignment]:
        """This round's tasks, and older ones if they are few; or the recipe's labelled tasks."""
        if self.spec.tasks != "generated":
            return self._stage.world.labelled(self.spec.tasks)
        return [*state.tasks, *self._old(state)]

    def reward(self, state: RunState) -> RewardModel:
        """The judge's verdict, a rule, or chance."""
        stage, recipe = self._stage, self._stage.recipe
        if self.spec.reward != "grm":
            return make_reward(self.spec.reward, format_reward=recipe.format_reward)
        if stage.judge is None:
            return make_reward("em", format_reward=recipe.format_reward)
        return make_reward(
            "grm",
            judge=stage.judge,
            tool=stage.world.tool,
            dialect=recipe.dialect,
            votes=self.spec.votes,
            format_reward=recipe.format_reward,
            max_turns=recipe.max_turns,
        )

    def collect(self, state: RunState, episode: Trajectory, parts: RewardParts) -> None:
        """Counts right answers per task."""
        if parts.invalid is None:
            right, played = state.accuracy.get(episode.assignment.id, (0.0, 0.0))
            state.accuracy[episode.assignment.id] = [right + raw_score(parts), played + 1]

    def enough(self, state: RunState) -> bool:
        """Never; the phase ends by budget or plateau."""
        return False

    def end(self, state: RunState) -> dict[str, Any]:
        """Writes the next round's requests."""
        shares = {name: right / played for name, (right, played) in state.accuracy.items()}
        requests = rewrites(state.tasks, shares, self._stage.recipe.requests, state.round)
        state.requests = requests
        harder = sum(request.kind == "harder" for request in requests)
        return {"played": len(shares), "harder": harder, "easier": len(requests) - harder}

    def _old(self, state: RunState) -> list[Task]:
        if self.spec.tasks != "generated":
            return []
        return state.pool[: max(0, self.spec.min_tasks - len(state.tasks))]


def _left_out(stage: Stage, name: str) -> dict[str, int]:
    """Questions of a labelled set that are held out; nothing where there are none."""
    count = stage.world.contaminated.get(name)
    return {"contaminated": count} if count else {}


def make_phases(stage: Stage) -> dict[Phase, PhaseRunner]:
    """The phases of a run, by name."""
    runners: list[PhaseRunner] = [GeneratePhase(stage), VerifyPhase(stage), SolvePhase(stage)]
    return {runner.name: runner for runner in runners}
