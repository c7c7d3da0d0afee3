"""The co-evolution loop: generate, verify, solve, measure, and again; resumable at any instant.

    loop = CoEvolution("asl", "runs/first", CandidatesLearner(seed=0), world)
    loop.run()

Everything a run does is a chain of steps. A step plays or trains one chunk of a phase, notes its
events, and is saved all or nothing. All randomness of a step derives from the seed of the run and
the step's place (round, phase, chunk) or from the learners' own saved state, so a step that was
killed half-way is simply done again, with the same outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asl_env.agents.coevolution.callbacks import LoopCallback
from asl_env.agents.coevolution.chunks import run_chunk
from asl_env.agents.coevolution.diagnostics import Diagnostics, alarms
from asl_env.agents.coevolution.events import Journal, finite
from asl_env.agents.coevolution.phases import PhaseRunner, Stage, make_phases
from asl_env.agents.coevolution.recipe import Recipe
from asl_env.agents.coevolution.recipefile import first_difference, load_recipe
from asl_env.agents.coevolution.rollouts import add
from asl_env.agents.coevolution.runfolder import RunFolder
from asl_env.agents.coevolution.state import PHASES, PhaseProgress, RunState
from asl_env.agents.coevolution.team import Team
from asl_env.agents.coevolution.world import World
from asl_env.episode import Role
from asl_env.errors import RunError
from asl_env.protocols import Agent

#: Fields of the configuration that may change between a run and its resumption.
FREE_FIELDS = ("recipe.rounds", "recipe.about", "recipe.log.trajectories", "recipe.log.checkpoints")

#: A learner warns that it is losing its way with a metric whose name begins so.
COLLAPSE = "collapse/"


class CoEvolution:
    """A run of the loop in a folder.

    Args:
        recipe: Name, path or object.
        folder: The run folder. If it holds a run, ``run`` goes on with it.
        agents: One agent for all seats, or a mapping with one per seat. Those with a method
            ``learn`` (see ``asl_env.protocols.Learner``) learn; the others only play.
        world: Corpus, tool, topics, held-out questions.
        seed: Seed of the run.
        setup: How the agents and the world were named, kept in the configuration; a run resumes
            only with the same.
        callbacks: Look on.
        timeout: Seconds that one ``act`` of an agent may take; ``None`` for any time.

    Raises:
        RecipeError: If the recipe has an unknown or impossible field.
        AgentError: If a seat has no agent.
    """

    def __init__(
        self,
        recipe: str | Path | Recipe,
        folder: Path | str,
        agents: Agent | Mapping[str, Agent],
        world: World,
        *,
        seed: int = 0,
        setup: Mapping[str, Any] | None = None,
        callbacks: Sequence[LoopCallback] = (),
        timeout: float | None = None,
    ) -> None:
        self.recipe = load_recipe(recipe)
        self.folder = RunFolder(folder)
        self.team = Team(agents, timeout)
        self.world = world
        self.seed = seed
        self.state = RunState()
        self._setup = dict(setup or {})
        self._callbacks = list(callbacks)
        self._journal = Journal()
        self._stage = self._new_stage()
        self._phases = make_phases(self._stage)
        self._check()

    def _check(self) -> None:
        """Makes what is impossible an error now, not an hour later."""
        recipe = self.recipe
        for phase in self._phases.values():
            if phase.spec.enabled:
                phase.reward(self.state)
        if recipe.solve.enabled and recipe.solve.tasks != "generated":
            self.world.labelled(recipe.solve.tasks)
        if recipe.verify.enabled and recipe.verify.real is not None:
            self.world.labelled(recipe.verify.real.path)
        Diagnostics(self._stage)

    def config(self) -> dict[str, Any]:
        """What the run folder remembers of how the run was set up."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "seed": self.seed,
            "corpus": self.world.name,
            "index": self.world.digest,
            "setup": self._setup,
            "agents": {
                name: f"{type(agent).__module__}:{type(agent).__qualname__}"
                for name, agent in self.team.members().items()
            },
        }

    def run(self, rounds: int | None = None) -> RunState:
        """Runs until so many rounds are done, from wherever the folder's run stands.

        Args:
            rounds: Rounds in total, those done before included; the recipe's by default.

        Returns:
            The state after the last round.

        Raises:
            RunError: If the folder is in use, damaged, belongs to another recipe, seed, corpus or
                agent, or cannot be written to.
        """
        last = self.recipe.rounds if rounds is None else rounds
        with self.folder.owned():
            self._open()
            try:
                for callback in self._callbacks:
                    callback.on_start(self.state)
                while self.state.round <= last:
                    self._step()
            finally:
                for callback in self._callbacks:
                    callback.on_end()
        return self.state

    def _open(self) -> None:
        """Begins the folder's run, or restores it."""
        self._journal = Journal()
        if not self.folder.begun:
            self.folder.begin(self.config())
        saved = self.folder.config()
        difference = first_difference(saved, self.config(), ignore=FREE_FIELDS)
        if difference is not None:
            raise RunError(
                f"{self.folder.path}: {difference}; resume with what the run was begun with, or "
                "begin a new run with --out"
            )
        data = self.folder.read_state()
        self.state = RunState() if data is None else RunState.from_json(data)
        if data is not None:
            self.team.load(self.folder.checkpoint(self.state.checkpoint))
            # A run killed just after its last save has not removed the checkpoints before it.
            self.folder.rotate([*self.state.kept, *self.state.recent])
        self._stage = self._new_stage()
        self._phases = make_phases(self._stage)

    def _new_stage(self) -> Stage:
        """Puts the stage together; a judge with initial weights is read from their checkpoint."""
        judge: Agent | None = self.team[Role.GRM]
        if self.recipe.judge in ("rule", "majority"):
            judge = None
        elif self.recipe.judge == "initial" and self.state.kept:
            judge = self.team.as_saved(Role.GRM, self.folder.checkpoint(self.state.kept[0]))
        return Stage(self.recipe, self.seed, self.world, self.team, judge)

    def _step(self) -> None:
        state = self.state
        if state.phase == "measure":
            self._measure()
        else:
            phase = self._phases[state.phase]
            if self._passed_over(phase):
                state.enter(PHASES[PHASES.index(state.phase) + 1])
                return
            self._chunk(phase)

    def _passed_over(self, phase: PhaseRunner) -> bool:
        """Begins a phase; returns whether there is nothing to do in it."""
        state = self.state
        if state.progress.chunk > 0:
            return False
        place = {"round": state.round, "phase": phase.name}
        if not phase.spec.enabled:
            self._event("phase-skipped", **place, reason="disabled")
            return True
        opening = phase.begin(state)
        reason = None
        learns = phase.spec.train and self._stage.team.learner(phase.role) is not None
        if not learns and phase.passes == 0:
            reason = "the seat does not learn"
        elif not phase.assignments(state):
            reason = "nothing to play"
        if reason is not None:
            self._event("phase-skipped", **place, reason=reason, **opening)
            return True
        if opening.get("topped_up"):
            self._event("topped-up", **place, **opening)
        self._event("phase-begun", **place, **opening)
        return False

    def _chunk(self, phase: PhaseRunner) -> None:
        state = self.state
        number = state.progress.chunk
        place = {"round": state.round, "phase": phase.name}
        metrics, reason = run_chunk(phase, self._stage, state, self._journal, self._updated)
        times = {k: v for k, v in metrics["learner"].items() if k.startswith("time/")}
        for name in times:
            del metrics["learner"][name]
        steps = state.progress.steps
        self._event("chunk", **place, chunk=number, steps=steps, metrics=metrics)
        self._journal.timing(**place, chunk=number, **times)
        if reason is not None:
            done = {"chunks": state.progress.chunk, "steps": steps}
            self._event("phase-ended", **place, reason=reason, **done, **phase.end(state))
            state.enter(PHASES[PHASES.index(state.phase) + 1])
        self._save(f"round-{place['round']:02d}-{phase.name}-{number:03d}")

    def _measure(self) -> None:
        """Measures, and ends the round."""
        state, number = self.state, self.state.round
        if number % self.recipe.diagnostics.every == 0:
            metrics = finite(Diagnostics(self._stage).measure(state))
            add(state.rollouts, "measured", metrics["rollouts"])
            state.history.append(metrics)
            self._event("measured", round=number, metrics=metrics)
            self._journal.timing(round=number, phase="measure")
            for alarm in alarms(state.history, self.recipe.alarm):
                self._event("alarm", round=number, **alarm)
        counts = {purpose: dict(seats) for purpose, seats in state.rollouts.items()}
        ended = {"steps": state.steps, "tasks": len(state.tasks), "rollouts": counts}
        self._event("round-ended", round=number, **ended)
        self._export_tasks()
        name = f"round-{number:02d}"
        state.kept.append(name)
        self._next_round()
        self._save(name)
        if number == 0 and self.recipe.judge == "initial":
            self._stage = self._new_stage()
            self._phases = make_phases(self._stage)

    def _export_tasks(self) -> None:
        """Writes the round's tasks where other commands can read them."""
        from asl_env.evaluation.records import encode

        if not self.state.tasks:
            return
        lines = [
            encode(
                finite(
                    {
                        "id": task.id,
                        "question": task.question,
                        "golden_answers": list(task.answers),
                        "metadata": dict(task.provenance),
                    }
                )
            )
            for task in self.state.tasks
        ]
        self.folder.write(f"tasks/round-{self.state.round:02d}.jsonl", b"".join(lines))

    def _next_round(self) -> None:
        state = self.state
        state.pool = [*state.tasks, *state.pool]
        state.tasks, state.claims = [], []
        state.accuracy, state.rejected, state.solve_rates = {}, {}, {}
        state.round += 1
        state.phase, state.progress = "generate", PhaseProgress()

    def _save(self, checkpoint: str) -> None:
        state = self.state
        state.checkpoint = checkpoint
        state.commits += 1
        state.recent = [*state.recent, checkpoint][-self.recipe.log.checkpoints :]
        logs, notes = self._journal.take()
        keep = [*state.kept, *state.recent]
        state.logs = self.folder.commit(state.to_json(), logs, self.team.save, keep, notes)
        for callback in self._callbacks:
            callback.on_save(state)

    def _event(self, kind: str, **fields: Any) -> None:
        event = self._journal.event(kind, **fields)
        for callback in self._callbacks:
            callback.on_event(event)

    def _updated(self, metrics: Mapping[str, Any]) -> None:
        state = self.state
        for name, warning in metrics.items():
            if name.startswith(COLLAPSE):
                place = {"round": state.round, "phase": state.phase, "chunk": state.progress.chunk}
                detector = name.removeprefix(COLLAPSE)
                self._event("collapse", **place, detector=detector, warning=warning)
        for callback in self._callbacks:
            callback.on_update(self.state, metrics)
