"""Scripted play for the generator: reads about a topic, and asks about what it has read."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from asl_env.agents.lm.nano.plans import Plan, Planner, is_trained, narrow_bank
from asl_env.agents.lm.nano.player import Part, Player, Script
from asl_env.corpora.miniwiki.facts import Fact
from asl_env.corpora.miniwiki.grammar import Hop
from asl_env.corpora.miniwiki.meanings import Named, Step
from asl_env.corpora.miniwiki.prose import Sentence
from asl_env.corpora.passages import Passage
from asl_env.episode import Request

if TYPE_CHECKING:
    from asl_env.corpora.miniwiki.meanings import Meaning


class Asker(Player):
    """Plays the generator; the arguments are those of ``Player``."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.asker = Planner(self.world.facts, narrow_bank())

    def ask(self) -> Part:
        """A request, and an episode that meets it."""
        if self._does(0.5):
            topic = self._topic()
            return Part(Request("nano", "seed", topic), self._write(topic, 1 + self._below(2)))
        plan = self.asker.draw(1 + self._below(2), self._rng)
        kind = "harder" if self._does(0.5) else "easier"
        style = "depth" if self._does(0.5) else "width"
        topic = plan.names[0]
        request = Request("nano", kind, topic, style, plan.question, plan.answer)  # type: ignore[arg-type]
        if style == "depth" and kind == "harder" and plan.values[-1] in self.world.facts.entities:
            return Part(request, self._deepen(plan), plan.facts)
        if style == "depth" and kind == "easier" and len(plan.hops) > 1:
            return Part(request, self._shorten(plan), plan.facts)
        return Part(request, self._write(topic, 2 if kind == "harder" else 1))

    def _topic(self) -> str:
        if self._does(0.5):
            return self.world.topics[self._below(len(self.world.topics))]
        entities = list(self.world.facts.entities)
        while True:
            entity = entities[self._below(len(entities))]
            if is_trained(entity):
                return self.world.facts.entities[entity].title

    def _write(self, topic: str, hops: int) -> Script:
        """Searches for a topic and asks about a sentence that was shown, or one step further."""
        shown = yield self._search(topic, "A topic.")
        told = self._told(shown)
        first = self._askable(told, nested=hops > 1)
        if first is None:
            yield self._final("unknown", question=f"What is {topic}?", think="It is not there.")
            return
        meaning, value = first
        if hops > 1 and value in self.world.facts.entities:
            deeper = yield from self._step_on(meaning, value)
            if deeper:
                return
        yield self._question(meaning, told)

    def _deepen(self, plan: Plan) -> Script:
        """Asks one step further than a question."""
        done = yield from self._step_on(_meaning(plan, len(plan.hops)), plan.values[-1])
        if not done:
            shown = yield self._search(plan.queries[0], "Again.")
            told = self._told(shown)
            first = self._askable(told, nested=False)
            if first is None:
                yield self._final("unknown", question=plan.question, think="It is not there.")
            else:
                yield self._question(first[0], told)

    def _shorten(self, plan: Plan) -> Script:
        """Asks for what the question passes through."""
        shown = yield self._search(plan.queries[0], "One step less.")
        sentence = self._find(plan.fact(0), shown)
        if sentence is None:
            yield self._final(plan.names[1], question=plan.question, think="It is not there.")
            return
        yield self._question(_meaning(plan, 1), self._told(shown))

    def _step_on(self, meaning: Meaning, value: str) -> Generator[str, Sequence[Passage], bool]:
        """Looks an answer up and asks about a fact of it; whether that could be done."""
        name = self.world.facts.entities[value].phrase
        before = self.asker.word(meaning, self._rng)
        think = before.statement(len(before.hops) - 1) if before else "One step more."
        shown = yield self._search(name, think)
        told = [pair for pair in self._told(shown) if pair[0].subject == value]
        self._shuffle(told)
        for fact, _ in told:
            plan = self.asker.word(Step(fact.relation, True, meaning), self._rng)
            if plan is not None:
                yield self._question_of(plan, told)
                return True
        return False

    def _askable(
        self, told: Sequence[tuple[Fact, Sentence]], *, nested: bool
    ) -> tuple[Meaning, str] | None:
        """A fact that was told and makes a question with one answer (or several, if careless)."""
        pairs = list(told)
        self._shuffle(pairs)
        loosely = self._does(self._habits.asks_loosely)
        entities = self.world.facts.entities
        for fact, _ in pairs:
            hop = Hop(fact.relation, nested or self._does(0.75))
            start, end = (fact.subject, fact.object) if hop.forward else (fact.object, fact.subject)
            if nested and end not in entities:
                continue
            meaning = Step(hop.relation, hop.forward, Named(frozenset((start,))))
            if loosely or self.asker.word(meaning, self._rng) is not None:
                return meaning, end
        return None

    def _question(self, meaning: Meaning, told: Sequence[tuple[Fact, Sentence]]) -> str:
        plan = self.asker.word(meaning, self._rng)
        if plan is None:  # a loose question: word it by one of the facts that were told
            names = [self.world.facts.phrase(fact) for fact, _ in told] or ["unknown"]
            answer = names[self._below(len(names))]
            title = self.world.facts.entities[told[0][0].subject].phrase if told else "it"
            question = f"What is known of {title}?"
            return self._final(answer, question=question, think="Something of it.")
        return self._question_of(plan, told)

    def _question_of(self, plan: Plan, told: Sequence[tuple[Fact, Sentence]]) -> str:
        think = plan.statement(len(plan.hops) - 1)
        answer, question = plan.answer, plan.question
        if self._does(self._habits.asks_wrongly):
            names = [self.world.facts.phrase(fact) for fact, _ in told]
            answer = names[self._below(len(names))] if names else answer
        return self._final(answer, question=question, think=think)


def _meaning(plan: Plan, hops: int) -> Meaning:
    """The chain of the first hops of a plan."""
    meaning: Meaning = Named(frozenset((plan.values[0],)))
    for hop in plan.hops[:hops]:
        meaning = Step(hop.relation, hop.forward, meaning)
    return meaning
