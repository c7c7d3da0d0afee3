"""The articles of MiniWiki: facts told in varied sentences, cut into passages.

An article tells the facts about its entity, facts that name the entity, and true but irrelevant
facts about related entities, with decorative sentences in between. Each statement is a template of
:data:`~asl_env.corpora.miniwiki.phrasings.PHRASINGS` filled for one fact, so it can be read back;
decorative sentences (``data/fillers.json``) state nothing. Names that several entities share get a
disambiguation page.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from asl_env.corpora.miniwiki.facts import Entity, Fact, Facts, load, uncollected
from asl_env.corpora.miniwiki.phrasings import PHRASINGS, render, takes_pronoun
from asl_env.corpora.miniwiki.relations import RELATIONS
from asl_env.corpora.passages import Passage

SHORTEST, LONGEST = 40, 110
SEED = 20251
_MOST_NAMING = 70
_MOST_RELATED = 8


class Sentence(NamedTuple):
    """One sentence of an article.

    Attributes:
        text: The sentence.
        fact: The fact it states; ``None`` if it is decoration.
    """

    text: str
    fact: Fact | None


class Article(NamedTuple):
    """One article.

    Attributes:
        title: Unique title.
        entity_id: The entity it is about; empty for a disambiguation page.
        passages: Its sentences, in groups that make one passage each.
    """

    title: str
    entity_id: str
    passages: tuple[tuple[Sentence, ...], ...]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """All sentences in order."""
        return tuple(sentence for passage in self.passages for sentence in passage)

    @property
    def links(self) -> tuple[str, ...]:
        """Ids of the other entities its sentences name, without repetition."""
        ids = (i for s in self.sentences if s.fact for i in (s.fact.subject, s.fact.object))
        return tuple(dict.fromkeys(i for i in ids if ":" in i and i != self.entity_id))


def articles(facts: Facts | None = None, seed: int = SEED) -> Iterator[Article]:
    """Writes every article, in the order of the entity ids, then the disambiguation pages.

    Args:
        facts: The facts to tell; MiniWiki's own by default.
        seed: Chooses the wording; the same seed gives the same text on every machine.

    Yields:
        The articles.
    """
    known = facts or load()
    writer = _Writer(known, seed)
    for entity in known.entities.values():
        yield writer.article(entity)
    for name, entities in sorted(known.namesakes().items()):
        yield writer.disambiguation(name, entities)


def passages(facts: Facts | None = None, seed: int = SEED) -> list[Passage]:
    """All passages of all articles, ids ``mw-1`` and up.

    Args:
        facts: The facts to tell; MiniWiki's own by default.
        seed: Chooses the wording.

    Returns:
        Passages of 40 to 110 words, in the order of the articles.
    """
    found: list[Passage] = []
    with uncollected():
        for article in articles(facts, seed):
            for group in article.passages:
                text = " ".join([sentence.text for sentence in group])
                found.append(Passage(f"mw-{len(found) + 1}", article.title, text))
    return found


@cache
def fillers() -> dict[str, tuple[str, ...]]:
    """Decorative sentences by entity type, with ``{s}`` for the entity's name."""
    data = files("asl_env.corpora.miniwiki.data").joinpath("fillers.json").read_text("utf-8")
    return {kind: tuple(lines) for kind, lines in json.loads(data).items()}


class _Writer:
    """Writes articles; keeps what all of them share."""

    def __init__(self, facts: Facts, seed: int) -> None:
        self.facts = facts
        self.seed = seed
        self.order = {name: place for place, name in enumerate(RELATIONS)}

    def article(self, entity: Entity) -> Article:
        rng = random.Random(zlib.crc32(entity.id.encode()) ^ self.seed)
        own = list(self.facts.about(entity.id))
        lead, rest = _lead(own, self.order)
        rest.sort(key=lambda _: rng.random())
        named = _sample(self.facts.naming(entity.id), _MOST_NAMING, rng)
        related = self._related(entity, own or named, rng)
        story = _Story(self.facts, entity, rng)
        for fact in (*lead, *rest, *named, *related):
            story.tell(fact)
        return Article(entity.title, entity.id, story.finish())

    def _related(self, entity: Entity, near: Sequence[Fact], rng: random.Random) -> list[Fact]:
        """True facts about neighbours and peers: what a search also finds and a reader ignores."""
        found: dict[Fact, None] = {}
        for fact in [*near] * (1 if len(near) > 3 else 3):
            other = fact.object if fact.subject == entity.id else fact.subject
            if other in self.facts.entities:
                self._pick(other, entity.id, rng, found)
                if fact.subject == entity.id:
                    peers = self.facts.subjects(fact.relation, fact.object)
                    self._pick(peers[int(rng.random() * len(peers))], entity.id, rng, found)
        return _sample(list(found), _MOST_RELATED, rng)

    def _pick(self, other: str, own: str, rng: random.Random, found: dict[Fact, None]) -> None:
        about = self.facts.about(other)
        if about and other != own:
            fact = about[int(rng.random() * len(about))]
            if fact.object != own:
                found[fact] = None

    def disambiguation(self, name: str, entities: tuple[Entity, ...]) -> Article:
        rng = random.Random(zlib.crc32(name.encode()) ^ self.seed)
        story = _Story(self.facts, None, rng)
        story.add(f"{name} may refer to any of several subjects that share the name.", None)
        for entity in entities:
            lead, rest = _lead(list(self.facts.about(entity.id)), self.order)
            for fact in (lead + rest)[:2]:
                story.tell(fact, by_title=True)
        return Article(f"{name}", "", story.finish())


class _Story:
    """Sentences of one article on their way into passages."""

    def __init__(self, facts: Facts, entity: Entity | None, rng: random.Random) -> None:
        self.facts = facts
        self.entity = entity
        self.random = rng.random
        self.descriptions = facts.descriptions(entity.id) if entity else ()
        self.groups: list[list[Sentence]] = [[]]
        self.words = 0
        self.goal = self._goal()
        self.in_focus = False
        self.used: set[str] = set()
        kind = fillers().get(entity.type, ()) if entity else ()
        self.fillers = [*kind, *fillers()["any"]]

    def _goal(self) -> int:
        return 58 + int(self.random() * 34)

    def tell(self, fact: Fact, by_title: bool = False) -> None:
        """Adds the sentence for a fact, and now and then a decorative one before it."""
        if self.entity and self.random() < 0.05 and self.groups[-1]:
            self._decorate()
        if self.words >= self.goal:
            self._close()
        templates = PHRASINGS[fact.relation]
        template = templates[int(self.random() * len(templates))]
        subject = self._mention(fact, template, by_title)
        self.add(render(template, subject, self.facts.phrase(fact)), fact)
        self.in_focus = self.entity is not None and fact.subject == self.entity.id

    def _mention(self, fact: Fact, template: str, by_title: bool) -> str:
        entity = self.facts.entities[fact.subject]
        if by_title:
            return entity.title
        own = self.entity is not None and fact.subject == self.entity.id
        if own and self.in_focus and self.random() < 0.6 and not template.endswith("{s}."):
            choices = self.descriptions
            if choices and choices[0] == "it" and not takes_pronoun(template):
                choices = choices[1:]
            if choices:
                return choices[int(self.random() * len(choices))]
        return entity.phrase

    def add(self, text: str, fact: Fact | None) -> None:
        """Appends a sentence, in a new passage when the present one is full."""
        words = text.count(" ") + 1
        if self.groups[-1] and self.words + words > LONGEST:
            self._close()
        self.groups[-1].append(Sentence(text, fact))
        self.words += words

    def _close(self) -> None:
        self.groups.append([])
        self.words = 0
        self.goal = self._goal()
        self.in_focus = False

    def _decorate(self) -> None:
        if self.fillers:
            phrase = self.entity.phrase if self.entity else ""
            place = int(self.random() * len(self.fillers))
            text = self.fillers.pop(place).replace("{s}", phrase)
            words = text.count(" ") + 1
            if self.words + words <= LONGEST:
                self.groups[-1].append(Sentence(text, None))
                self.words += words

    def finish(self) -> tuple[tuple[Sentence, ...], ...]:
        """The passages; a short last one is joined to the one before it or filled up."""
        if len(self.groups) > 1 and self.words < SHORTEST:
            last = self.groups.pop()
            before = sum(s.text.count(" ") + 1 for s in self.groups[-1])
            if before + self.words <= LONGEST:
                self.groups[-1].extend(last)
                self.words += before
            else:
                self.groups.append(last)
        while self.words < SHORTEST and self.fillers:
            self._decorate()
        return tuple(tuple(group) for group in self.groups if group)


def _lead(own: list[Fact], order: dict[str, int]) -> tuple[list[Fact], list[Fact]]:
    """The two facts an article begins with, and the others."""
    own = sorted(own, key=lambda fact: order[fact.relation])
    return own[:2], own[2:]


def _sample(facts: Sequence[Fact], most: int, rng: random.Random) -> list[Fact]:
    """At most so many facts, drawn without repetition and in random order."""
    if len(facts) <= most:
        return sorted(facts, key=lambda _: rng.random())
    return rng.sample(facts, most)
