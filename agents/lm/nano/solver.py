"""Scripted play for the policy: hop by hop, or not so far."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.agents.lm.nano.plans import Plan
from asl_env.agents.lm.nano.player import Part, Player, Script
from asl_env.corpora.passages import Passage
from asl_env.episode import Task


class Solver(Player):
    """Plays the policy."""

    def solve(self, hops: int) -> Part:
        """A question of so many hops, and an episode that answers it."""
        plan = self.planner.draw(hops, self._rng)
        task = Task("nano", plan.question, (plan.answer,))
        return Part(task, self._solve(plan), plan.facts)

    def _solve(self, plan: Plan) -> Script:
        think = plan.restated
        for number in range(len(plan.hops)):
            sentence, shown = yield from self._look_up(plan, number, think)
            if sentence is None:
                yield self._final(self._guess(shown, plan), think="It is not there.")
                return
            think = plan.statement(number)
            last = number == len(plan.hops) - 1
            if not last and self._does(self._habits.stops_early):
                yield self._final(plan.names[number + 1], think=think)
                return
        yield self._final(plan.answer, think=think)

    def _guess(self, shown: Sequence[Passage], plan: Plan) -> str:
        """Something that was shown, or what the question starts from."""
        titles = [passage.title for passage in shown] or [plan.names[0]]
        return titles[self._below(len(titles))]
