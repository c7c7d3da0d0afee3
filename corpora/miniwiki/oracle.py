"""The oracle: every right answer to a question in MiniWiki's language.

The language has natural questions, nested to several hops; comparisons and superlatives; clozes
(``Fill in the blank: "Warsaw lies on the ____."``), also taken from an article
(``In the article "Warsaw", fill in the blank: "It lies on the ____."``), with a question word in
the place of the blank (``Warsaw lies on which river?``), or about a thing that is itself
described, in brackets (``[the one that fits: Warsaw lies on the ____.]``) or by a variable
(``..., where X is the answer to: "Warsaw lies on the ____."``).

A name that several things share means all of them, and a question about several things has all
their answers. What the facts do not say is false.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from asl_env.corpora.miniwiki.facts import Facts, show
from asl_env.corpora.miniwiki.grammar import Grammar
from asl_env.corpora.miniwiki.meanings import Meaning, Step, denotation, hops
from asl_env.corpora.miniwiki.names import Names
from asl_env.corpora.miniwiki.parser import Parser
from asl_env.corpora.miniwiki.phrasings import PHRASINGS
from asl_env.corpora.miniwiki.reading import MAX_CHARS, canonical, comparable
from asl_env.corpora.miniwiki.relations import RELATIONS
from asl_env.corpora.miniwiki.templates import BANKS, templates

Status = Literal["answered", "unanswerable", "outside"]


@dataclass(frozen=True)
class Reply:
    """What the oracle says about a question.

    Attributes:
        status: ``answered``; ``unanswerable`` when the question is in the language but no fact
            answers it; ``outside`` when it is not in the language, or names nothing known.
        answers: The right answers, one plain name each.
        accepted: The answers with all their aliases and number forms.
        unique: Whether exactly one thing is right (namesakes count as several).
        ids: The right answers as entity ids and literals.
        hops: The number of facts in a row that the question needs; 0 outside.
    """

    status: Status
    answers: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    unique: bool = False
    ids: frozenset[str] = frozenset()
    hops: int = 0

    def accepts(self, text: str) -> bool:
        """Whether a text names a right answer, apart from case, accents, articles, commas."""
        wanted = comparable(text)
        return bool(wanted) and any(comparable(answer) == wanted for answer in self.accepted)


_OUTSIDE = Reply("outside")


class Oracle:
    """Answers questions from facts. Cheap to make; the first question compiles the grammar.

    Args:
        facts: What is known.
        banks: The template banks it understands; all by default.
        clozes: Whether it understands sentences with a blank.
    """

    def __init__(self, facts: Facts, banks: Iterable[str] = BANKS, *, clozes: bool = True) -> None:
        self._facts = facts
        self._banks = frozenset(banks)
        self._clozes = clozes
        self._compiled: tuple[Grammar, Names] | None = None

    def _language(self) -> tuple[Grammar, Names]:
        if self._compiled is None:
            known = (template for template in templates() if template.bank in self._banks)
            grammar = Grammar(RELATIONS, PHRASINGS if self._clozes else {}, known)
            self._compiled = grammar, Names(self._facts)
        return self._compiled

    def ask(self, question: str) -> Reply:
        """Reads a question and finds all its right answers. Never raises.

        Args:
            question: Any string; more than ``MAX_CHARS`` characters are outside the language.

        Returns:
            The reply.
        """
        if len(question) > MAX_CHARS:
            return _OUTSIDE
        in_language: list[int] = []
        for meanings in Parser(*self._language()).read(canonical(question)):
            found: dict[str, str] = {}
            depths: list[int] = []
            for meaning in meanings:
                values = denotation(meaning, self._facts)
                (depths if values else in_language).append(hops(meaning))
                for value in values:
                    found.setdefault(value, _plain(meaning, value, self._facts))
            if found:
                return self._reply(found, min(depths))
        return Reply("unanswerable", hops=min(in_language)) if in_language else _OUTSIDE

    def answers(self, question: str) -> frozenset[str] | None:
        """The right answers; empty if no fact gives one, ``None`` outside the language."""
        reply = self.ask(question)
        return None if reply.status == "outside" else reply.answers

    def _reply(self, found: dict[str, str], depth: int) -> Reply:
        accepted: set[str] = set()
        for value, plain in found.items():
            entity = self._facts.entities.get(value)
            accepted.update(entity.names if entity else (plain, value))
        return Reply(
            "answered",
            frozenset(found.values()),
            frozenset(accepted),
            len(found) == 1,
            frozenset(found),
            depth,
        )


def _plain(meaning: Meaning, value: str, facts: Facts) -> str:
    """The plainest name of an answer: the entity's, or the literal as sentences write it."""
    entity = facts.entities.get(value)
    if entity is not None:
        return entity.name
    return show(meaning.relation, value) if isinstance(meaning, Step) else value
