"""The game of the three seats without an interface: whose turn it is, and what each one earns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asl_env.conversation import DEFAULT_MAX_TURNS, Conversation
from asl_env.dialects import make_dialect
from asl_env.envs.seat import SEEDS, Seat, Source, make_tool
from asl_env.episode import Assignment, Chat, Claim, RewardParts, Role, Task, Trajectory, Turn
from asl_env.errors import AslError
from asl_env.play import Tool, advance
from asl_env.protocols import Dialect, Retriever
from asl_env.rewards.judging import Judgement, Partners, derive_seed
from asl_env.rewards.labels import reference_labels
from asl_env.rewards.models import AgreementReward, GeneratorReward
from asl_env.rewards.proposing import check_question
from asl_env.rewards.shaping import format_reward as shape
from asl_env.rewards.verdict import parse_verdict

#: Agent names, in the order in which they first act.
AGENTS = ("generator_0", "policy_0", "grm_0")
#: Name of the agent in each seat.
SEATED = dict(zip((Role.GENERATOR, Role.POLICY, Role.GRM), AGENTS, strict=True))


class _Seated:
    """Stands for an agent that sits at the table; its rollouts are recorded, never asked for."""

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        raise AslError("the partners of a game act through its agents")


@dataclass(frozen=True)
class _Recorded(Partners):
    """Gives the generator's reward model what the other two seats did in the game, in order."""

    solved: list[Trajectory] = field(default_factory=list)
    judged: list[Trajectory] = field(default_factory=list)

    def judgements(self, claims: Sequence[Claim], seeds: Sequence[int]) -> list[Judgement]:
        """Returns what the GRM seat said about the next claims."""
        return [self._read(self.judged.pop(0)) for _ in claims]

    def attempts(self, tasks: Sequence[Task], seeds: Sequence[int]) -> list[Trajectory]:
        """Returns how the policy seat solved the next tasks."""
        return [self.solved.pop(0) for _ in tasks]


class Game:
    """One task made, confirmed, solved and judged.

    The generator writes a question with its answer. If the question is valid, the GRM judges the
    generator's own answer (``verifications`` times, where the reward verifies at all). If it is
    confirmed, the policy solves the question and the GRM judges the solution, ``solves`` times.

    Args:
        assignments: Requests, or a function that draws one.
        tool: What all three search with.
        dialect: How all three write.
        reward: Name of the generator's reward.
        solves: Attempts at the question.
        verifications: Votes on the generator's own answer.
        threshold: Share of votes that confirms it.
        max_turns: Turns of one conversation at most.
        max_cycles: Turns of the whole game at most, or ``None``.
        format_reward: Add the format reward to every seat's.
    """

    def __init__(
        self,
        assignments: Source | None = None,
        *,
        tool: str | Tool | Retriever | None = None,
        dialect: str | Dialect = "asl",
        reward: str = "asl",
        solves: int = 4,
        verifications: int = 1,
        threshold: float = 0.8,
        max_turns: int = DEFAULT_MAX_TURNS,
        max_cycles: int | None = None,
        format_reward: bool = False,
    ) -> None:
        from asl_env.envs.defaults import draw_request

        self.max_turns = max_turns
        self.max_cycles = max_cycles
        self._format_reward = format_reward
        self._tool = make_tool(tool)
        self._dialect = make_dialect(dialect)
        numbers = (solves, verifications, threshold, format_reward)
        self._generator = GeneratorReward(
            _Seated(), _Seated(), self._tool, self._dialect, reward, *numbers
        )
        self._grm = AgreementReward(format_reward=format_reward)
        source = draw_request if assignments is None else assignments
        self._seat = Seat(
            Role.GENERATOR, source, self._tool, self._dialect, self._generator, max_turns
        )

    def reset(self, rng: np.random.Generator, given: Any = None) -> None:
        """Starts a game with a request that is drawn or given.

        Raises:
            InvalidTaskError: If what is given is no request.
        """
        if given is None:
            request, self._seed = self._seat.draw(rng)
        else:
            request, self._seed = self._seat.checked(given), self._seat.draw_seed(rng)
        self.over = self.truncated = False
        self.invalid: str | None = None
        self.cycles = 0
        self.results: dict[str, dict[str, Any]] = {agent: {} for agent in AGENTS}
        self.finished: list[Trajectory] = []
        self._written: Trajectory | None = None
        self._votes: list[Trajectory] = []
        self._solved: list[Trajectory] = []
        self._judged: list[Trajectory] = []
        self._begin(request)

    @property
    def actor(self) -> str:
        """The agent whose turn it is; at the end, the one who had the last turn."""
        return SEATED[self.conversation.role]

    def chat(self) -> Chat:
        """Returns the running chat, as ``Agent.act`` takes it."""
        return self.conversation.chat()

    def play(self, turn: Turn) -> dict[str, float]:
        """Takes the actor's turn.

        Returns:
            What each agent earns by it.
        """
        self.results[self.actor] = {}
        self.cycles += 1
        conversation = self.conversation
        advance((conversation,), (turn,), self._tool)
        before = {agent: result.get("reward_parts") for agent, result in self.results.items()}
        if conversation.done:
            self._record(conversation.trajectory())
        if not self.over and self.max_cycles is not None and self.cycles >= self.max_cycles:
            self.over = self.truncated = True
        earned = dict.fromkeys(AGENTS, 0.0)
        for agent, result in self.results.items():
            parts = result.get("reward_parts")
            if parts is not None and parts is not before[agent] and parts.invalid is None:
                earned[agent] = float(parts.total)
        return earned

    def _begin(self, assignment: Assignment) -> None:
        number = len(self.finished)
        seed = derive_seed(self._seed, number) % SEEDS
        self.conversation = Conversation(assignment, self._dialect, self.max_turns, seed)

    def _record(self, episode: Trajectory) -> None:
        self.finished.append(episode)
        if episode.invalid is not None:
            self.invalid = episode.invalid
            self.over = self.truncated = True
            self._result(episode, RewardParts(0.0, invalid=episode.invalid))
        elif episode.role is Role.GENERATOR:
            self._written = episode
            self._go_on()
        elif episode.role is Role.POLICY:
            self._record_solve(episode)
        else:
            self._record_verdict(episode)

    def _record_solve(self, episode: Trajectory) -> None:
        self._solved.append(episode)
        if episode.answer is not None:
            self._begin(self._claim(episode.answer, self._label(episode.answer)))
            return
        self._result(episode, self._policy_parts(episode, 0.0))
        self._go_on()

    def _record_verdict(self, episode: Trajectory) -> None:
        self._result(episode, self._grm.score([episode])[0])
        if not self._solved:
            self._votes.append(episode)
        else:
            self._judged.append(episode)
            verdict = parse_verdict(episode.answer)
            solution = self._solved[-1]
            if verdict is None:
                self._result(solution, RewardParts(0.0, invalid="verdict"))
            else:
                earned = float(verdict == "correct")
                self._result(solution, self._policy_parts(solution, earned))
        self._go_on()

    def _go_on(self) -> None:
        """Begins what comes next; where nothing does, the generator gets its reward."""
        written, rules = self._written, self._generator
        assert written is not None
        if check_question(written.question, written.answer) is None:
            votes = rules.verifications if rules.verifies else 0
            if len(self._votes) < votes:
                self._begin(self._claim(written.answer or "", None))
                return
            if self._confirmed() and len(self._solved) < rules.solves:
                task_id = f"{written.assignment.id}-written"
                self._begin(Task(task_id, written.question or "", (written.answer or "",)))
                return
        recorded = _Recorded(
            self._tool,
            self._dialect,
            judge=_Seated(),
            solved=self._solved.copy(),
            judged=self._votes + self._judged,
        )
        rules.partners = recorded
        self._result(written, rules.score([written])[0])
        self.over = True
        self.truncated = self.finished[-1].truncated

    def _confirmed(self) -> bool:
        """Whether the votes confirm the generator's own answer; the reward model's rule."""
        verdicts = [parse_verdict(vote.answer) for vote in self._votes]
        valid = [verdict for verdict in verdicts if verdict is not None]
        if 2 * len(valid) < len(verdicts):
            return False
        return not valid or valid.count("correct") / len(valid) >= self._generator.threshold

    def _claim(self, answer: str, label: Any) -> Claim:
        assert self._written is not None
        name = f"{self._written.assignment.id}-claim-{len(self.finished)}"
        return Claim(name, self._written.question or "", answer, label)

    def _label(self, answer: str) -> str | None:
        """Whether an answer fits the generator's: what the GRM should find."""
        assert self._written is not None
        solve = {"answer": answer, "verdict": None, "seed": 0}
        return reference_labels([solve], self._written.answer or "")[0]  # type: ignore[list-item]

    def _policy_parts(self, episode: Trajectory, verdict: float) -> RewardParts:
        parts = {"verdict": verdict}
        if self._format_reward:
            parts["format"] = shape(episode)
        return RewardParts(sum(parts.values()), parts)

    def _result(self, episode: Trajectory, parts: RewardParts) -> None:
        result: dict[str, Any] = {"trajectory": episode, "reward_parts": parts}
        if parts.invalid is not None:
            result["invalid"] = parts.invalid
        self.results[SEATED[episode.role]] = result
