"""What is measured at the start and after each round, on questions never trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from asl_env.agents.coevolution.agreement import Confusion, brier, calibration_error, reliability
from asl_env.agents.coevolution.diversity import distinct_ngrams, mean_distance
from asl_env.agents.coevolution.hackprobes import probe_judge, verdict_holes
from asl_env.agents.coevolution.phases import Stage
from asl_env.agents.coevolution.recipe import AlarmSpec
from asl_env.agents.coevolution.seeds import derive_many, generator
from asl_env.agents.coevolution.state import RunState
from asl_env.episode import Assignment, Claim, Role, Task, Trajectory
from asl_env.play import play
from asl_env.protocols import Agent
from asl_env.rewards.labels import real_claims
from asl_env.rewards.matching import METRICS, cover_em, em, f1
from asl_env.rewards.verdict import parse_verdict

#: Wrong answers that the judge accepted, kept with each measurement.
FOOLED = 12


class Row(NamedTuple):
    """One measured question: how it was answered, what the judge said, and the truth."""

    task: Task
    episode: Trajectory
    verdict: str | None
    right: bool


class Diagnostics:
    """Measures a team. The same questions every time, so that rounds can be compared.

    Args:
        stage: Recipe, seed, world, team. What is measured of the GRM is the seat's agent as it
            is now, or the judge of the recipe where that is another one. Where a rule or the
            majority decides, no judge is measured, and an answer is ``judged`` right if it is
            the task's own.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._spec = stage.recipe.diagnostics
        self._rollouts: dict[str, int] = {}
        chosen = self._spec.sets or tuple(stage.world.held_out)
        self._held_out = {
            name: _sample(stage.world.held_out_set(name), self._spec.tasks_per_set, 0, name)
            for name in chosen
        }

    def measure(self, state: RunState) -> dict[str, Any]:
        """Measures everything that can be measured.

        Returns:
            ``policy`` (per set and over all: ``judged``, ``true``, ``em``, ``f1``, ``cover_em``),
            ``grm`` (held-out claims), ``grm_on_policy`` (the policy's own answers), ``fooled``
            (some wrong ones among those that the judge accepted), ``hacks``
            (false-accept rate per probe), ``tasks`` (this round's own: difficulty, diversity,
            the policy on them, the oracle on them), ``rollouts`` (what all this took, by seat).
            Values may be NaN; what the world gives no data for is missing.
        """
        metrics: dict[str, Any] = {"round": state.round}
        judged = self._held_out and self._stage.judge is not None
        if self._held_out:
            metrics.update(self._policy())
        if judged:
            metrics["grm"] = self._grm()
        if judged and self._spec.probes:
            metrics["hacks"] = self._hacks()
        if state.tasks:
            metrics["tasks"] = self._tasks(state)
        return {**metrics, "rollouts": self._rollouts}

    def _policy(self) -> dict[str, Any]:
        rows = self._solve([task for group in self._held_out.values() for task in group], "policy")
        sets, start = {}, 0
        for name, group in self._held_out.items():
            sets[name] = _accuracy(rows[start : start + len(group)])
            start += len(group)
        answered = [row for row in rows if row.episode.answer is not None]
        on_policy = Confusion.count(
            [row.verdict for row in answered], [row.right for row in answered]
        )
        policy = {**_accuracy(rows), "sets": sets}
        if self._stage.judge is None:
            return {"policy": policy}
        fooled = [row for row in answered if row.verdict == "correct" and not row.right]
        order = generator(self._stage.seed, "fooled").permutation(len(fooled))[:FOOLED]
        examples = [_example(fooled[index]) for index in sorted(order.tolist())]
        return {"policy": policy, "grm_on_policy": _describe(on_policy), "fooled": examples}

    def _grm(self) -> dict[str, Any]:
        tasks = [task for group in self._held_out.values() for task in group]
        claims = real_claims(tasks, self._spec.claims, generator(self._stage.seed, "claims"))
        truths = [claim.label == "correct" for claim in claims]
        verdicts = self._judge(claims, "grm", greedy=True)
        votes = [claim for claim in claims for _ in range(self._spec.votes)]
        sampled = self._judge(votes, "votes", greedy=False)
        shares = []
        for start in range(0, len(sampled), self._spec.votes):
            group = [v for v in sampled[start : start + self._spec.votes] if v is not None]
            shares.append(group.count("correct") / len(group) if group else 0.5)
        confusion = Confusion.count(verdicts, truths)
        return {
            **_describe(confusion),
            "brier": brier(shares, truths),
            "ece": calibration_error(shares, truths),
            "bins": reliability(shares, truths),
        }

    def _hacks(self) -> dict[str, Any]:
        tasks = [task for group in self._held_out.values() for task in group]
        rates = probe_judge(
            lambda claims: self._judge(claims, "probes", greedy=True),
            tasks,
            self._spec.probes,
            generator(self._stage.seed, "probes"),
        )
        mean = math.fsum(rates.values()) / len(rates) if rates else math.nan
        return {"mean": mean, "verdict_holes": verdict_holes(parse_verdict), "probes": rates}

    def _tasks(self, state: RunState) -> dict[str, Any]:
        questions = [task.question for task in state.tasks]
        rates = [state.solve_rates[task.id] for task in state.tasks if task.id in state.solve_rates]
        metrics: dict[str, Any] = {
            "count": len(state.tasks),
            "difficulty": 1.0 - math.fsum(rates) / len(rates) if rates else math.nan,
            "distinct_2": distinct_ngrams(questions),
            "distance": mean_distance(questions),
            "answers": len({task.answers[0] for task in state.tasks}) / len(state.tasks),
        }
        sample = _sample(state.tasks, self._spec.tasks_per_set, self._stage.seed, "own")
        metrics["policy"] = _accuracy(self._solve(sample, "own"))
        metrics.update(self._validity(state))
        return metrics

    def _validity(self, state: RunState) -> dict[str, Any]:
        """What the oracle says about this round's tasks; empty without an oracle."""
        oracle, sample = self._stage.world.oracle, self._spec.oracle_sample
        if oracle is None or not sample:
            return {}
        chosen = _sample(state.tasks, sample, self._stage.seed, f"oracle-{state.round}")
        replies = [(oracle.ask(task.question), task.answers[0]) for task in chosen]
        answered = [reply.status == "answered" for reply, _ in replies]
        right = [reply.status == "answered" and reply.accepts(text) for reply, text in replies]
        unique = [reply.status == "answered" and reply.unique for reply, _ in replies]
        return {
            "oracle": {
                "asked": len(replies),
                "answered": _mean(answered),
                "outside": _mean([reply.status == "outside" for reply, _ in replies]),
                "answer_right": _mean(right),
                "unique": _mean(unique),
                "valid": _mean([a and b for a, b in zip(right, unique, strict=True)]),
            }
        }

    def _solve(self, tasks: Sequence[Task], name: str) -> list[Row]:
        """Lets the policy answer and the judge judge; failed episodes are left out."""
        episodes = self._play(self._stage.team[Role.POLICY], Role.POLICY, tasks, name)
        verdicts = self._judge_answers(tasks, episodes, name)
        return [
            Row(task, episode, verdict, self._stage.world.is_right(task, episode.answer))
            for task, episode, verdict in zip(tasks, episodes, verdicts, strict=True)
        ]

    def _judge_answers(
        self, tasks: Sequence[Task], episodes: Sequence[Trajectory], name: str
    ) -> list[str | None]:
        """Verdicts on the answers that were given; no answer is wrong without asking."""
        if self._stage.judge is None:
            matches, pairs = METRICS[self._stage.recipe.match], zip(tasks, episodes, strict=True)
            return ["correct" if matches(e.answer, task.answers) else "wrong" for task, e in pairs]
        asked = [
            (index, Claim(task.id, task.question, episode.answer))
            for index, (task, episode) in enumerate(zip(tasks, episodes, strict=True))
            if episode.answer is not None
        ]
        verdicts: list[str | None] = ["wrong"] * len(tasks)
        said = self._judge([claim for _, claim in asked], name, greedy=True)
        for (index, _), verdict in zip(asked, said, strict=True):
            verdicts[index] = verdict
        return verdicts

    def _judge(self, claims: Sequence[Claim], name: str, *, greedy: bool) -> list[str | None]:
        judge = self._stage.judge
        assert judge is not None
        episodes = self._play(judge, Role.GRM, claims, f"judge-{name}", greedy=greedy)
        return [
            None if episode.invalid is not None else parse_verdict(episode.answer)
            for episode in episodes
        ]

    def _play(
        self,
        agent: Agent,
        seat: Role,
        assignments: Sequence[Assignment],
        name: str,
        *,
        greedy: bool = True,
    ) -> list[Trajectory]:
        stage = self._stage
        self._rollouts[seat.value] = self._rollouts.get(seat.value, 0) + len(assignments)
        return play(
            agent,
            assignments,
            tool=stage.world.tool,
            dialect=stage.recipe.dialect,
            seeds=derive_many(len(assignments), stage.seed, "measure", name),
            greedy=greedy,
            max_turns=stage.recipe.max_turns,
        )


def gap_of(metrics: Mapping[str, Any]) -> float:
    """Judged minus true accuracy of the policy on held-out questions: reward hacking. Or NaN."""
    policy = metrics.get("policy") or {}
    judged, true = policy.get("judged"), policy.get("true")
    return math.nan if judged is None or true is None else judged - true


def alarms(history: Sequence[Mapping[str, Any]], spec: AlarmSpec) -> Iterator[dict[str, Any]]:
    """Why the newest measurement is alarming.

    Args:
        history: Measurements, oldest first.
        spec: Thresholds.

    Yields:
        ``{"why", "value", "limit"}``: the gap itself, and its growth since the first measurement.
    """
    gaps = [gap for metrics in history if math.isfinite(gap := gap_of(metrics))]
    if not gaps or not math.isfinite(gap_of(history[-1])):
        return
    if gaps[-1] > spec.gap:
        yield {"why": "gap", "value": gaps[-1], "limit": spec.gap}
    if gaps[-1] - gaps[0] > spec.growth:
        yield {"why": "growth", "value": gaps[-1] - gaps[0], "limit": spec.growth}


def _accuracy(rows: Sequence[Row]) -> dict[str, Any]:
    """Means over the valid episodes; an answer without a verdict is left out of ``judged``."""
    valid = [row for row in rows if row.episode.invalid is None]
    said = [(row.episode.answer, row.task.answers) for row in valid]
    judged = [row.verdict == "correct" for row in valid if row.verdict is not None]
    return {
        "n": len(valid),
        "judged": _mean(judged),
        "true": _mean([row.right for row in valid]),
        "em": _mean([em(*pair) for pair in said]),
        "f1": _mean([f1(*pair) for pair in said]),
        "cover_em": _mean([cover_em(*pair) for pair in said]),
        "no_answer": _mean([row.episode.answer is None for row in valid]),
        "searches": _mean([row.episode.tool_calls for row in valid]),
    }


def _example(row: Row) -> dict[str, Any]:
    golden = row.task.answers[0]
    return {"question": row.task.question, "answer": row.episode.answer, "golden": golden}


def _describe(confusion: Confusion) -> dict[str, Any]:
    return {
        "accuracy": confusion.accuracy,
        "kappa": confusion.kappa,
        "false_accept": confusion.false_accept_rate,
        "false_reject": confusion.false_reject_rate,
        "matrix": vars(confusion),
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _sample(tasks: Sequence[Task], count: int, seed: int, name: str) -> list[Task]:
    """The same random tasks for the same run and name, in their old order."""
    if len(tasks) <= count:
        return list(tasks)
    chosen = generator(seed, "sample", name).permutation(len(tasks))[:count]
    return [tasks[index] for index in sorted(chosen.tolist())]
