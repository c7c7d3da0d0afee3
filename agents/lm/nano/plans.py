"""Questions with the way to their answers: what scripted players know and models have to learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from asl_env.corpora.miniwiki.facts import Fact, Facts, show
from asl_env.corpora.miniwiki.grammar import Hop
from asl_env.corpora.miniwiki.meanings import Named, Step, denotation
from asl_env.corpora.miniwiki.phrasings import PHRASINGS
from asl_env.corpora.miniwiki.questions import Sampler, reveals, split
from asl_env.corpora.miniwiki.relations import RELATIONS
from asl_env.corpora.miniwiki.templates import ANY, bank, read
from asl_env.corpora.miniwiki.wording import name_of
from asl_env.text import normalize

if TYPE_CHECKING:
    from numpy.random import Generator

    from asl_env.corpora.miniwiki.meanings import Meaning
    from asl_env.corpora.miniwiki.oracle import Oracle

Bank = Mapping[tuple[str, str], Sequence[str]]

#: Share of questions that wrap a noun phrase ("What is the capital of Peru?").
_CARRIED = 0.15


@dataclass(frozen=True)
class Plan:
    """A question and the way to its answer.

    Attributes:
        question: What is asked.
        hops: The relations to follow, the first looked up first.
        values: What each hop starts from, and the answer last: ids of entities or literals.
        names: ``values`` as a sentence calls them.
        queries: One search per hop, in the plainest words: "the capital of Peru".
        restated: The whole question in the plainest words: "the mayor of the capital of Peru".
    """

    question: str
    hops: tuple[Hop, ...]
    values: tuple[str, ...]
    names: tuple[str, ...]
    queries: tuple[str, ...]
    restated: str

    def statement(self, number: int) -> str:
        """What hop ``number`` finds, as a sentence: "the capital of Peru is Lima."."""
        return f"{self.queries[number]} is {self.names[number + 1]}."

    @property
    def answer(self) -> str:
        """The right answer."""
        return self.names[-1]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts that lead to the answer."""
        return tuple(self.fact(number) for number in range(len(self.hops)))

    def fact(self, number: int) -> Fact:
        """The fact that hop ``number`` looks up."""
        hop, before, after = self.hops[number], self.values[number], self.values[number + 1]
        if hop.forward:
            return Fact(before, hop.relation, after)
        return Fact(after, hop.relation, before)


class Planner:
    """Draws questions of a world, and words them.

    Args:
        facts: What holds in the world.
        words: The templates; those of ``wide_bank`` by default.
    """

    def __init__(self, facts: Facts, words: Bank | None = None) -> None:
        self.facts = facts
        self.words = wide_bank() if words is None else words
        oracle: Oracle = None  # type: ignore[assignment]  # the sampler asks it for records only
        self._sampler = Sampler(facts, oracle, "generator", is_trained, is_trained)
        self._finals = self._sampler.finals()

    def draw(self, count: int, rng: Generator) -> Plan:
        """A random question of ``count`` hops with one right answer that it does not contain."""
        while True:
            final = self._finals[int(rng.random() * len(self._finals))]
            meaning = self._sampler.chain(final, count, rng)
            plan = None if meaning is None else self.word(meaning, rng)
            if plan is not None:
                return plan

    def word(self, meaning: Meaning, rng: Generator) -> Plan | None:
        """Words a chain of hops; ``None`` if it has several ends or gives its answer away."""
        hops, values = self._path(meaning)
        if not hops:
            return None
        names = [self.name(values[0], hops[0])]
        names += [self.name(value, hop) for hop, value in zip(hops, values[1:], strict=True)]
        question = self._question(hops, names[0], rng)
        if question is None or reveals(question, (names[-1],)) or not normalize(names[-1]):
            return None
        queries = [plain(hop).replace("{x}", name) for hop, name in zip(hops, names, strict=False)]
        restated = names[0]
        for hop in hops:
            restated = plain(hop).replace("{x}", restated)
        return Plan(question, hops, values, tuple(names), tuple(queries), restated)

    def _question(self, hops: tuple[Hop, ...], name: str, rng: Generator) -> str | None:
        """The question in some of the bank's words."""
        inner = name
        for hop in hops[:-1]:
            template = self._pick(hop, "noun", rng)
            if template is None:
                return None
            inner = template.replace("{x}", inner)
        noun = self._pick(hops[-1], "noun", rng)
        ask = self._pick(hops[-1], "ask", rng)
        if noun is not None and (ask is None or rng.random() < _CARRIED):
            carries = self.words[ANY, "carry"]
            ask = carries[int(rng.random() * len(carries))].replace("{x}", noun)
        if ask is None:
            return None
        question = ask.replace("{x}", inner)
        return question[0].upper() + question[1:]

    def name(self, value: str, hop: Hop) -> str:
        """What a sentence calls an entity or literal."""
        if value in self.facts.entities:
            return name_of(value, self.facts)
        return show(hop.relation, value)

    def _path(self, meaning: Meaning) -> tuple[tuple[Hop, ...], tuple[str, ...]]:
        """The hops of a chain and what they pass through; nothing if a step has several ends."""
        hops: list[Hop] = []
        values: list[str] = []
        while isinstance(meaning, Step):
            ends = denotation(meaning, self.facts)
            if len(ends) != 1:
                return (), ()
            hops.insert(0, Hop(meaning.relation, meaning.forward))
            values.insert(0, next(iter(ends)))
            meaning = meaning.of
        if not isinstance(meaning, Named):
            return (), ()
        return tuple(hops), (next(iter(meaning.values)), *values)

    def _pick(self, hop: Hop, use: str, rng: Generator) -> str | None:
        texts = self.words.get((hop.relation, use if hop.forward else f"{use}-back"))
        return texts[int(rng.random() * len(texts))] if texts else None


@cache
def plain(hop: Hop) -> str:
    """The plainest words for a hop, with ``{x}`` for what it starts from."""
    words = bank("generator")
    use = "" if hop.forward else "-back"
    nouns = words.get((hop.relation, f"noun{use}"))
    return nouns[0] if nouns else words[hop.relation, f"ask{use}"][0].rstrip("?. ")


def is_trained(entity_id: str) -> bool:
    """Whether questions for learning may be about an entity: it is kept for no evaluation."""
    return split(entity_id) == "train"


def near_misses(plan: Plan, planner: Planner) -> list[str]:
    """Wrong answers that a search for the right one shows: what else is said, and half a name."""
    facts, last = planner.facts, plan.facts[-1]
    found = [facts.phrase(fact) for fact in facts.about(last.subject)]
    if last.object in facts.entities:
        found += [facts.phrase(fact) for fact in facts.about(last.object)]
        found += [facts.entities[fact.subject].phrase for fact in facts.naming(last.object)[:5]]
    words = plan.answer.split()
    if len(words) > 1:
        found += [" ".join(words[:-1]), words[-1]]
    return [name for name in dict.fromkeys(found) if normalize(name) != normalize(plan.answer)]


def narrow_bank() -> Bank:
    """The generator's own templates that are questions: how a generator is taught to ask."""
    words = dict(bank("generator"))
    words[ANY, "carry"] = tuple(text for text in words[ANY, "carry"] if text.endswith("?"))
    return words


@cache
def wide_bank(*, rare: bool = False) -> Bank:
    """The generator's templates, more wordings, and sentences of articles turned to questions.

    Held-out wordings are in none of them.

    Args:
        rare: Adds the wordings of ``rare_wordings.txt``, a few dozen per relation.
    """
    words = {use: list(texts) for use, texts in bank("generator").items()}
    for name in ("wordings.txt", "rare_wordings.txt")[: 1 + rare]:
        more = files("asl_env.agents.lm.nano").joinpath(name).read_text("utf-8")
        for template in read(more, name):
            words.setdefault((template.relation, template.use), []).append(template.text)
    for relation in RELATIONS:
        for sentence in PHRASINGS[relation]:
            stem = sentence.rstrip(".")
            for use, asked, given in (("ask", "{o}", "{s}"), ("ask-back", "{s}", "{o}")):
                if (relation, use) in words and stem.count(given) == 1 == stem.count(asked):
                    word = "What" if stem.startswith(asked) else "what"
                    text = stem.replace(given, "{x}").replace(asked, word)
                    words[relation, use].append(f"{text}?")
    held_out = {_bare(text) for texts in bank("heldout").values() for text in texts}
    return {
        use: tuple(text for text in texts if _bare(text) not in held_out)
        for use, texts in words.items()
    }


def _bare(text: str) -> str:
    return normalize(text.replace("{x}", "slot"))
