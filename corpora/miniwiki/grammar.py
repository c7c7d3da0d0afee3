"""The rules of the question language, compiled from templates, phrasings and the schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from asl_env.corpora.miniwiki.patterns import SLOT, PatternIndex
from asl_env.corpora.miniwiki.reading import BLANK
from asl_env.corpora.miniwiki.relations import Relation
from asl_env.corpora.miniwiki.templates import Template


class Hop(NamedTuple):
    """Rule: the slot's objects (``forward``) or subjects."""

    relation: str
    forward: bool


class Best(NamedTuple):
    """Rule: of the things one hop from the slot, the one with the greatest or least measure."""

    hop: Hop
    measure: str
    most: bool


class Duel(NamedTuple):
    """Rule: of the two things in the slot, joined by ``joint``, the one with more or less."""

    measure: str
    most: bool
    joint: str


class Grammar:
    """Every rule, by what kind of phrase it makes.

    Attributes:
        questions: Whole questions about one thing.
        nouns: Noun phrases about one thing.
        duels: Whole questions that compare two things.
        carriers: Whole questions around a noun phrase (the rule is always ``None``).
        clozes: Sentences with a blank and one thing.
        sets: Set phrases without an article, with the type of their members.

    Args:
        relations: The schema.
        phrasings: Sentences per relation, with ``{s}`` and ``{o}``.
        templates: Question templates of both banks.
    """

    def __init__(
        self,
        relations: Mapping[str, Relation],
        phrasings: Mapping[str, Iterable[str]],
        templates: Iterable[Template],
    ) -> None:
        self.questions: PatternIndex[Hop | Best] = PatternIndex()
        self.nouns: PatternIndex[Hop | Best] = PatternIndex()
        self.duels: PatternIndex[Duel] = PatternIndex()
        self.carriers: PatternIndex[None] = PatternIndex()
        self.clozes: PatternIndex[Hop] = PatternIndex()
        self._relations = relations
        sets: list[tuple[str, Hop]] = []
        superlatives: list[Template] = []
        for template in templates:
            if template.use in ("set", "set-back"):
                sets.append((template.text, Hop(template.relation, template.use == "set")))
            elif template.use.startswith(("most", "least")):
                superlatives.append(template)
            else:
                self._add(template)
        for template in superlatives:
            self._superlatives(template, sets)
        for relation, sentences in phrasings.items():
            for sentence in sentences:
                self._cloze(relation, sentence)

    def _add(self, template: Template) -> None:
        relation, use, text = template.relation, template.use, template.text
        if use in ("ask", "ask-back"):
            self.questions.add(text, Hop(relation, use == "ask"))
        elif use in ("noun", "noun-back"):
            self.nouns.add(text, Hop(relation, use == "noun"))
        elif use == "carry":
            self.carriers.add(text, None)
        else:
            head, rest = text.split("{a}")
            joint, tail = rest.split("{b}")
            rule = Duel(relation, use == "more", joint.casefold())
            self.duels.add(head + SLOT + tail, rule)

    def _superlatives(self, template: Template, sets: Iterable[tuple[str, Hop]]) -> None:
        index = self.questions if template.use.endswith("-ask") else self.nouns
        most = template.use.startswith("most")
        for text, hop in sets:
            if self.measurable(hop, template.relation):
                rule = Best(hop, template.relation, most)
                index.add(template.text.replace(SLOT, text), rule)

    def measurable(self, hop: Hop, measure: str) -> bool:
        """Whether the things one hop away are of the type that has the measure."""
        relation = self._relations[hop.relation]
        end = relation.object_kind if hop.forward else relation.subject_type
        return end == self._relations[measure].subject_type

    def _cloze(self, relation: str, sentence: str) -> None:
        self.clozes.add(sentence.replace("{o}", BLANK).replace("{s}", SLOT), Hop(relation, True))
        self.clozes.add(sentence.replace("{s}", BLANK).replace("{o}", SLOT), Hop(relation, False))
