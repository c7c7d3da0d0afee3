"""The generator's reward model: cheap gates first, then verification, solving and judging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict

from asl_env.dialects import make_dialect
from asl_env.episode import Claim, Request, RewardParts, Task, Trajectory
from asl_env.errors import AslError, did_you_mean
from asl_env.protocols import Agent, Dialect
from asl_env.rewards.clusters import cluster_shares
from asl_env.rewards.generator import GENERATOR_REWARDS, Evidence, entropy
from asl_env.rewards.grounding import ungrounded
from asl_env.rewards.judging import Judgement, Partners, derive_seed
from asl_env.rewards.matching import cover_em, em
from asl_env.rewards.shaping import format_reward as shape
from asl_env.rewards.verdict import Verdict
from asl_env.rewards.voting import majority_verdicts
from asl_env.text import normalize

if TYPE_CHECKING:
    from asl_env.play import Tool

#: Shorter questions are not valid.
MIN_QUESTION_CHARS = 10
#: A question mark must be among this many last characters.
MARK_WITHIN = 5


class Solve(TypedDict):
    """One attempt of the solver: its answer, the verdict on it, and the seed that repeats it."""

    answer: str | None
    verdict: Verdict | None
    seed: int


@dataclass
class _Draft:
    """A question on its way through the gates."""

    episode: Trajectory
    reason: str | None = None
    invalid: str | None = None
    verification: float | None = None
    solves: list[Solve] = field(default_factory=list)
    cluster_share: float = 0.0
    asked_policy: int = 0
    asked_grm: int = 0

    @property
    def question(self) -> str:
        return self.episode.question or ""

    @property
    def answer(self) -> str:
        return self.episode.answer or ""

    @property
    def open(self) -> bool:
        """Whether the question is still worth looking at."""
        return self.reason is None and self.invalid is None

    def seed(self, *path: str | int) -> int:
        """Seed of a partner's rollout."""
        return derive_seed(self.episode.seed, *path)

    def claim(self, answer: str) -> Claim:
        """The claim that an answer to the question is right."""
        return Claim(self.episode.assignment.id, self.question, answer)

    def task(self) -> Task:
        """The question as a task for the solver."""
        return Task(self.episode.assignment.id, self.question, (self.answer,))

    def scores(self) -> tuple[float, ...]:
        verdicts = (solve["verdict"] for solve in self.solves)
        return tuple(float(verdict == "correct") for verdict in verdicts if verdict is not None)

    def fail(self, kind: str, failures: Sequence[str], asked: int) -> bool:
        """Marks the episode invalid if more than half of what was asked for failed."""
        if 2 * len(failures) > asked:
            self.invalid = f"{kind}: {failures[0]}"
        return self.invalid is not None


def check_question(question: str | None, answer: str | None) -> str | None:
    """Returns why a question with its answer is not valid, or ``None`` if it is.

    Args:
        question: Content of the question tag.
        answer: Content of the answer tag.
    """
    if question is None:
        return "no question"
    if len(question) < MIN_QUESTION_CHARS:
        return "question too short"
    if "?" not in question[-MARK_WITHIN:]:
        return "no question mark at the end"
    if answer is None:
        return "no answer"
    return None if normalize(answer) else "answer normalises to nothing"


class GeneratorReward:
    """Rewards the generator for a valid, verified question of the right difficulty.

    Each gate stops what follows: an invalid question costs no rollout, an unverified one no
    solves. All verifications of a batch are one batched rollout, so are all solves, so are all
    judgements. A partner's failures (a broken tool, a verdict outside the grammar) are left out
    of the means; if more than half fail, the episode is invalid. A solve without an answer is
    wrong, without asking the judge.

    ``extras`` of each episode: ``question``, ``answer``, ``valid``, ``reason`` (why the reward is
    zero: the failed check, ``verification`` or ``None``), ``verification`` (share of votes for
    the generator's answer, or ``None``), ``solves`` (``answer``, ``verdict``, ``seed`` each) and
    ``rollouts`` (how many the partners were asked for, by seat).

    Args:
        solver: Plays the policy seat.
        judge: Plays the GRM seat; ``None`` compares solves with the generator's answer by rule
            (not possible for a reward that verifies, unless ``verifications`` is 0).
        tool: The partners' search tool.
        dialect: Name or object.
        name: A name from ``GENERATOR_REWARDS``.
        solves: Attempts per question, at least 1.
        verifications: Votes on the generator's own answer.
        threshold: Share of votes that opens the verification gate.
        format_reward: Add the format reward.
        penalty: Weight of the cluster share in ``r-zero``.
        repetition: Gives the cluster shares of questions that are scored together.
        majority: A solve is right if it agrees with most solves of its question; nobody is asked.
        match: Rule by which a solve is right where there is no judge: ``em`` or ``cover-em``.
        grounded: Questions with names, or with an answer, that were never read are not valid.
        max_turns: Turns of a partner's rollout at most.
        compat: As the released ASL code: unverified questions are solved all the same (the judged
            solves in ``extras`` are its judge-training data), words match inside words, verdicts
            and format are read from the text by substrings.

    Raises:
        AslError: If the name is unknown, or a reward that verifies has no judge.
    """

    def __init__(
        self,
        solver: Agent,
        judge: Agent | None,
        tool: Tool,
        dialect: str | Dialect = "asl",
        name: str = "asl",
        solves: int = 10,
        verifications: int = 5,
        threshold: float = 0.8,
        format_reward: bool = False,
        *,
        penalty: float = 1.0,
        repetition: Callable[[Sequence[str]], Sequence[float]] = cluster_shares,
        majority: bool = False,
        match: Literal["em", "cover-em"] = "cover-em",
        grounded: bool = False,
        max_turns: int = 9,
        compat: bool = False,
    ) -> None:
        if name not in GENERATOR_REWARDS:
            known = did_you_mean(name, GENERATOR_REWARDS)
            raise AslError(f"no generator reward is named {name!r}{known}")
        if solves < 1 or verifications < 0:
            raise AslError(
                f"generator reward {name!r}: solves={solves} must be at least 1 and "
                f"verifications={verifications} at least 0"
            )
        self.name, self.rule = name, GENERATOR_REWARDS[name]
        self.verifies = self.rule.verifies and verifications > 0
        if judge is None and self.verifies:
            raise AslError(f"generator reward {name!r} verifies questions: give it a judge")
        self.solves, self.verifications, self.threshold = solves, verifications, threshold
        self.format_reward, self.penalty, self.compat = format_reward, penalty, compat
        self.repetition, self.majority, self.match = repetition, majority, match
        self.grounded = grounded
        dialect = make_dialect(dialect)
        self.partners = Partners(tool, dialect, solver, judge, max_turns, compat)

    def score(self, episodes: Sequence[Trajectory]) -> list[RewardParts]:
        """Returns parts ``valid``, ``verification``, ``solve_rate``, ``entropy``, name, format."""
        drafts = [self._draft(episode) for episode in episodes]
        if self.verifies:
            self._verify([draft for draft in drafts if draft.open])
        late = ("verification",) if self.compat else ()
        solved = [
            draft
            for draft in drafts
            if draft.invalid is None and (draft.reason is None or draft.reason in late)
        ]
        self._solve(solved)
        if self.rule.clusters:
            asked = [draft for draft in drafts if draft.open]
            shares = self.repetition([draft.question for draft in asked])
            for draft, share in zip(asked, shares, strict=True):
                draft.cluster_share = share
        return [self._parts(draft) for draft in drafts]

    def _draft(self, episode: Trajectory) -> _Draft:
        if not isinstance(episode.assignment, Request):
            raise AslError(f"GeneratorReward scores the generator seat, not {episode.role}")
        if episode.invalid is not None:
            return _Draft(episode, invalid=episode.invalid)
        reason = check_question(episode.question, episode.answer)
        if reason is None and self.grounded:
            made_up = ungrounded(episode, self.partners.dialect)
            reason = None if made_up is None else f"never read: {made_up}"
        return _Draft(episode, reason)

    def _verify(self, drafts: Sequence[_Draft]) -> None:
        """Asks the judge about the generator's own answers, all votes in one batch."""
        votes = self.verifications
        for draft in drafts:
            draft.asked_grm += votes
        claims = [draft.claim(draft.answer) for draft in drafts for _ in range(votes)]
        seeds = [draft.seed("verify", vote) for draft in drafts for vote in range(votes)]
        judgements = self.partners.judgements(claims, seeds)
        for draft, said in zip(drafts, _groups(judgements, votes), strict=True):
            if draft.fail(
                "verification", [j.failure for j in said if j.failure is not None], votes
            ):
                continue
            verdicts = [judgement.verdict for judgement in said if judgement.verdict is not None]
            draft.verification = verdicts.count("correct") / len(verdicts)
            if draft.verification < self.threshold:
                draft.reason = "verification"

    def _solve(self, drafts: Sequence[_Draft]) -> None:
        """Solves every question, all attempts in one batch, and has the answers judged."""
        tries = self.solves
        for draft in drafts:
            draft.asked_policy += tries
        tasks = [draft.task() for draft in drafts for _ in range(tries)]
        seeds = [draft.seed("solve", attempt) for draft in drafts for attempt in range(tries)]
        attempts = self.partners.attempts(tasks, seeds)
        owners = [draft for draft in drafts for _ in range(tries)]
        if self.majority:
            judgements = self._vote(attempts)
        else:
            judgements = self._judge_attempts(owners, attempts)
        for attempt, owner, judgement in zip(attempts, owners, judgements, strict=True):
            owner.solves.append(
                {"answer": attempt.answer, "verdict": judgement.verdict, "seed": attempt.seed}
            )
        for draft, said in zip(drafts, _groups(judgements, tries), strict=True):
            draft.fail("solves", [j.failure for j in said if j.failure is not None], tries)

    def _judge_attempts(
        self, owners: Sequence[_Draft], attempts: Sequence[Trajectory]
    ) -> list[Judgement]:
        """Judges what was answered; a missing answer is wrong, a broken attempt has no verdict."""
        judgements = [
            Judgement(None, attempt.invalid) if attempt.invalid is not None else Judgement("wrong")
            for attempt in attempts
        ]
        asked: list[int] = []
        for index, attempt in enumerate(attempts):
            if attempt.invalid is not None or attempt.answer is None:
                continue
            if self.partners.judge is not None:
                asked.append(index)
                owners[index].asked_grm += 1
            elif self._matches(attempt.answer, owners[index].answer):
                judgements[index] = Judgement("correct")
        claims = [owners[index].claim(attempts[index].answer or "") for index in asked]
        seeds = [derive_seed(attempts[index].seed, "judge") for index in asked]
        for index, judgement in zip(asked, self.partners.judgements(claims, seeds), strict=True):
            judgements[index] = judgement
        return judgements

    def _vote(self, attempts: Sequence[Trajectory]) -> list[Judgement]:
        """Verdicts by majority within each question; a broken attempt has no vote."""
        judgements: list[Judgement] = []
        for start in range(0, len(attempts), self.solves):
            group = attempts[start : start + self.solves]
            whole = [attempt for attempt in group if attempt.invalid is None]
            verdicts = iter(majority_verdicts([attempt.answer for attempt in whole]))
            judgements += [
                Judgement(next(verdicts))
                if attempt.invalid is None
                else Judgement(None, attempt.invalid)
                for attempt in group
            ]
        return judgements

    def _matches(self, answer: str, reference: str) -> bool:
        if self.match == "em":
            return bool(em(answer, [reference]))
        return bool(cover_em(answer, [reference], compat=self.compat))

    def _parts(self, draft: _Draft) -> RewardParts:
        extras = {
            "question": draft.episode.question,
            "answer": draft.episode.answer,
            "valid": draft.invalid is None and draft.reason in (None, "verification"),
            "reason": draft.reason,
            "verification": draft.verification,
            "solves": draft.solves,
            "rollouts": {"policy": draft.asked_policy, "grm": draft.asked_grm},
        }
        if draft.invalid is not None:
            return RewardParts(0.0, invalid=draft.invalid, extras=extras)
        parts = {"valid": float(bool(extras["valid"])), self.name: 0.0}
        if draft.verification is not None:
            parts["verification"] = draft.verification
        scores = draft.scores()
        if scores:
            evidence = self._evidence(draft, scores)
            parts |= {"solve_rate": evidence.mean, "entropy": entropy(evidence)}
            parts[self.name] = self.rule(evidence) if draft.open else 0.0
        total = parts[self.name]
        if self.format_reward:
            parts["format"] = shape(draft.episode, compat=self.compat)
            total += parts["format"]
        return RewardParts(total, parts, extras=extras)

    def _evidence(self, draft: _Draft, scores: tuple[float, ...]) -> Evidence:
        request = draft.episode.assignment
        assert isinstance(request, Request)
        source = [request.source_answer] if normalize(request.source_answer) else []
        return Evidence(
            scores,
            tool_hit=self._found(draft),
            source_in_answer=bool(cover_em(draft.answer, source, compat=self.compat)),
            source_in_question=bool(cover_em(draft.question, source, compat=self.compat)),
            cluster_share=draft.cluster_share,
            penalty=self.penalty,
        )

    def _found(self, draft: _Draft) -> bool:
        """Whether the generator's answer is in the last tool response it saw."""
        for message in reversed(draft.episode.messages):
            if message["role"] == "tool":
                seen = self.partners.dialect.read_results(message) or []
                text = "\n".join(passage.contents for passage in seen)
                return bool(cover_em(text, [draft.answer], compat=self.compat))
        return False


def _groups(judgements: Sequence[Judgement], size: int) -> Iterator[Sequence[Judgement]]:
    return (judgements[start : start + size] for start in range(0, len(judgements), size))
