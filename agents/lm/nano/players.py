"""Scripted play for the three seats, by players who know the world and are not always careful.

A careful player restates the question in the plainest words, searches hop by hop, states what it
has found, and goes on. A careless one stops early, asks badly, guesses, or judges by looks.
Imitating a mixture leaves a model with every habit it needs, and with something to learn: which of
its habits pay.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from asl_env.agents.lm.nano.plans import Plan, Planner, is_trained, narrow_bank, wide_bank
from asl_env.agents.lm.nano.worlds import NamedWorld
from asl_env.corpora.miniwiki.facts import Fact
from asl_env.corpora.miniwiki.grammar import Hop
from asl_env.corpora.miniwiki.meanings import Named, Step
from asl_env.corpora.miniwiki.prose import Sentence
from asl_env.corpora.passages import Passage
from asl_env.dialects.asl import AslDialect
from asl_env.episode import Claim, Request, Task
from asl_env.rewards.verdict import write_verdict

if TYPE_CHECKING:
    import numpy as np

    from asl_env.corpora.miniwiki.meanings import Meaning

#: Plays one episode: yields its turns, is sent what each search showed.
Script = Generator[str, Sequence[Passage], None]


class Part(NamedTuple):
    """What is played, by which script, and the facts that the script needs to be shown."""

    assignment: Task | Claim | Request
    script: Script
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Habits:
    """How often scripted players are careless.

    Attributes:
        stops_early: The policy answers with what a hop before the last has found.
        names_only: The policy searches for the bare name that a hop starts from.
        gives_up: The policy guesses when a search shows nothing, instead of trying another one.
        judges_by_looks: The GRM accepts whatever answer the passages mention.
        guesses_verdict: The GRM says anything when it finds no evidence or takes no care.
        asks_wrongly: The generator gives another answer than the right one.
        asks_loosely: The generator does not mind whether the answer is the only one.
        slips: Any seat leaves out the think block or breaks the form of a turn.
    """

    stops_early: float = 0.5
    names_only: float = 0.25
    gives_up: float = 0.4
    judges_by_looks: float = 0.3
    guesses_verdict: float = 0.1
    asks_wrongly: float = 0.2
    asks_loosely: float = 0.3
    slips: float = 0.03

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"habit {item.name}={value} is no share between 0 and 1")


#: Players who make no mistake on purpose.
CAREFUL = Habits(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Players:
    """Scripts for episodes of one world.

    Args:
        world: Where they play.
        rng: All chance.
        habits: How careless they are.
        every_wording: Whether questions come in rare wordings too.
    """

    def __init__(
        self,
        world: NamedWorld,
        rng: np.random.Generator,
        habits: Habits,
        *,
        every_wording: bool = False,
    ) -> None:
        self.world = world
        self.planner = Planner(world.facts, wide_bank(rare=every_wording))
        self.asker = Planner(world.facts, narrow_bank())
        self._dialect = AslDialect()
        self._rng = rng
        self._habits = habits

    # The policy ---------------------------------------------------------------------------------

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

    def _look_up(
        self, plan: Plan, number: int, think: str
    ) -> Generator[str, Sequence[Passage], tuple[Sentence | None, Sequence[Passage]]]:
        """Searches for one hop, twice if need be; the sentence that settles it, and what showed."""
        queries = [plan.queries[number], plan.names[number]]
        if self._does(self._habits.names_only):
            queries.reverse()
        for attempt, query in enumerate(queries):
            shown = yield self._search(query, think)
            sentence = self._find(plan.fact(number), shown)
            if sentence is not None or attempt or self._does(self._habits.gives_up):
                return sentence, shown
            think = "It is not there. Again."
        raise AssertionError("there are two queries")

    def _guess(self, shown: Sequence[Passage], plan: Plan) -> str:
        """Something that was shown, or what the question starts from."""
        titles = [passage.title for passage in shown] or [plan.names[0]]
        return titles[self._below(len(titles))]

    # The GRM ------------------------------------------------------------------------------------

    def judge(self, hops: int) -> Part:
        """A claim about a question of so many hops, right or wrong, and an episode that judges."""
        plan = self.planner.draw(hops, self._rng)
        right = self._does(0.5)
        answer = plan.answer if right else self._wrong(plan)
        claim = Claim("nano", plan.question, answer, "correct" if right else "wrong")
        return Part(claim, self._judge(plan, claim), plan.facts)

    def compare(self, hops: int) -> Part:
        """A claim and nothing but the verdict on it, given what a search would have found."""
        plan = self.planner.draw(hops, self._rng)
        right = self._does(0.5)
        answer = plan.answer if right else self._wrong(plan)
        claim = Claim("nano", plan.question, answer, "correct" if right else "wrong")
        return Part(claim, _saying(self._verdict(right, self._found(plan, claim))), plan.facts)

    def _found(self, plan: Plan, claim: Claim) -> str:
        """The last finding beside the answer given."""
        return f"{plan.statement(len(plan.hops) - 1)} The answer given is {claim.answer}."

    def _judge(self, plan: Plan, claim: Claim) -> Script:
        if self._does(self._habits.judges_by_looks):
            shown = yield self._search(plan.queries[0], "Is it mentioned?")
            seen = any(claim.answer in f"{p.title} {p.text}" for p in shown)
            yield self._verdict(seen, "It is mentioned." if seen else "It is not mentioned.")
            return
        think = plan.restated
        for number in range(len(plan.hops)):
            sentence, _ = yield from self._look_up(plan, number, think)
            if sentence is None:
                yield self._verdict(self._does(0.3), "It is not there.")
                return
            think = plan.statement(number)
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

    # The generator ------------------------------------------------------------------------------

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

    # What all seats share -----------------------------------------------------------------------

    def _search(self, query: str, think: str) -> str:
        return self._dialect.write_search(query, "" if self._does(self._habits.slips) else think)

    def _final(self, answer: str, *, question: str | None = None, think: str) -> str:
        if self._does(self._habits.slips):
            think = ""
        if question is not None and self._does(self._habits.slips):
            question = question.rstrip("?")
        return self._dialect.write_final(answer, question, think)

    def _find(self, fact: Fact, shown: Sequence[Passage]) -> Sentence | None:
        """The first sentence shown that states a fact."""
        return next((sentence for told, sentence in self._told(shown) if told == fact), None)

    def _told(self, shown: Sequence[Passage]) -> list[tuple[Fact, Sentence]]:
        """The facts that passages state, as far as the passages were not cut."""
        return [
            (sentence.fact, sentence)
            for passage in shown
            for sentence in self.world.sentences[passage.id]
            if sentence.fact is not None and sentence.text in passage.text
        ]

    def _does(self, share: float) -> bool:
        return bool(self._rng.random() < share)

    def _below(self, count: int) -> int:
        return int(self._rng.random() * count)

    def _shuffle(self, items: list[tuple[Fact, Sentence]]) -> None:
        self._rng.shuffle(items)


def _meaning(plan: Plan, hops: int) -> Meaning:
    """The chain of the first hops of a plan."""
    meaning: Meaning = Named(frozenset((plan.values[0],)))
    for hop in plan.hops[:hops]:
        meaning = Step(hop.relation, hop.forward, meaning)
    return meaning


def _saying(text: str) -> Script:
    """A script of one turn."""
    yield text
