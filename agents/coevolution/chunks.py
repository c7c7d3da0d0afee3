"""Plays or trains one chunk of a phase and watches when the phase has to end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from asl_env.agents.coevolution.events import Journal
from asl_env.agents.coevolution.harvest import raw_score
from asl_env.agents.coevolution.phases import PhaseRunner, Stage
from asl_env.agents.coevolution.rollouts import Counts, add, partner_rollouts
from asl_env.agents.coevolution.seeds import Deck, derive, derive_many, generator
from asl_env.agents.coevolution.state import RunState
from asl_env.episode import RewardParts, Trajectory
from asl_env.errors import AgentError, AslError, RunError
from asl_env.play import one_line, play
from asl_env.protocols import Learner

#: Called after every learner update with what is known so far.
OnUpdate = Callable[[Mapping[str, Any]], None]


class Watch:
    """Sees every finished episode of a chunk and every update of the learner.

    Args:
        phase: The phase.
        state: Its progress is written here.
        journal: Gets the first trajectories.
        keep: How many trajectories.
        on_update: Told about every update.

    Attributes:
        reason: Why the phase has to end, or ``None``.
        rollouts: Rollouts of the chunk by purpose and seat.
    """

    def __init__(
        self, phase: PhaseRunner, state: RunState, journal: Journal, keep: int, on_update: OnUpdate
    ) -> None:
        self.reason: str | None = None
        self.episodes = 0
        self.turns = 0
        self.updates = 0
        self._phase, self._state, self._journal = phase, state, journal
        self._keep = keep
        self._on_update = on_update
        self._fresh: list[float] = []
        self._sums: dict[str, list[float]] = {}
        self._invalid: dict[str, int] = {}
        self.rollouts: Counts = {}

    def episode(self, episode: Trajectory, parts: RewardParts) -> None:
        """Takes in an episode (the environments' ``on_episode``)."""
        state = self._state
        self.episodes += 1
        self.turns += len(episode.turns)
        add(self.rollouts, "played", {episode.role.value: 1})
        add(self.rollouts, "partners", partner_rollouts(parts))
        if self.episodes <= self._keep:
            place = {"round": state.round, "phase": state.phase, "chunk": state.progress.chunk}
            self._journal.trajectory(episode, parts, **place)
        if parts.invalid is not None:
            self._invalid[parts.invalid] = self._invalid.get(parts.invalid, 0) + 1
        else:
            self._fresh.append(raw_score(parts))
            scores = {"reward": parts.total, "score": raw_score(parts), **parts.parts}
            for name, value in {**scores, "truncated": float(episode.truncated)}.items():
                self._sums.setdefault(name, []).append(value)
        self._phase.collect(state, episode, parts)

    def update(self, metrics: Mapping[str, Any]) -> bool:
        """Takes in an update of the learner; returns False once the phase has to end."""
        self.updates += 1
        if self._fresh:
            self._state.progress.scores.append(math.fsum(self._fresh) / len(self._fresh))
            self._fresh.clear()
        self._on_update({**self.summary(), **metrics})
        self.reason = self._look()
        return self.reason is None

    def summary(self) -> dict[str, Any]:
        """Means over the chunk's valid episodes, and the counts."""
        means = {name: math.fsum(values) / len(values) for name, values in self._sums.items()}
        return {"episodes": self.episodes, "invalid": dict(sorted(self._invalid.items())), **means}

    def check_failures(self, most: float) -> None:
        """Stops a run whose search or partners are broken, rather than train on what is left.

        Verdicts outside the grammar are no failure of this kind: a GRM may unlearn them.

        Args:
            most: Share of the chunk's episodes that may fail.

        Raises:
            RunError: If more did.
        """
        failed = [why for why in self._invalid if "search: " in why or why.startswith("reward: ")]
        count = sum(self._invalid[reason] for reason in failed)
        if count > most * self.episodes:
            raise RunError(
                f"round {self._state.round}, {self._state.phase}: {count} of {self.episodes} "
                f"episodes failed ({failed[0]}); repair it, then resume"
            )

    def _look(self) -> str | None:
        if self._phase.enough(self._state):
            return "enough"
        most = self._phase.spec.episodes
        if most is not None and self._state.progress.episodes + self.episodes >= most:
            return "episodes"
        plateau = self._phase.spec.plateau
        if plateau is not None and plateau.rule().reached(self._state.progress.scores):
            return "plateau"
        return None


def run_chunk(
    phase: PhaseRunner, stage: Stage, state: RunState, journal: Journal, on_update: OnUpdate
) -> tuple[dict[str, Any], str | None]:
    """Plays one chunk; the seat learns if its agent can and the recipe lets it.

    The phase has something to play; the state is written to, the journal gets trajectories.

    Returns:
        Metrics of the chunk (those of the learner under ``learner``), and why the phase has to
        end, or ``None``.

    Raises:
        RunError: If too many episodes failed.
        AgentError: If the learner raised.
    """
    progress = state.progress
    watch = Watch(phase, state, journal, stage.recipe.log.trajectories, on_update)
    place = (state.round, phase.name)
    deck = Deck(phase.assignments(state), stage.seed, place, progress.drawn)
    learner = stage.team.learner(phase.role) if phase.spec.train else None
    learnt: dict[str, Any] = {}
    if learner is not None:
        steps = min(phase.spec.chunk_steps, phase.spec.steps - progress.steps)
        learnt = _learn(learner, phase, stage, state, deck, watch, steps)
    else:
        _play(phase, stage, state, deck, watch)
        steps = watch.turns
    if watch.updates == 0:
        watch.update({})
    watch.check_failures(stage.recipe.max_failures)
    progress.chunk += 1
    progress.steps += steps
    state.steps += steps
    progress.drawn = deck.drawn
    progress.episodes += watch.episodes
    for purpose, seats in watch.rollouts.items():
        add(state.rollouts, purpose, seats)
    played = learner is None and progress.drawn >= _deal(phase, state)
    spent = "budget" if progress.steps >= phase.spec.steps else "played" if played else None
    metrics = {**watch.summary(), "rollouts": watch.rollouts, "learner": learnt}
    return metrics, watch.reason or spent


def _learn(
    learner: Learner,
    phase: PhaseRunner,
    stage: Stage,
    state: RunState,
    deck: Deck,
    watch: Watch,
    budget: int,
) -> dict[str, Any]:
    from asl_env.envs.seat import Seat
    from asl_env.envs.vector import SeatVectorEnv

    recipe = stage.recipe
    seat = Seat(
        phase.role,
        deck,
        stage.world.tool,
        recipe.dialect,
        phase.reward(state),
        recipe.max_turns,
        watch.episode,
    )
    env = SeatVectorEnv(seat, phase.spec.num_envs, phase.spec.group_size)
    # A learner that resets without a seed gets this place's randomness.
    env.np_random = generator(stage.seed, state.round, phase.name, state.progress.chunk)
    try:
        metrics = learner.learn(phase.role, env, budget, callbacks=[watch.update])
    except AslError:
        raise
    except Exception as error:
        name, kind = type(learner).__name__, type(error).__name__
        raise AgentError(f"{name}.learn raised {kind}: {one_line(error)}") from error
    env.close()
    return {str(name): value for name, value in (metrics or {}).items()}


def _play(phase: PhaseRunner, stage: Stage, state: RunState, deck: Deck, watch: Watch) -> None:
    """Plays without learning."""
    spec, reward = phase.spec, phase.reward(state)
    left = _deal(phase, state) - deck.drawn
    place = (state.round, phase.name, state.progress.chunk)
    batch = 0
    while left > 0 and watch.turns < spec.chunk_steps and watch.reason is None:
        count = int(min(spec.num_envs, left))
        assignments = [deck() for _ in range(count)]
        seeds = derive_many(count, derive(stage.seed, *place), batch)
        episodes = play(
            stage.team[phase.role],
            assignments,
            tool=stage.world.tool,
            dialect=stage.recipe.dialect,
            seeds=seeds,
            max_turns=stage.recipe.max_turns,
        )
        for episode, parts in zip(episodes, _scored(reward, episodes), strict=True):
            watch.episode(episode, parts)
        watch.update({})
        left -= count
        batch += 1


def _scored(reward: Any, episodes: list[Trajectory]) -> list[RewardParts]:
    valid = iter(reward.score([episode for episode in episodes if episode.invalid is None]))
    return [
        next(valid) if episode.invalid is None else RewardParts(0.0, invalid=episode.invalid)
        for episode in episodes
    ]


def _deal(phase: PhaseRunner, state: RunState) -> float:
    """How many assignments an agent that does not learn plays in the phase at most."""
    if phase.passes is None:
        return math.inf
    return phase.passes * len(phase.assignments(state)) * phase.spec.group_size
