"""Names, titles, literals and type words, by canonical spelling."""

from __future__ import annotations

from asl_env.corpora.miniwiki.facts import Facts, show
from asl_env.corpora.miniwiki.phrasings import DESCRIPTIONS
from asl_env.corpora.miniwiki.reading import canonical, number
from asl_env.corpora.miniwiki.relations import RELATIONS

#: Words that stand for an entity type besides its own name.
_TYPE_WORDS = {
    "country": ("nation", "state", "sovereign state"),
    "territory": ("dependency",),
    "city": ("town", "place", "capital", "urban place"),
    "person": ("man", "woman", "discoverer", "director", "film-maker", "individual"),
    "river": ("stream", "tributary"),
    "sea": ("body of water", "ocean", "waters"),
    "lake": ("body of water",),
    "mountain": ("peak", "summit"),
    "range": ("mountain range", "chain"),
    "moon": ("satellite",),
    "figure": ("mythological figure", "mythical figure", "deity", "god", "goddess"),
    "battle": ("encounter", "siege"),
    "film": ("movie", "picture"),
    "anthem": ("song", "national anthem"),
    "airport": ("airfield",),
    "university": ("school", "college"),
    "element": ("chemical element", "substance"),
    "language": ("tongue",),
    "region": ("subregion", "part of the world"),
    "currency": ("money",),
    "series": ("class", "kind"),
}

#: Words for literals: they keep every answer.
_LITERAL_WORDS = (
    "year",
    "number",
    "code",
    "symbol",
    "word",
    "adjective",
    "domain",
    "time zone",
    "value",
)


class Names:
    """What the words in a slot may stand for.

    Args:
        facts: The facts whose names are known.
    """

    def __init__(self, facts: Facts) -> None:
        names: dict[str, set[str]] = {}
        self._titles: dict[str, frozenset[str]] = {}
        for entity in facts.entities.values():
            self._titles[canonical(entity.title)] = frozenset((entity.id,))
            for name in entity.names:
                names.setdefault(canonical(name), set()).add(entity.id)
        self._names = {name: frozenset(ids) for name, ids in names.items()}
        self._values: dict[str, set[str]] = {}
        for fact in facts.triples:
            self._values.setdefault(fact.relation, set()).add(fact.object)
        self._literals: dict[str, dict[str, set[str]]] = {}
        self._facts = facts
        self._types: dict[str, frozenset[str]] = dict.fromkeys(_LITERAL_WORDS, frozenset())
        for type_ in {entity.type for entity in facts.entities.values()}:
            for word in (type_, *_TYPE_WORDS.get(type_, ())):
                self._types[word] = self._types.get(word, frozenset()) | {type_}

    def entities(self, text: str) -> frozenset[str]:
        """Ids of all entities with this canonical name, title or alias; an article may precede."""
        found = self._names.get(text, frozenset())
        if text.startswith(("the ", "a ", "an ")):
            found |= self._names.get(text[text.index(" ") + 1 :], frozenset())
        return found

    def titled(self, text: str) -> frozenset[str]:
        """The id of the entity whose article has this canonical title, alone in a set."""
        return self._titles.get(text, frozenset())

    def descriptions(self, ids: frozenset[str]) -> list[str]:
        """What may follow "the" in place of the name of these entities, the longest first.

        Without entities, all words that describe any type.
        """
        facts = self._facts
        found: set[str] = set()
        for type_ in {facts.entities[i].type for i in ids} if ids else set(DESCRIPTIONS):
            found.update(text.removeprefix("the ") for text in DESCRIPTIONS.get(type_, ()))
        for entity_id in ids:
            jobs = facts.objects(entity_id, "person_profession")
            found.update(canonical(facts.entities[job].name) for job in jobs)
        return sorted(found, key=len, reverse=True)

    def literals(self, relation: str, text: str) -> frozenset[str]:
        """The literals of a relation written so; any number where the relation has numbers."""
        schema = RELATIONS[relation]
        if not schema.literal:
            return frozenset()
        if relation not in self._literals:
            self._literals[relation] = self._spelled(relation)
        found = self._literals[relation].get(text)
        if found is None and schema.numeric and number(text) is not None:
            return frozenset((text,))
        return frozenset(found or ())

    def _spelled(self, relation: str) -> dict[str, set[str]]:
        """The literals of a relation by how they may be written."""
        found: dict[str, set[str]] = {}
        for literal in self._values.get(relation, ()):
            for text in (literal, show(relation, literal)):
                found.setdefault(canonical(text), set()).add(literal)
        return found

    def kinds(self, word: str) -> frozenset[str] | None:
        """The entity types a noun stands for: none for literals, ``None`` if it is unknown."""
        return self._types.get(word)
