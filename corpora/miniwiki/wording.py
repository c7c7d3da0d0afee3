"""Words for meanings: the inverse of the oracle's reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.miniwiki.facts import Facts, show
from asl_env.corpora.miniwiki.meanings import Contest, Extreme, Meaning, Named, Step
from asl_env.corpora.miniwiki.relations import RELATIONS
from asl_env.corpora.miniwiki.templates import ANY, Bank

if TYPE_CHECKING:
    from numpy.random import Generator

#: Share of questions worded as a noun phrase in a carrier ("What is {x}?").
_CARRIED = 0.2


def name_of(entity_id: str, facts: Facts) -> str:
    """The name of an entity inside a sentence; its article's title if others share the name."""
    entity = facts.entity(entity_id)
    alone = {other.id for other in facts.named(entity.name)} == {entity_id}
    return entity.phrase if alone else entity.title


class Wording:
    """Phrases meanings with one bank of templates.

    Args:
        facts: Where names come from.
        bank: The templates.
    """

    def __init__(self, facts: Facts, bank: Bank) -> None:
        self._facts = facts
        self._bank = bank

    def has(self, relation: str, use: str) -> bool:
        """Whether the bank can phrase a relation in this use."""
        return (relation, use) in self._bank

    def question(self, meaning: Meaning, rng: Generator) -> str:
        """A question after a meaning.

        Args:
            meaning: What is asked for; not a bare name.
            rng: Chooses among the templates.

        Raises:
            CorpusError: If the bank has no template for one of its parts.
        """
        if isinstance(meaning, Contest):
            text = self._contest(meaning, rng)
        elif rng.random() < _CARRIED:
            text = self._pick(ANY, "carry", rng).replace("{x}", self.noun(meaning, rng))
        else:
            text = self._ask(meaning, rng)
        return text[0].upper() + text[1:]

    def noun(self, meaning: Meaning, rng: Generator) -> str:
        """A noun phrase for a meaning.

        Raises:
            CorpusError: If the bank has no template for one of its parts, or the meaning is a
                comparison or several namesakes.
        """
        if isinstance(meaning, Named):
            (value,) = meaning.values
            return name_of(value, self._facts)
        if isinstance(meaning, Step):
            use = "noun" if meaning.forward else "noun-back"
            return self._step(meaning, use, rng)
        if isinstance(meaning, Extreme):
            return self._extreme(meaning, "", rng)
        raise CorpusError("a comparison is no noun phrase; ask it as a question of its own")

    def _ask(self, meaning: Meaning, rng: Generator) -> str:
        if isinstance(meaning, Step):
            return self._step(meaning, "ask" if meaning.forward else "ask-back", rng)
        if isinstance(meaning, Extreme):
            return self._extreme(meaning, "-ask", rng)
        raise CorpusError("a bare name cannot be asked for; take a step from it")

    def _step(self, meaning: Step, use: str, rng: Generator) -> str:
        text = self._pick(meaning.relation, use, rng)
        of = meaning.of
        if isinstance(of, Named) and not meaning.forward and RELATIONS[meaning.relation].literal:
            (literal,) = of.values
            return text.replace("{x}", show(meaning.relation, literal))
        return text.replace("{x}", self.noun(of, rng))

    def _extreme(self, meaning: Extreme, suffix: str, rng: Generator) -> str:
        members = meaning.members
        if not isinstance(members, Step):
            raise CorpusError("a superlative needs a set one step from something")
        use = ("most" if meaning.most else "least") + suffix
        among = self._step(members, "set" if members.forward else "set-back", rng)
        return self._pick(meaning.measure, use, rng).replace("{x}", among)

    def _contest(self, meaning: Contest, rng: Generator) -> str:
        text = self._pick(meaning.measure, "more" if meaning.most else "less", rng)
        left, right = self.noun(meaning.left, rng), self.noun(meaning.right, rng)
        return text.replace("{a}", left).replace("{b}", right)

    def _pick(self, relation: str, use: str, rng: Generator) -> str:
        texts = self._bank.get((relation, use))
        if texts is None:
            raise CorpusError(f"no template for use {use!r} of relation {relation!r}")
        return texts[int(rng.integers(len(texts)))]
