"""Where a run stands: everything that must survive a kill besides the learners' own weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from asl_env.episode import Claim, Request, Task
from asl_env.errors import RunError

Phase = Literal["generate", "verify", "solve", "measure"]
#: The phases of a round, in order. Round 0 has only ``measure``: the untrained agents.
PHASES: tuple[Phase, ...] = ("generate", "verify", "solve", "measure")


@dataclass
class PhaseProgress:
    """How far the current phase is.

    Attributes:
        chunk: Chunks finished.
        steps: Environment steps taken.
        episodes: Episodes finished.
        drawn: Assignments drawn so far.
        scores: Mean raw score per learner update, oldest first (the plateau rule reads them).
    """

    chunk: int = 0
    steps: int = 0
    episodes: int = 0
    drawn: int = 0
    scores: list[float] = field(default_factory=list)


@dataclass
class RunState:
    """A run between two chunks.

    Attributes:
        round: Round in progress; 0 while the untrained agents are measured.
        phase: Phase in progress.
        progress: How far it is.
        steps: Environment steps of the whole run.
        commits: Saves so far.
        requests: What the generator is asked for this round.
        tasks: Tasks made this round.
        pool: Tasks of earlier rounds, newest round first.
        claims: Judged solves of this round, for the verify phase.
        accuracy: ``[right, played]`` per task id of this round's solve phase.
        rejected: Questions turned down this round, by reason.
        seen: Normalised questions of all tasks so far.
        asked: The newest valid questions, for a repetition penalty over the last ones.
        rollouts: Rollouts of the whole run by purpose and seat (see ``rollouts``).
        solve_rates: Share of correct solves per task id, as measured when it was made.
        history: One mapping of metrics per measured round.
        kept: Checkpoints of finished rounds.
        recent: Newest checkpoints.
        checkpoint: Checkpoint that belongs to this state.
        logs: Length in bytes of each log.
    """

    round: int = 0
    phase: Phase = "measure"
    progress: PhaseProgress = field(default_factory=PhaseProgress)
    steps: int = 0
    commits: int = 0
    requests: list[Request] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    pool: list[Task] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    accuracy: dict[str, list[float]] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    seen: dict[str, None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    rollouts: dict[str, dict[str, int]] = field(default_factory=dict)
    solve_rates: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    recent: list[str] = field(default_factory=list)
    checkpoint: str = ""
    logs: dict[str, int] = field(default_factory=dict)

    def enter(self, phase: Phase) -> None:
        """Begins a phase."""
        self.phase = phase
        self.progress = PhaseProgress()

    def to_json(self) -> dict[str, Any]:
        """Writes the state as JSON values."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data["progress"] = asdict(self.progress)
        data["seen"] = list(self.seen)
        for name in ("requests", "tasks", "pool", "claims"):
            data[name] = [dict(vars(item)) for item in data[name]]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunState:
        """Reads what ``to_json`` wrote.

        Raises:
            RunError: If a field is missing, unknown or of the wrong kind.
        """
        try:
            fields = dict(data)
            fields["progress"] = PhaseProgress(**data["progress"])
            fields["seen"] = dict.fromkeys(data["seen"])
            fields["requests"] = [Request(**item) for item in data["requests"]]
            fields["claims"] = [Claim(**item) for item in data["claims"]]
            for name in ("tasks", "pool"):
                fields[name] = [
                    Task(**{**item, "answers": tuple(item["answers"])}) for item in data[name]
                ]
            return cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"state.json: damaged ({error}); the run cannot go on from it"
            ) from error
