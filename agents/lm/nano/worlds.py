"""Freshly named worlds: MiniWiki's facts with new names, numbers and codes, and articles on them.

What a model reads in such a world it cannot know by heart, so imitating play in many of them
teaches it to read and to copy, not the facts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from asl_env.agents.lm.nano.names import NameMaker
from asl_env.corpora.miniwiki import facts as _facts
from asl_env.corpora.miniwiki.facts import Entity, Fact, Facts
from asl_env.corpora.miniwiki.prose import Sentence, articles
from asl_env.corpora.miniwiki.relations import RELATIONS
from asl_env.corpora.miniwiki.topics import topics
from asl_env.corpora.passages import Passage

if TYPE_CHECKING:
    from numpy.random import Generator

    from asl_env.tool import SearchTool

#: Kinds with few, ordinary names ("physicist", "oxygen"); they keep them.
_KEPT_KINDS = frozenset(
    "profession genre element language series planet continent region mythology".split()
)
#: A word in at least so many names says what a thing is ("Airport", "of"); it stays.
_COMMON = 12
_WORD = re.compile(r"[^\W\d_]+")
_CODE = re.compile(r"[A-Z]{2,4}|[.][a-z]{2}|[+][\d-]+|[a-z]{2}")
#: How far numbers and years are moved.
_STRETCH, _YEARS = 0.6, 120


@dataclass(frozen=True)
class NamedWorld:
    """A world with articles that can be searched.

    Attributes:
        facts: What holds in it.
        tool: Searches its articles.
        sentences: The sentences of each passage, by passage id.
        topics: Seed topics for generators.
    """

    facts: Facts
    tool: SearchTool
    sentences: dict[str, tuple[Sentence, ...]]
    topics: tuple[str, ...]


def make_world(rng: Generator, *, top_k: int, max_chars: int | None) -> NamedWorld:
    """Names a world anew, writes its articles and indexes them.

    Args:
        rng: Source of chance.
        top_k: Passages per search.
        max_chars: Budget of characters per search.
    """
    from asl_env.retrieval.bm25 import BM25Retriever
    from asl_env.tool import SearchTool

    with _facts.uncollected():
        facts = renamed(_facts.load(), rng)
        passages: list[Passage] = []
        sentences: dict[str, tuple[Sentence, ...]] = {}
        for article in articles(facts, seed=int(rng.integers(2**31))):
            for group in article.passages:
                name = f"mw-{len(passages) + 1}"
                passages.append(Passage(name, article.title, " ".join(s.text for s in group)))
                sentences[name] = group
    tool = SearchTool(BM25Retriever.from_passages(passages), top_k=top_k, max_chars=max_chars)
    return NamedWorld(facts, tool, sentences, topics(facts))


def renamed(facts: Facts, rng: Generator) -> Facts:
    """The same facts between the same entities, which have other names, numbers and codes.

    A word is replaced by the same new word everywhere, so that names which belong together still
    do. Half of the new words are other real words, half are invented.
    """
    renaming = _Renaming(rng)
    entities = [renaming.entity(entity) for entity in facts.entities.values()]
    triples = [
        Fact(subject, relation, renaming.literal(relation, object_))
        if RELATIONS[relation].literal
        else Fact(subject, relation, object_)
        for subject, relation, object_ in facts.triples
    ]
    return Facts(entities, triples)


@cache
def _words() -> tuple[frozenset[str], NameMaker]:
    """The words that stay, and the maker of others."""
    counts = Counter(
        word
        for entity in _facts.load().entities.values()
        if entity.type not in _KEPT_KINDS
        for word in set(_WORD.findall(entity.title))
    )
    common = frozenset(word for word, count in counts.items() if count >= _COMMON)
    rare = (word for word in counts if word not in common and len(word) > 2 and word[0].isupper())
    return common, NameMaker(rare)


class _Renaming:
    """New names for one world."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng
        self._common, self._maker = _words()
        self._new: dict[str, str] = {}
        self._codes: set[str] = set()

    def entity(self, entity: Entity) -> Entity:
        if entity.type in _KEPT_KINDS:
            return entity
        return entity._replace(
            name=self._text(entity.name),
            aliases=tuple(self._text(alias) for alias in entity.aliases),
            title=self._text(entity.title),
        )

    def literal(self, relation: str, value: str) -> str:
        kind = RELATIONS[relation].object_kind
        if kind == "year":
            return str(int(value) + int(self._rng.integers(-_YEARS, _YEARS + 1)) or 1)
        if kind.startswith("number:"):
            return self._number(value)
        if _CODE.fullmatch(value):
            return self._code(value)
        return self._text(value)

    def _text(self, text: str) -> str:
        return _WORD.sub(lambda match: self._word(match[0]), text)

    def _word(self, word: str) -> str:
        if word in self._common or not word[0].isupper() or len(word) < 3:
            return word
        if word not in self._new:
            draw = self._maker.invented if self._rng.random() < 0.5 else self._maker.borrowed
            self._new[word] = draw(self._rng)
        return self._new[word]

    def _number(self, value: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        moved = number * (1.0 + _STRETCH * (2.0 * self._rng.random() - 1.0))
        return str(max(1, round(moved))) if number.is_integer() else f"{moved:.1f}"

    def _code(self, value: str) -> str:
        """A code of the same shape that this world does not have yet."""
        for _ in range(20):
            made = "".join(map(self._sign, value))
            if made not in self._codes:
                break
        self._codes.add(made)
        return made

    def _sign(self, sign: str) -> str:
        for signs in ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"):
            if sign in signs:
                return signs[int(self._rng.random() * len(signs))]
        return sign


def train_titles(facts: Facts) -> Sequence[str]:
    """Titles of the articles that questions for learning may be about."""
    from asl_env.corpora.miniwiki.questions import split

    return [entity.title for entity in facts.entities.values() if split(entity.id) == "train"]
