"""The facts of MiniWiki: entities, what holds between them, and how to look both up."""

from __future__ import annotations

import gc
import gzip
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib.resources import files
from typing import NamedTuple

from asl_env.corpora.errors import CorpusError, did_you_mean
from asl_env.corpora.miniwiki.phrasings import DESCRIPTIONS
from asl_env.corpora.miniwiki.relations import RELATIONS

HELDOUT_SHARE = 10


class Entity(NamedTuple):
    """Something an article can be about.

    Attributes:
        id: Unique, ``type:words-of-the-title``.
        type: Entity type ("city", "person", ...).
        name: Its name inside a sentence, without an article.
        aliases: Other names.
        title: Title of its article; unique.
        article: ``"the"``, ``"a"``, ``"an"`` or empty, what goes before the name in a sentence.
    """

    id: str
    type: str
    name: str
    aliases: tuple[str, ...]
    title: str
    article: str

    @property
    def phrase(self) -> str:
        """The name with its article, as it stands inside a sentence: "the Vistula"."""
        return f"{self.article} {self.name}" if self.article else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """The name, the title and the aliases, without repetition."""
        return tuple(dict.fromkeys((self.name, self.title, *self.aliases)))


class Fact(NamedTuple):
    """One fact: subject id, relation name, object (an entity id or a literal)."""

    subject: str
    relation: str
    object: str


class Facts:
    """All facts, indexed every way; each index is made when it is first needed.

    Args:
        entities: The entities.
        triples: The facts.

    Attributes:
        entities: Entities by id.
        triples: All facts, sorted.
    """

    def __init__(self, entities: list[Entity], triples: list[Fact]) -> None:
        self.entities = {entity.id: entity for entity in entities}
        self.triples = tuple(triples)

    @cached_property
    def _titles(self) -> dict[str, Entity]:
        return {entity.title.casefold(): entity for entity in self.entities.values()}

    @cached_property
    def _names(self) -> dict[str, list[Entity]]:
        names: defaultdict[str, list[Entity]] = defaultdict(list)
        for entity in self.entities.values():
            for name in {name.casefold() for name in entity.names}:
                names[name].append(entity)
        return dict(names)

    @cached_property
    def _types(self) -> dict[str, list[Entity]]:
        types: defaultdict[str, list[Entity]] = defaultdict(list)
        for entity in self.entities.values():
            types[entity.type].append(entity)
        return dict(types)

    @cached_property
    def _about(self) -> dict[str, list[Fact]]:
        about: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self.triples:
            about[fact.subject].append(fact)
        return dict(about)

    @cached_property
    def _naming(self) -> dict[str, list[Fact]]:
        naming: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self.triples:
            if fact.object in self.entities:
                naming[fact.object].append(fact)
        return dict(naming)

    @cached_property
    def _objects(self) -> dict[tuple[str, str], list[str]]:
        objects: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for subject, relation, object_ in self.triples:
            objects[subject, relation].append(object_)
        return dict(objects)

    @cached_property
    def _subjects(self) -> dict[tuple[str, str], list[str]]:
        subjects: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for subject, relation, object_ in self.triples:
            subjects[relation, object_].append(subject)
        return dict(subjects)

    def entity(self, entity_id: str) -> Entity:
        """The entity with an id.

        Raises:
            CorpusError: There is none.
        """
        found = self.entities.get(entity_id)
        if found is None:
            near = [key for key in self.entities if key.startswith(entity_id.split(":")[0] + ":")]
            raise CorpusError(f"no entity {entity_id!r}{did_you_mean(entity_id, near)}")
        return found

    def by_title(self, title: str) -> Entity | None:
        """The entity whose article has this title, ignoring case."""
        return self._titles.get(title.casefold())

    def named(self, name: str) -> tuple[Entity, ...]:
        """Every entity with this name, title or alias, ignoring case and a leading "the"."""
        folded = name.casefold()
        other = folded[4:] if folded.startswith("the ") else f"the {folded}"
        return tuple(self._names.get(folded) or self._names.get(other) or ())

    def namesakes(self) -> dict[str, tuple[Entity, ...]]:
        """Names shared by several entities that are the title of none, each with its bearers."""
        shared: dict[str, tuple[Entity, ...]] = {}
        for folded, entities in self._names.items():
            if len(entities) > 1 and folded not in self._titles:
                spelt = next(n for n in entities[0].names if n.casefold() == folded)
                shared[spelt[0].upper() + spelt[1:]] = tuple(entities)
        return shared

    def descriptions(self, entity_id: str) -> tuple[str, ...]:
        """What stands for an entity in its own article: "it", "the city", "the physicist"."""
        entity = self.entities[entity_id]
        if entity.type != "person":
            return DESCRIPTIONS.get(entity.type, ())
        jobs = self._objects.get((entity_id, "person_profession"), ())
        return tuple(f"the {self.entities[job].name}" for job in jobs)

    def of_type(self, type_: str) -> tuple[Entity, ...]:
        """All entities of a type, by id."""
        return tuple(self._types.get(type_, ()))

    def objects(self, subject: str, relation: str) -> tuple[str, ...]:
        """The objects of a subject under a relation: entity ids or literals."""
        return tuple(self._objects.get((subject, relation), ()))

    def subjects(self, relation: str, object_: str) -> tuple[str, ...]:
        """The ids of all subjects that have this object under a relation."""
        return tuple(self._subjects.get((relation, object_), ()))

    def about(self, entity_id: str) -> tuple[Fact, ...]:
        """The facts whose subject is this entity."""
        return tuple(self._about.get(entity_id, ()))

    def naming(self, entity_id: str) -> tuple[Fact, ...]:
        """The facts whose object is this entity."""
        return tuple(self._naming.get(entity_id, ()))

    def of_relation(self, relation: str) -> tuple[Fact, ...]:
        """All facts of one relation."""
        return tuple(fact for fact in self.triples if fact.relation == relation)

    def phrase(self, fact: Fact) -> str:
        """The object of a fact as it stands inside a sentence: "the Vistula", "1,047", "384 BC"."""
        if fact.object in self.entities:
            return self.entities[fact.object].phrase
        return show(fact.relation, fact.object)

    def answers(self, fact: Fact) -> tuple[str, ...]:
        """All texts that name the object of a fact, the plainest first."""
        if fact.object in self.entities:
            return self.entities[fact.object].names
        return tuple(dict.fromkeys((show(fact.relation, fact.object), fact.object)))

    @staticmethod
    def heldout(entity_id: str) -> bool:
        """Whether questions about this subject are kept for evaluation (a tenth of the ids)."""
        return int(hashlib.md5(entity_id.encode()).hexdigest(), 16) % HELDOUT_SHARE == 0


def show(relation: str, literal: str) -> str:
    """A literal as it is written in sentences: thousands get commas, early years get "BC"."""
    kind = RELATIONS[relation].object_kind
    if kind == "year":
        return f"{literal[1:]} BC" if literal.startswith("-") else literal
    if kind.startswith("number:"):
        return f"{int(literal):,}" if literal.lstrip("-").isdigit() else literal
    return literal


@cache
def load() -> Facts:
    """The facts that ship with the package, read once per process."""
    with uncollected():
        entities = [
            Entity(id_, type_, name, tuple(aliases.split("|")) if aliases else (), title, article)
            for id_, type_, name, aliases, title, article in _rows("entities.tsv.gz")
        ]
        return Facts(entities, [Fact(*row) for row in _rows("facts.tsv.gz")])


@contextmanager
def uncollected() -> Iterator[None]:
    """Pauses the search for garbage, which takes longer than making many lasting objects."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _rows(name: str) -> list[list[str]]:
    data = files("asl_env.corpora.miniwiki.data").joinpath(name).read_bytes()
    return [line.split("\t") for line in gzip.decompress(data).decode("utf-8").splitlines()]
