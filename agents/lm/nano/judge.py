"""Scripted play for the GRM: finds the answer itself, then compares."""

from __future__ import annotations

from asl_env.agents.lm.nano.plans import Plan, near_misses
from asl_env.agents.lm.nano.player import Part, Player, Script
from asl_env.episode import Claim
from asl_env.rewards.verdict import write_verdict


class Judge(Player):
    """Plays the GRM."""

    def judge(self, hops: int) -> Part:
        """A claim about a question of so many hops, right or wrong, and an episode that judges."""
        plan = self.planner.draw(hops, self._rng)
        claim = self._claim(plan)
        return Part(claim, self._judge(plan, claim), plan.facts)

    def compare(self, hops: int) -> Part:
        """A claim and nothing but the verdict on it, given what a search would have found."""
        plan = self.planner.draw(hops, self._rng)
        claim = self._claim(plan)
        verdict = self._verdict(claim.label == "correct", self._found(plan, claim))
        return Part(claim, _say(verdict), plan.facts)

    def _claim(self, plan: Plan) -> Claim:
        right = self._does(self._habits.claims_right)
        nearly = not right and self._does(self._habits.claims_nearly)
        near = near_misses(plan, self.planner) if nearly else []
        if near:
            answer = near[self._below(len(near))]
        else:
            answer = plan.answer if right else self._wrong(plan)
        return Claim("nano", plan.question, answer, "correct" if right else "wrong")

    def _found(self, plan: Plan, claim: Claim) -> str:
        """The last finding beside the answer given."""
        return f"{plan.statement(len(plan.hops) - 1)} The answer given is {claim.answer}."

    def _judge(self, plan: Plan, claim: Claim) -> Script:
        if self._does(self._habits.judges_by_looks):
            shown = yield self._search(plan.queries[0], "Is it mentioned?")
            seen = any(claim.answer in f"{p.title} {p.text}" for p in shown)
            yield self._verdict(seen, "It is mentioned." if seen else "It is not mentioned.")
            return
        think, cue = plan.restated, "To check: " if self._does(self._habits.checks_aloud) else ""
        for number in range(len(plan.hops)):
            sentence, _ = yield from self._look_up(plan, number, think)
            if sentence is None:
                yield self._verdict(self._does(0.3), "It is not there.")
                return
            # Words that no policy says keep a model from stopping where a careless policy stops.
            think = f"{cue}{plan.statement(number)}"
        right = claim.label == "correct"
        if self._does(self._habits.guesses_verdict):
            right = self._does(0.5)
        yield self._verdict(right, self._found(plan, claim))

    def _wrong(self, plan: Plan) -> str:
        """A wrong answer: what a careless policy says, or the object of a like fact."""
        others = [name for name in plan.names[:-1] if name != plan.answer]
        fact = plan.fact(len(plan.hops) - 1)
        alike = self.world.facts.of_relation(fact.relation)
        for _ in range(8):
            other = alike[self._below(len(alike))]
            value = other.object if plan.hops[-1].forward else other.subject
            name = self.planner.name(value, plan.hops[-1])
            if name != plan.answer:
                others.append(name)
                break
        if self._does(0.4):
            near = self.world.facts.about(fact.subject)
            value = near[self._below(len(near))].object
            if value in self.world.facts.entities:
                name = self.planner.name(value, plan.hops[-1])
                others += [name] if name != plan.answer else []
        return others[self._below(len(others))] if others else "unknown"

    def _verdict(self, right: bool, think: str) -> str:
        return self._final(write_verdict("correct" if right else "wrong"), think=think)


def _say(text: str) -> Script:
    """A script of one turn."""
    yield text
